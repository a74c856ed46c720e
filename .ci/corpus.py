"""`info` on a made-up log of 300 MiB, plain and gzip, must agree with its truth file to the last count; `query`
prints one row a request, `query --group-by` counts them and `users` whose they are; and every recorded log opens with
the counts that are asserted here.

Usage: corpus.py PROGRAM SHARED WORK
"""
import collections
import json
import pathlib
import subprocess
import sys

program, shared, work = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
RECORDED = [
    "incident-full.jsonl",
    "incident-meta.jsonl",
    "incident-lowwrite.jsonl",
    "ordinary-full.jsonl",
    "ordinary-meta.jsonl",
]


def info(path):
    out = subprocess.run([program, "info", "-o", "json", path], capture_output=True, check=True)
    return json.loads(out.stdout)["total"]


def expect(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: got {got}, expected {wanted}")
    print(f"ok: {what} = {got}")


def agree(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: got {got}, expected {wanted}")
    print(f"ok: {what}")


def truth_of(lines):
    """Requests as the issue defines them: the first response stage of each auditID, RequestReceived only without."""
    stages = collections.defaultdict(set)
    for line in lines:
        event = json.loads(line)
        stages[event["auditID"]].add(event["stage"])
    return len(stages)


def listed(*arguments, folder):
    run = [program, *arguments, "-o", "jsonl", "--memory", "2GiB", folder / "audit.log"]
    out = subprocess.run(run, capture_output=True, check=True).stdout
    return [json.loads(line) for line in out.splitlines()]


for name in RECORDED:
    lines = [l for l in (shared / "data/kube" / name).read_bytes().split(b"\n") if l]
    found = info(shared / "data/kube" / name)
    expect(f"{name} lines", found["lines"], len(lines))
    expect(f"{name} events", found["events"], len(lines))
    expect(f"{name} requests", found["requests"], truth_of(lines))

for extra in ([], ["--gzip"]):
    folder = work / ("gz" if extra else "plain")
    subprocess.run([sys.executable, shared / "tools/corpus.py", folder, "--size", "300MiB", *extra], check=True)
    truth = json.loads(pathlib.Path(f"{folder}.truth.json").read_text())
    found = info(folder / "audit.log")
    for key, wanted in (("lines", "lines"), ("events", "lines"), ("requests", "requests"), ("textBytes", "bytes"), ("first", "first"), ("last", "last")):
        expect(f"{folder.name} {key}", found[key], truth[wanted])
    expect(f"{folder.name} duplicates", found["duplicates"], 0)
    # The rows themselves, by verb, user, namespace, code and stage.
    for stages, counts in (("request", truth["by_request"]), ("all", truth["by_line"])):
        run = [program, "query", "-o", "jsonl", "--stages", stages, "--memory", "2GiB", folder / "audit.log"]
        seen = {key: collections.Counter() for key in counts}
        with subprocess.Popen(run, stdout=subprocess.PIPE) as process:
            for line in process.stdout:
                row = json.loads(line)
                seen["verb"][row.get("verb", "")] += 1
                seen["user"][row.get("user", "")] += 1
                seen["namespace"][row.get("namespace", "")] += 1
                seen["code"][str(row.get("code", ""))] += 1
                seen["stage"][row.get("stage", "")] += 1
        for key, wanted in counts.items():
            if dict(seen[key]) != wanted:
                sys.exit(f"{folder.name} {stages} by {key}: got {dict(seen[key])}, expected {wanted}")
        print(f"ok: {folder.name} rows by verb, user, namespace, code, stage with --stages {stages}")
        # Counting begins behind the reading: the plain log will do.
        for key, wanted in () if extra else counts.items():
            groups = listed("query", "--group-by", key, "--stages", stages, folder=folder)
            agree(f"{folder.name} {stages} --group-by {key}", {str(g.get(key, "")): g["count"] for g in groups}, wanted)
    if not extra:
        # What somebody else did in a user's name counts for both.
        made = {u.get("user", ""): u["events"] - u["impersonated"] for u in listed("users", folder=folder)}
        made = {user: count for user, count in made.items() if count}
        agree(f"{folder.name} users", made, truth["by_request"]["user"])
