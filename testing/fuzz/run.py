#!/usr/bin/env python3
"""Fuzzes every target in turn, one process at a time, and keeps a log.

    python3 testing/fuzz/run.py MINUTES [TARGET ...] [--no-build]

MINUTES are shared out equally among the targets. Needs a nightly toolchain and `cargo install cargo-fuzz`.
What is found interesting is kept in target/fuzz/corpus and built upon next time; an input that crashes, hangs
(longer than 10 s) or takes 2 GiB lies in target/fuzz/artifacts, and the exit code is 1. The log,
target/fuzz/runs.log, has a line a target: when, seconds, executions, inputs kept, findings.

Parquet has no target: its library panics at much damage, which a fuzzer counts as a crash although we make it an
error; a unit test damages every byte of a file instead.
"""

import os
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
CRATES = ("data", "train")
KEPT = HERE.parent.parent / "target" / "fuzz"
TRIPLE = "x86_64-unknown-linux-gnu"
LIMITS = ("-timeout=10", "-rss_limit_mb=2048", "-malloc_limit_mb=2048", "-max_len=16384", "-len_control=50")


def targets():
    """Names of all targets and the crate of each."""
    return {it.stem: crate for crate in CRATES for it in sorted((HERE / crate / "fuzz_targets").glob("*.rs"))}


def build(crate):
    """All targets of a crate; without a sanitizer: our unsafe code is memory maps alone."""
    command = ["cargo", "+nightly", "fuzz", "build", "--fuzz-dir", ".", "-s", "none", "--target-dir", str(KEPT)]
    subprocess.run(command, cwd=HERE / crate, check=True)


def fuzz(target, seconds):
    """Whether nothing was found in so many seconds."""
    corpus, artifacts = KEPT / "corpus" / target, KEPT / "artifacts" / target
    corpus.mkdir(parents=True, exist_ok=True)
    artifacts.mkdir(parents=True, exist_ok=True)
    before, begin = set(artifacts.iterdir()), time.monotonic()
    dictionary = HERE / "dictionaries" / f"{target}.dict"
    command = [str(KEPT / TRIPLE / "release" / target), str(corpus), str(HERE / "seeds" / target), *LIMITS]
    command += [f"-max_total_time={seconds}", f"-artifact_prefix={artifacts}/", "-print_final_stats=1"]
    command += [f"-dict={dictionary}"] if dictionary.exists() else []
    log = KEPT / f"{target}.log"
    with log.open("w") as file:
        code = subprocess.run(
            command, stdout=file, stderr=file, cwd=KEPT, env={**os.environ, "RAYON_NUM_THREADS": "1"}, check=False
        ).returncode
    done = re.findall(r"stat::number_of_executed_units:\s*(\d+)", log.read_text(errors="replace"))
    found = sorted(set(artifacts.iterdir()) - before)
    line = f"{time.strftime('%F %T')} {target:<15} {time.monotonic() - begin:7.0f} s {int(done[-1]) if done else 0:>10} "
    line += f"executions {len(list(corpus.iterdir())):>6} kept  {'ok' if code == 0 else [it.name for it in found] or code}"
    print(line, flush=True)
    with (KEPT / "runs.log").open("a") as file:
        file.write(line + "\n")
    return code == 0


def main():
    words = [it for it in sys.argv[1:] if it != "--no-build"]
    if not words:
        sys.exit(__doc__)
    known = targets()
    chosen = words[1:] or list(known)
    unknown = [it for it in chosen if it not in known]
    if unknown:
        sys.exit(f"no target {unknown}; there are {list(known)}")
    if "--no-build" not in sys.argv:
        for crate in {known[it] for it in chosen}:
            build(crate)
    share = max(1, int(60 * float(words[0]) / len(chosen)))
    results = [fuzz(target, share) for target in chosen]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
