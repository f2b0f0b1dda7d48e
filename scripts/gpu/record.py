"""Joins what run.sh left into records: a short table on standard output, <what>_<gpu>_<date>.md and .json.

    python record.py OUT --commit HASH

What is missing is said to be missing. A dry run writes a record too, marked as one that measures nothing.
"""

import argparse
import datetime
import json
import pathlib
import re


def read(path):
    try:
        return json.loads(path.read_text().strip().splitlines()[-1])
    except (FileNotFoundError, IndexError, json.JSONDecodeError):
        try:
            return json.loads(path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None


def duration(seconds):
    if seconds is None:
        return "-"
    return f"{seconds * 1e3:.3f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.1f} us"


def table(rows):
    """Columns as wide as their widest cell; the first row is the heading."""
    widths = [max(len(str(row[at])) for row in rows) for at in range(len(rows[0]))]
    lines = ["| " + " | ".join(f"{cell!s:<{w}}" for cell, w in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def key(entry):
    return tuple(entry[name] for name in ("family", "operation", "shape", "arithmetic"))


def kernel_rows(ours, theirs):
    peers = {key(entry): entry for entry in (theirs or {"kernels": []})["kernels"]}
    rows = [["kernel", "shape", "type", "ours", "share of bound", "torch", "torch / ours", "peer"]]
    for entry in ours["kernels"]:
        peer = peers.get(key(entry), {})
        time = peer.get("median_s")
        rows.append(
            [
                f"{entry['family']} {entry['operation']}",
                entry["shape"],
                entry["arithmetic"],
                duration(entry["median_s"]),
                f"{100 * entry['bound_s'] / entry['median_s']:.0f} %",
                duration(time),
                f"{time / entry['median_s']:.2f}" if time else "-",
                peer.get("how", "-"),
            ]
        )
    return rows


def training_rows(out):
    rows = [["GPT-2 124M, bf16", "batch", "tokens/s", "step"]]
    names = {
        "plain": "Burn operations alone",
        "ours": "Genesis",
        "torch_eager": "torch eager",
        "torch_compiled": "torch compiled",
    }
    for name, title in names.items():
        for path in sorted(out.glob(f"{name}_*.json")):
            batch = re.fullmatch(rf"{name}_(\d+)", path.stem)
            found = read(path)
            if batch is None or found is None:
                continue
            if "skipped" in found:
                rows.append([title, batch[1], "-", found["skipped"]])
            else:
                rows.append([title, batch[1], f"{found['tokens_per_s']:.0f}", f"{found['step_ms']:.1f} ms"])
    return rows


def mace_rows(out):
    rows = [["MACE, f32, batches of 10", "channels", "training step", "energies and forces"]]
    names = {"reference": "Burn operations alone", "own": "Genesis", "torch": "mace-torch"}
    for name, title in names.items():
        for path in sorted(out.glob(f"mace_{name}_*.json")):
            found, channels = read(path), path.stem.rsplit("_", 1)[1]
            if found is None:
                continue
            if "skipped" in found:
                rows.append([title, channels, "-", found["skipped"]])
            else:
                rows.append(
                    [title, channels, f"{found['train_step_ms']:.2f} ms", f"{found['eval_ms']:.2f} ms"]
                )
    return rows


def hardware(out):
    doctor, torch = read(out / "doctor.json") or {}, read(out / "torch.json") or {}
    gpus = doctor.get("gpus") or []
    gpu = gpus[0]["name"] if gpus else torch.get("name", "unknown")
    lines = [
        f"hardware   {gpu}; {doctor.get('processor', 'unknown processor')}, {doctor.get('cores', '?')} cores",
        f"software   torch {torch.get('torch', 'unknown')} with CUDA {torch.get('cuda')}; driver of CUDA "
        f"{doctor.get('cuda_version')}",
    ]
    smi = out / "nvidia-smi.csv"
    if smi.is_file():
        lines.append(f"clocks     {smi.read_text().strip().splitlines()[-1]}")
    return gpu, lines


def tests(out):
    lines = []
    for name in ("bridge", "parity"):
        passed = failed = 0
        for log in out.glob(f"logs/{name}.*.log"):
            for found in re.finditer(r"test result: \w+\. (\d+) passed; (\d+) failed", log.read_text()):
                passed, failed = passed + int(found[1]), failed + int(found[2])
        state = "done" if (out / "state" / f"{name}.done").exists() else "NOT done"
        lines.append(f"{name:<11}{passed} tests passed, {failed} failed; {state}")
        for log in out.glob(f"logs/{name}.*.log"):
            lines += [f"           {line.strip()}" for line in log.read_text().splitlines() if "us a call" in line]
    sanitizer = out / "sanitizer.txt"
    text = sanitizer.read_text().strip().replace("\n", "; ") if sanitizer.is_file() else "NOT run"
    return lines + [f"sanitizer  {text}"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--commit", default="unknown")
    parser.add_argument("--dry-run", action="store_true")
    args = parser.parse_args()
    out, date = args.out, datetime.date.today().isoformat()
    gpu, lines = hardware(out)
    ceilings = read(out / "ceilings.json") or {}
    kernels = {}
    for path in sorted(out.glob("kernels_*.json")):
        name = path.stem.removeprefix("kernels_")
        kernels[name] = (json.loads(path.read_text()), read(out / f"torch_kernels_{name}.json"))

    slug = re.sub(r"[^a-z0-9]+", "-", gpu.lower()).strip("-")
    what = "dry-run" if args.dry_run else "kernels-and-training"
    parts = [f"# Kernels and training steps, {gpu}, against torch\n"]
    if args.dry_run:
        parts.append("A dry run: tiny sizes on a processor, to prove the script. Nothing here is a measurement.\n")
    method = (
        "method     medians of at least 7 runs and 0.2 s after two that do not count; on a GPU so much work is\n"
        "           queued that waiting for it does not count; inputs are random and made before the clock starts"
    )
    parts.append("\n".join(["```text", *lines, f"commit     {args.commit}", method, *tests(out), "```\n"]))
    if ceilings:
        rates = ", ".join(
            f"{name.removesuffix('_flops_per_s')} {rate / 1e12:.2f} TFLOP/s"
            for name, rate in ceilings.items()
            if name.endswith("_flops_per_s")
        )
        copy = ceilings["copy_bytes_per_s"] / 1e9
        parts.append(f"Ceilings through torch: copy {copy:.0f} GB/s; products {rates}.\n")
    for rows in (training_rows(out), mace_rows(out)):
        if len(rows) > 1:
            parts.append(table(rows) + "\n")
    short = "\n".join(parts)
    for name, (ours, theirs) in kernels.items():
        measured = ours["ceilings"]
        memory = measured["bandwidths"][-1]["bytes_per_s"] / 1e9 if measured["bandwidths"] else 0.0
        bf16 = (measured["bf16_flops_per_s"] or 0.0) / 1e12
        parts.append(f"## Kernels, shapes `{name}`\n\nCeilings of ours: memory {memory:.0f} GB/s, bf16 {bf16:.2f} TFLOP/s.\n")
        parts.append(table(kernel_rows(ours, theirs)) + "\n")
    records = out / "records"
    records.mkdir(exist_ok=True)
    stem = f"{what}_{slug}_{date}"
    (records / f"{stem}.md").write_text("\n".join(parts))
    everything = {
        "commit": args.commit,
        "dry_run": args.dry_run,
        "doctor": read(out / "doctor.json"),
        "torch": read(out / "torch.json"),
        "ceilings": ceilings,
        "kernels": {name: {"ours": ours, "torch": theirs} for name, (ours, theirs) in kernels.items()},
        "training": {
            path.stem: read(path)
            for pattern in ("plain_*", "ours_*", "torch_eager_*", "torch_compiled_*", "mace_*_*")
            for path in sorted(out.glob(f"{pattern}.json"))
        },
    }
    (records / f"{stem}.json").write_text(json.dumps(everything))
    print(short)
    print(f"wrote {records / stem}.md and .json")


if __name__ == "__main__":
    main()
