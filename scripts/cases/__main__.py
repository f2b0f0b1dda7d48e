#!/usr/bin/env python3
"""Runs cases of public bug reports against a binary and prints which pass.

    python3 scripts/cases target/release/genesis [PART ...]

Every folder with a case.md below $GENESIS_SHARED/cases is a case. It passes when its check does: the
check.sh in it, or the function named after it in `sequences/` or `atoms/`, which knows what its case.md
calls right. A case without a check has failed. PART limits them to cases whose path contains it, such as
`runs` or `disk-full`. Each runs on a copy. The exit code is 1 when a case failed.

Only Python is needed. MACE_PYTHON names one that has mace-torch, for the case that opens an export.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

import atoms
import sequences
from registry import CHECKS
from trial import Models, Trial
from verdict import Wrong

# The longest case trains a few thousand steps of a tiny network.
TIMEOUT_S = 600


def find(shared, parts):
    """Folders of the cases, in order."""
    folders = sorted(text.parent for text in (shared / "cases").glob("*/*/case.md"))
    return [it for it in folders if not parts or any(part in str(it) for part in parts)]


def check_by_script(case, trial):
    """The last line that check.sh prints; it is right when it ends with 0."""
    done = subprocess.run(
        ["bash", str(trial.dir / "check.sh")],
        env={**os.environ, "GENESIS": str(trial.binary)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT_S,
        check=False,
    )
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    last = lines[-1] if lines else ""
    if done.returncode != 0:
        raise Wrong(f"check.sh of {case.name} ends with {done.returncode}: {last}")
    return last


def run(case, binary, models):
    """Whether the case passes, and what its check says."""
    function = CHECKS.get((case.parent.name, case.name))
    by_script = (case / "check.sh").exists()
    if function is None and not by_script:
        return "NO CHECK", f"write one: scripts/cases/{case.parent.name}"
    with tempfile.TemporaryDirectory() as scratch:
        trial = Trial(case, binary, pathlib.Path(scratch), models, TIMEOUT_S)
        try:
            said = check_by_script(case, trial) if by_script else function(trial)
        except Wrong as wrong:
            return "FAIL", str(wrong)
        except subprocess.TimeoutExpired as late:
            return "FAIL", f"not done after {late.timeout} s: {late.cmd}"
    return "pass", said or ""


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    binary = pathlib.Path(sys.argv[1]).resolve()
    shared = pathlib.Path(os.environ.get("GENESIS_SHARED", "../shared")).resolve()
    cases = find(shared, sys.argv[2:])
    if not cases:
        sys.exit(f"no case below {shared / 'cases'}; set GENESIS_SHARED")
    counts = {}
    with tempfile.TemporaryDirectory() as scratch:
        models = Models(shared / "cases", binary, pathlib.Path(scratch), TIMEOUT_S)
        for case in cases:
            begin = time.monotonic()
            verdict, said = run(case, binary, models)
            part = counts.setdefault(case.parent.name, {"pass": 0, "FAIL": 0, "NO CHECK": 0})
            part[verdict] += 1
            name = f"{case.parent.name}/{case.name}"
            said = " ".join(said.split())[:300]
            print(f"{name:<46} {verdict:<8} {time.monotonic() - begin:6.1f} s  {said}", flush=True)
    print(f"\n{'part':<12} {'cases':>6} {'pass':>6} {'FAIL':>6} {'NO CHECK':>9}")
    for part, count in counts.items():
        print(f"{part:<12} {sum(count.values()):>6} {count['pass']:>6} {count['FAIL']:>6} {count['NO CHECK']:>9}")
    passed = sum(count["pass"] for count in counts.values())
    print(f"{passed} of {len(cases)} pass")
    sys.exit(0 if passed == len(cases) else 1)


if __name__ == "__main__":
    main()
