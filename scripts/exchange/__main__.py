#!/usr/bin/env python3
"""Opens what Genesis exports in the programs it is for, and compares what they compute.

    python3 scripts/exchange target/release/genesis [PART ...] [--keep FOLDER]

`sequences`: a small model of every kind that Genesis trains, on every kind of tokenizer (its own, and tokenizer.json
of each model and post-processor, made on the spot by the `tokenizers` library), is trained, exported and opened by
AutoTokenizer and AutoModel of transformers: token ids, log-probabilities, hidden states, padded batches and greedy
texts must be those of the dataset, `genesis score`, `embed` and `generate`. Folders that transformers wrote are
imported, trained on and exported again.

`atoms`: small networks of every block are trained, exported, made into torch models by the load_mace.py of the
export, and compared with `genesis predict`: energies, forces, stress.

PART limits what is tried to names that contain it, such as `atoms` or `llama/word`. A number may be as far from the same
model in f64 as twice what the other program's own f32 is, and one rounding; both distances are printed. Exit code 1
when anything differs. --keep leaves runs and exports in FOLDER.

Needs torch, transformers 5, tokenizers, safetensors, pyarrow; for atoms mace-torch and ase.
"""
import argparse
import importlib.metadata
import pathlib
import sys
import tempfile
import time
import traceback
import warnings

from differs import Differs

PROGRAMS = ("torch", "transformers", "tokenizers", "mace-torch", "e3nn", "ase")


def versions():
    """Of every program that is compared with, as far as it is there."""
    for name in PROGRAMS:
        try:
            yield f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            yield f"{name} absent"


def cases(parts):
    """Name and function of what is tried; the libraries of a part are needed only where it is."""
    chosen = lambda name: not parts or any(part in name for part in parts)
    found = []
    for part in ("sequences", "atoms"):
        # A name of a case within the part, or none of another part alone.
        others = {"sequences", "atoms"} - {part}
        if parts and all(one in others for one in parts):
            continue
        module = __import__(part)
        found += [(f"{part}/{name}", run) for name, run in module.cases() if chosen(f"{part}/{name}")]
    return found


def tried(run, binary, folder):
    """Verdict and what is said; a fault of this script is a failure too, with its place."""
    try:
        return "pass", run(binary, folder)
    except Differs as found:
        return "FAIL", str(found)
    except Exception as fault:  # whatever another program raises at an export is a finding
        place = traceback.extract_tb(fault.__traceback__)[-1]
        return "FAIL", f"{type(fault).__name__} at {place.filename}:{place.lineno}: {fault}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--keep", type=pathlib.Path, metavar="FOLDER")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    chosen = cases(args.parts)
    if not chosen:
        sys.exit(f"no case has {' or '.join(args.parts)} in its name")
    print(", ".join(versions()), flush=True)
    failed = []
    with tempfile.TemporaryDirectory() as scratch:
        root = args.keep or pathlib.Path(scratch)
        for name, run in chosen:
            begin = time.monotonic()
            folder = root / name
            folder.mkdir(parents=True)
            verdict, said = tried(run, args.binary.resolve(), folder.resolve())
            failed += [name] if verdict == "FAIL" else []
            said = " ".join(said.split())[:600]
            print(f"{name:<44} {verdict:<5} {time.monotonic() - begin:5.1f} s  {said}", flush=True)
    print(f"{len(chosen) - len(failed)} of {len(chosen)} pass")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
