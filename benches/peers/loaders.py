"""Loaders of datasets (Hugging Face) and Grain, beside ours: the same tokens as shuffled batches of rows.

    cargo bench -p genesis-benches --bench loader --no-run        # prints the path of the binary
    python benches/peers/loaders.py DATASET --ours BINARY [--rounds 5] [--json FILE]

DATASET is a folder of `genesis ingest`; its training tokens are read from the shards. Every loader gives batches of
`--batch` rows of `--context` tokens with labels: int64 tensors of PyTorch from datasets, int32 arrays of numpy from
Grain, our packed batches with positions and boundaries from ours. "blocks" are cut from the stream of documents, "rows" hold
whole documents, packed by best fit. What a user prepares once is not timed: datasets' blocks (`group_texts` of
transformers' run_clm.py) lie on disk and are mapped; our shards too. All take turns, in the other order every round;
a turn is `--seconds` after a warm-up of 20 batches. Prints medians of samples per second, and the ratios.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

import datasets
import numpy
import pyarrow.ipc
import torch
from grain import IterDataset, MapDataset, ReadOptions
from grain.experimental import BestFitPackIterDataset, ConcatThenSplitIterDataset

WARMUP = 20


def documents(folder):
    """Tokens of the training split, end to end, and where documents begin."""
    tokens, starts, at = [], [0], 0
    for shard in sorted(pathlib.Path(folder).glob("train-*.arrow")):
        with pyarrow.ipc.open_file(pyarrow.memory_map(str(shard))) as file:
            for number in range(file.num_record_batches):
                column = file.get_batch(number).column("tokens")
                offsets = column.offsets.to_numpy()
                tokens.append(column.values.to_numpy())
                starts.extend((at + offsets[1:]).tolist())
                at += int(offsets[-1])
    return numpy.concatenate(tokens), numpy.array(starts)


def cut(starts, context):
    """Grain packs nothing longer than a row: where documents and the pieces of long ones begin."""
    pieces = [numpy.arange(first, end, context) for first, end in zip(starts[:-1], starts[1:])]
    return numpy.append(numpy.concatenate(pieces), starts[-1])


def rate(batches, seconds, rows):
    """Samples per second of an endless iterator of batches."""
    for _ in range(WARMUP):
        next(batches)
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        next(batches)
        done += 1
    return rows * done / (time.perf_counter() - start)


def hugging_face(folder, args, workers):
    blocks = datasets.load_from_disk(str(folder)).with_format("torch")
    epoch = 0
    while True:
        order = blocks.shuffle(seed=epoch)
        yield from torch.utils.data.DataLoader(
            order, batch_size=args.batch, num_workers=workers, drop_last=True, prefetch_factor=4 if workers else None
        )
        epoch += 1


def blocks_on_disk(tokens, args, folder):
    """As `group_texts`: labels are a copy, which the model shifts."""
    rows = len(tokens) // args.context
    ids = tokens[: rows * args.context].astype(numpy.int32).reshape(rows, args.context)
    features = datasets.Features({name: datasets.Sequence(datasets.Value("int32")) for name in ("input_ids", "labels")})
    made = datasets.Dataset.from_dict({"input_ids": list(ids), "labels": list(ids)}, features=features)
    made.save_to_disk(str(folder))


class Documents:
    """What Grain reads from at random."""

    def __init__(self, tokens, starts):
        self.tokens, self.starts = tokens, starts

    def __len__(self):
        return len(self.starts) - 1

    def __getitem__(self, index):
        ids = self.tokens[self.starts[index] : self.starts[index + 1]].astype(numpy.int32)
        return {"tokens": ids, "labels": ids}


def grain(source, args, packed):
    shuffled = MapDataset.source(source).shuffle(seed=1).repeat()
    stream: IterDataset = shuffled.to_iter_dataset(ReadOptions(num_threads=args.threads, prefetch_buffer_size=64))
    lengths = {"tokens": args.context, "labels": args.context}
    if packed:
        rows = BestFitPackIterDataset(stream, length_struct=lengths, num_packing_bins=args.batch)
    else:
        rows = ConcatThenSplitIterDataset(stream, length_struct=lengths)
    return iter(rows.batch(args.batch, drop_remainder=True))


def ours(args, mode):
    command = [args.ours, args.dataset, str(args.context), str(args.batch), mode, str(args.seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["samples_per_s"]


def measured(args, scratch):
    tokens, starts = documents(args.dataset)
    blocks_on_disk(tokens, args, scratch)
    source, pieces = Documents(tokens, starts), Documents(tokens, cut(starts, args.context))
    sides = {
        "genesis, blocks": lambda: ours(args, "blocks"),
        "genesis, rows": lambda: ours(args, "rows"),
        "datasets, blocks, in the process": lambda: rate(hugging_face(scratch, args, 0), args.seconds, args.batch),
        "datasets, blocks, 2 workers": lambda: rate(hugging_face(scratch, args, 2), args.seconds, args.batch),
        "grain, blocks": lambda: rate(grain(source, args, False), args.seconds, args.batch),
        "grain, rows": lambda: rate(grain(pieces, args, True), args.seconds, args.batch),
    }
    found = {name: [] for name in sides}
    for turn in range(args.rounds):
        for name in sides if turn % 2 == 0 else reversed(list(sides)):
            found[name].append(sides[name]())
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("--ours", required=True)
    for name, default in {"context": 1024, "batch": 32, "rounds": 5, "threads": 2}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--json")
    args = parser.parse_args()
    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as scratch:
        found = measured(args, pathlib.Path(scratch) / "blocks")
    medians = {name: statistics.median(rates) for name, rates in found.items()}
    for name, median in medians.items():
        tenths = statistics.quantiles(found[name], n=10) if args.rounds > 1 else [median]
        own = medians["genesis, rows" if name.endswith("rows") else "genesis, blocks"]
        print(f"{name:<34}{median:>12,.0f} samples/s  {100 * (tenths[-1] - tenths[0]) / median:>4.0f} %  ours is {own / median:.1f} x")
    if args.json:
        versions = {"datasets": datasets.__version__, "torch": torch.__version__, "numpy": numpy.__version__}
        record = {"options": vars(args), "versions": versions, "samples_per_s": found}
        pathlib.Path(args.json).write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
