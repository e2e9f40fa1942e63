#!/usr/bin/env python3
"""Compares a build with the expected verdicts in ../shared, and fails where fewer hold than `.ci/score-floor` says.

    .ci/score.py PROGRAM          compares
    .ci/score.py PROGRAM --raise  raises the floor to what holds now; whoever lowers it says why in the commit

The data is not part of this repository; where it is missing, that is said and nothing is compared.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
FLOOR = ROOT / ".ci/score-floor"
PROGRAM = pathlib.Path(sys.argv[1]).resolve()
STANDARDS = SHARED / "conformance/policies/pod-security"


def corpora():
    """Runs to the end on each public repository; whatever it finds, it is no crash."""
    wrong = []
    for corpus in sorted((SHARED / "corpus").iterdir()):
        command = [PROGRAM, "check", corpus, "--policies", STANDARDS, "--max-findings", "0"]
        runs = [subprocess.run([*command, "--jobs", jobs], capture_output=True, cwd=ROOT) for jobs in ("1", "8")]
        print(f"{corpus.name}: exit {runs[0].returncode}", flush=True)
        if runs[0].returncode not in (0, 1):
            wrong.append(f"{corpus.name}: exit {runs[0].returncode}: {runs[0].stderr.decode(errors='replace')[-300:]}")
        if runs[0].stdout != runs[1].stdout:
            wrong.append(f"{corpus.name}: 8 threads don't say what 1 says")
    return wrong


def score():
    """How many expected verdicts hold, by the words of the score board."""
    command = [SHARED / "bin/score.py", "--admit", PROGRAM, "--show", "0"]
    out = subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=ROOT).stdout
    held, above = {}, ""
    for line in out.splitlines():
        if found := re.fullmatch(r"  messages also equal: (\d+)/\d+", line):
            held[f"{above}, messages"] = int(found[1])
        elif found := re.fullmatch(r"(\w.*): (\d+)/\d+ \(.*", line):
            above = found[1]
            held[above] = int(found[2])
    return held


def main():
    if not STANDARDS.exists():
        print("no expected verdicts here: nothing was compared")
        return 0
    wrong = corpora()
    held = score()
    lines = FLOOR.read_text().splitlines() if FLOOR.exists() else []
    floor = {name: int(n) for n, name in (line.strip().split(" ", 1) for line in lines)}
    if "--raise" in sys.argv:
        raised = {name: max(n, floor.get(name, 0)) for name, n in held.items()}
        FLOOR.write_text("".join(f"{n:7} {name}\n" for name, n in raised.items()))
    for name, n in held.items():
        print(f"{n:7} {name}" + (f" (floor {floor.get(name, 0)})" if n != floor.get(name, 0) else ""))
    wrong += [f"{name}: {held.get(name, 0)} hold, {n} did" for name, n in floor.items() if held.get(name, 0) < n]
    print("".join(f"worse: {line}\n" for line in wrong), end="")
    return 1 if wrong else 0


sys.exit(main())
