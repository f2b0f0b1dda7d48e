"""The neighbour list of matscipy on a periodic crystal: what ours is compared with.

Atom i of an nx x ny x nz cubic lattice is moved by AMPLITUDE sin(78.233 i + 12.9898 k) along axis k, so that
both programs see the same atoms without a file, and must find the same number of pairs.

    python matscipy_neighbors.py --nx 50 --ny 50 --nz 40

Options: --steps, --warmup. Prints one JSON object on one line: build_ms is the median.
"""

import argparse
import json
import resource
import statistics
import time

import matscipy
import numpy
from matscipy.neighbours import neighbour_list

CUTOFF = 5.0
# Å; one atom in 20 Å^3.
SPACING = 2.714
AMPLITUDE = 0.1


def options():
    parser = argparse.ArgumentParser()
    for name, default in {"nx": 50, "ny": 50, "nz": 40, "steps": 5, "warmup": 1}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


def lattice(sides):
    number = numpy.arange(numpy.prod(sides), dtype=numpy.float64)
    x = number % sides[0]
    y = number // sides[0] % sides[1]
    z = number // (sides[0] * sides[1])
    place = SPACING * numpy.stack([x, y, z], axis=1)
    phase = 78.233 * number[:, None] + 12.9898 * numpy.arange(3.0)[None, :]
    return place + AMPLITUDE * numpy.sin(phase)


def main():
    args = options()
    sides = [args.nx, args.ny, args.nz]
    positions = lattice(sides)
    cell = numpy.diag(SPACING * numpy.array(sides, dtype=numpy.float64))
    seconds = []
    for _ in range(args.warmup + args.steps):
        start = time.perf_counter()
        receivers, senders, shifts = neighbour_list(
            "ijS", cell=cell, pbc=[True] * 3, positions=positions, cutoff=CUTOFF
        )
        seconds.append(time.perf_counter() - start)
    build = statistics.median(seconds[args.warmup :])
    result = {
        "build_ms": round(build * 1e3, 3),
        "atoms_per_s": round(len(positions) / build, 1),
        "atoms": len(positions),
        "edges": len(receivers),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "matscipy": matscipy.__version__,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
