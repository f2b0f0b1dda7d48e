#!/usr/bin/env python3
"""Training of one GPT-2 on 1 and 2 ranks, ours over MPI beside PyTorch's over gloo, in turn.

    python3 scripts/ranks target/release/genesis --python VENV/bin/python [--rounds 3] [--json FILE]

Ours is `mpirun -np N genesis train` with `run.threads = 1`, built with the feature `mpi`; theirs is
benches/peers/torch_ddp.py. Both have the same model (their numbers of parameters are compared), the same batch over
all ranks, f32, and one thread each. Every round runs all four, in the other order than the round before, so that what
else the machine does falls on both; the load average is taken before each and printed. Prints medians over all steps
of all rounds, tokens per second, their efficiency from 1 to 2 ranks, and the two ratios.

Needs mpirun, a release build with `--features mpi`, and torch.
"""
import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import tempfile

MODEL = dict(layers=4, width=192, heads=4, context=128, batch=8, vocab=256)
WARMUP = 3
PEER = pathlib.Path(__file__).resolve().parents[2] / "benches" / "peers" / "torch_ddp.py"
RUN = """
[run]
dir = "{dir}"
threads = 1

[data.source]
inputs = ["{text}"]
tokenizer = "byte"

[model]
kind = "gpt2"
context = {context}
num_layers = {layers}
num_heads = {heads}
width = {width}

[objective]
kind = "causal"
context = {context}

[batch]
sequences = {batch}

[optimizer]
kind = "adamw"
clip_norm = 1.0

[schedule]
steps = {steps}
peak_rate = 1e-3
decay = {{ kind = "none" }}

[evaluation]
max_sequences = 1

[report]
tensorboard = false
"""


def text(folder):
    """Enough text for all steps: words, so that the loss is one."""
    dice = random.Random(1)
    words = ["".join(dice.choice("etaoinshrdlu") for _ in range(dice.randint(2, 8))) for _ in range(500)]
    path = folder / "text.txt"
    path.write_text("\n".join(" ".join(dice.choice(words) for _ in range(12)) for _ in range(20000)) + "\n")
    return path


def ours(binary, folder, ranks, steps, turn):
    run = folder / f"run-{turn}-{ranks}"
    path = folder / f"run-{turn}-{ranks}.toml"
    path.write_text(RUN.format(dir=run, text=folder / "text.txt", steps=steps + WARMUP, **MODEL))
    # One rank is started by itself, as one process of PyTorch is.
    launch = [] if ranks == 1 else ["mpirun", "--oversubscribe", "--bind-to", "none", "-np", str(ranks)]
    if launch and os.geteuid() == 0:
        launch.insert(1, "--allow-run-as-root")
    done = subprocess.run([*launch, binary, "train", path], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, launch))} genesis train: {done.stderr[-600:]}")
    events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    rates = [event["tokens_per_s"] for event in events if "tokens_per_s" in event][WARMUP:]
    plan = subprocess.run([binary, "plan", path], capture_output=True, text=True, check=False)
    return [MODEL["batch"] * MODEL["context"] / rate * 1e3 for rate in rates], plan.stdout + plan.stderr


def theirs(python, ranks, steps, port, compiled):
    options = [item for name, value in dict(MODEL, steps=steps, warmup=WARMUP).items() for item in (f"--{name}", str(value))]
    options += ["--compile"] if compiled else []
    started = []
    for rank in range(ranks):
        env = {**os.environ, "OMP_NUM_THREADS": "1", "RANK": str(rank), "WORLD_SIZE": str(ranks),
               "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        started.append(subprocess.Popen([python, PEER, *options], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    said = [process.communicate() for process in started]
    if any(process.returncode for process in started):
        raise SystemExit(f"torch_ddp.py: {said[0][1][-600:]}")
    return json.loads(said[0][0])


def spread(values):
    """10th and 90th percentile over the median, in percent."""
    tenths = statistics.quantiles(values, n=10)
    return 100 * (tenths[-1] - tenths[0]) / statistics.median(values)


def measured(args, folder):
    """Milliseconds of every step, by side and ranks, and the load before each run."""
    steps = {(side, ranks): [] for side in ("genesis", "torch") for ranks in (1, 2)}
    loads, turn_of, notes = [], list(steps), {}
    for turn in range(args.rounds):
        for side, ranks in turn_of if turn % 2 == 0 else reversed(turn_of):
            loads.append(round(os.getloadavg()[0], 2))
            if side == "genesis":
                times, notes["plan"] = ours(args.binary, folder, ranks, args.steps, turn)
            else:
                found = theirs(args.python, ranks, args.steps, 29400 + turn, args.compile)
                times, notes["torch"], notes["params"] = found["step_ms"], found["torch"], found["params"]
            steps[side, ranks] += times
            print(f"round {turn}: {side} on {ranks}: {statistics.median(times):.1f} ms, load {loads[-1]}", flush=True)
    return steps, loads, notes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("binary", type=lambda it: pathlib.Path(it).resolve())
    parser.add_argument("--python", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--compile", action="store_true", help="the peer with torch.compile")
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        text(folder)
        steps, loads, notes = measured(args, folder)
    parameters = f"{notes['params']:,}"
    if parameters not in notes["plan"]:
        raise SystemExit(f"the peer has {parameters} parameters, and `genesis plan` says otherwise:\n{notes['plan']}")
    tokens = MODEL["batch"] * MODEL["context"]
    rate = {key: tokens / statistics.median(times) * 1e3 for key, times in steps.items()}
    print(f"\n{parameters} parameters on both sides, {tokens} tokens a step, torch {notes['torch']}, load {min(loads)} to {max(loads)}")
    print(f"{'side':<8} {'ranks':>5} {'ms':>9} {'spread':>7} {'tokens/s':>9}")
    for (side, ranks), times in steps.items():
        print(f"{side:<8} {ranks:>5} {statistics.median(times):>9.1f} {spread(times):>6.0f}% {rate[side, ranks]:>9.0f}")
    for side in ("genesis", "torch"):
        print(f"efficiency of {side}, 1 to 2 ranks: {100 * rate[side, 2] / (2 * rate[side, 1]):.1f} %")
    for ranks in (1, 2):
        print(f"genesis over torch on {ranks}: {rate['genesis', ranks] / rate['torch', ranks]:.2f}")
    if args.json:
        raw = {f"{side} {ranks}": times for (side, ranks), times in steps.items()}
        args.json.write_text(json.dumps(dict(model=MODEL, step_ms=raw, loads=loads, torch=notes["torch"]), indent=1) + "\n")


if __name__ == "__main__":
    main()
