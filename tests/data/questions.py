#!/usr/bin/env python3
"""Writes the answers of a page anew, from the jq command beside each: tests/data/questions.py [PAGE]

Without a page it is questions.md. Run from the checkout. The logs are in ../shared, or in the folder that KAUDITUI_SHARED
names.
"""

import os
import re
import subprocess
import sys

PAGE = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "questions.md")
QUESTION = re.compile(r"(```sh\nkauditui .*?\n)(jq .*?)(\n```\n```text\n)(.*?)(```\n)", re.DOTALL)


def answered(question):
    command = question[2].replace("../shared", os.environ.get("KAUDITUI_SHARED", "../shared"))
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{question[2]}\n{done.stderr}")
    return question[1] + question[2] + question[3] + done.stdout + question[5]


def main():
    with open(PAGE, encoding="utf-8") as page:
        text = page.read()
    text, count = QUESTION.subn(answered, text)
    with open(PAGE, "w", encoding="utf-8") as page:
        page.write(text)
    print(f"{count} questions answered")


if __name__ == "__main__":
    main()
