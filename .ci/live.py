"""A log that is written, rotated and damaged while `query --follow` reads it: each (auditID, stage) of the writer's
ledger must be printed exactly once.

Usage: live.py PROGRAM SHARED WORK
"""
import collections
import json
import pathlib
import signal
import subprocess
import sys
import time

program, shared, work = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
KINDS = [
    ["--how", "rename"],
    ["--how", "gzip"],
    ["--how", "copytruncate"],
    ["--how", "delete"],
    ["--how", "rename", "--split"],
    ["--how", "rename", "--garbage"],
]


def start(kind):
    name = "live" + "".join(kind).replace("--", "-")
    folder = work / name
    folder.mkdir()
    out = open(work / f"{name}.out", "wb")
    follower = subprocess.Popen(
        [program, "query", "--follow", "--stages", "all", "-o", "jsonl", folder / "audit.log"],
        stdout=out,
        stderr=open(work / f"{name}.err", "wb"),
    )
    time.sleep(1)
    writer = subprocess.Popen(
        [sys.executable, shared / "tools/live.py", folder, "--rate", "2000", "--seconds", "20", "--rotate-every", "2", *kind]
    )
    return name, kind, follower, writer


def keys(path):
    with open(path, "rb") as lines:
        return collections.Counter((e.get("auditID"), e.get("stage")) for e in map(json.loads, lines))


def finish(name, kind, follower, writer):
    if writer.wait() != 0:
        sys.exit(f"{kind}: the writer failed")
    ledger = keys(work / f"{name}.ledger.jsonl")
    # What was written last is printed within a look; the limit only ends a check that has failed already.
    end = time.monotonic() + 30
    while sum(1 for _ in open(work / f"{name}.out", "rb")) < sum(ledger.values()) and time.monotonic() < end:
        time.sleep(0.2)
    time.sleep(3)
    follower.send_signal(signal.SIGTERM)
    code = follower.wait()
    printed = keys(work / f"{name}.out")
    missing, extra = ledger - printed, printed - ledger
    print(f"{kind}: {sum(ledger.values())} written, {sum(missing.values())} missing, {sum(extra.values())} extra, exit {code}")
    return not missing and not extra and code == 143 and sum(ledger.values()) > 1000


good = True
for pair in (KINDS[:2], KINDS[2:4], KINDS[4:]):
    for run in [start(kind) for kind in pair]:
        good &= finish(*run)
sys.exit(0 if good else 1)
