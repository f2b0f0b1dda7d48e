#!/usr/bin/env python3
"""Runs cases of public bug reports against a binary and prints which pass.

    scripts/cases.py target/release/genesis [PART ...]

Every folder with a check.sh below $GENESIS_SHARED/cases is a case; it passes when the script exits
with 0. PART limits them to cases whose path contains it, such as `runs` or `disk-full`. Each runs on
a copy. The exit code is 1 when a case failed.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

# The longest case trains a few thousand steps of a tiny network.
TIMEOUT_S = 600


def find(shared, parts):
    """Folders of the cases, in order."""
    folders = sorted(check.parent for check in (shared / "cases").glob("*/*/check.sh"))
    return [it for it in folders if not parts or any(part in str(it) for part in parts)]


def run(case, binary):
    """Whether the case passes, and the last line that it printed."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = shutil.copytree(case, pathlib.Path(scratch) / case.name)
        done = subprocess.run(
            ["bash", str(copy / "check.sh")],
            env={**os.environ, "GENESIS": str(binary)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_S,
            check=False,
        )
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    return done.returncode == 0, lines[-1] if lines else ""


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    binary = pathlib.Path(sys.argv[1]).resolve()
    shared = pathlib.Path(os.environ.get("GENESIS_SHARED", "../shared"))
    cases = find(shared, sys.argv[2:])
    if not cases:
        sys.exit(f"no case below {shared / 'cases'}; set GENESIS_SHARED")
    failed = 0
    for case in cases:
        try:
            passed, last = run(case, binary)
        except subprocess.TimeoutExpired:
            passed, last = False, f"not done after {TIMEOUT_S} s"
        failed += not passed
        name = f"{case.parent.name}/{case.name}"
        print(f"{name:<44} {'pass' if passed else 'FAIL'}  {last[:100]}", flush=True)
    print(f"{len(cases) - failed} of {len(cases)} pass")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
