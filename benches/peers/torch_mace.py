"""One training step and one evaluation of mace-torch: what our MACE is compared with.

A training step is energies, forces as their derivative, the weighted loss, the second backward and
an update of Adam with AMSGrad; an evaluation is energies and forces. Graphs are built before the
clock starts: the first 200 structures of FILE, in order, in batches of --batch.

    python torch_mace.py DATA/atomistic/acac/train_300K.xyz --channels 32 --degree 1 --batch 10

Options: --steps, --warmup, --threads (0 leaves PyTorch's choice), --dtype float32|float64,
--device cpu|cuda|cuda:N, --max_ell, --correlation.
Prints one JSON object on one line: train_step_ms and eval_ms are medians.
"""

import os

# Before torch: e3nn loads its constants, a file of its own package, as a pickle.
os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")

import argparse
import json
import resource
import statistics
import time

import ase.io
import mace
import numpy
import torch
from e3nn import o3
from mace import modules
from mace.data import AtomicData, config_from_atoms
from mace.data.utils import KeySpecification
from mace.tools import AtomicNumberTable, torch_geometric

CUTOFF = 5.0
ELEMENTS = [1, 6, 8]
# eV, of the isolated atoms of the AcAc set.
ISOLATED_ENERGIES = [-13.568422178253735, -1026.8538996116154, -2037.796869412825]
FORCES_WEIGHT = 100.0


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--device", default="cpu")
    sizes = {"channels": 32, "degree": 1, "batch": 10, "max_ell": 3, "correlation": 3}
    for name, default in {**sizes, "steps": 20, "warmup": 3, "threads": 0}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


def graphs(file):
    """The first 200 structures with their neighbour lists."""
    keys = KeySpecification(
        info_keys={"energy": "REF_energy"}, arrays_keys={"forces": "REF_forces"}
    )
    table = AtomicNumberTable(ELEMENTS)
    found = []
    for atoms in ase.io.read(file, ":200"):
        atoms.info["REF_energy"] = atoms.get_potential_energy()
        atoms.arrays["REF_forces"] = atoms.get_forces()
        config = config_from_atoms(atoms, key_specification=keys)
        found.append(AtomicData.from_config(config, z_table=table, cutoff=CUTOFF))
    return found


def hidden_irreps(args):
    parity = {degree: "eo"[degree % 2] for degree in range(args.degree + 1)}
    return "+".join(f"{args.channels}x{degree}{parity[degree]}" for degree in parity)


def network(args):
    blocks = modules.interaction_classes
    return modules.ScaleShiftMACE(
        r_max=CUTOFF,
        num_bessel=8,
        num_polynomial_cutoff=5,
        max_ell=args.max_ell,
        interaction_cls_first=blocks["RealAgnosticInteractionBlock"],
        interaction_cls=blocks["RealAgnosticResidualInteractionBlock"],
        num_interactions=2,
        num_elements=len(ELEMENTS),
        hidden_irreps=o3.Irreps(hidden_irreps(args)),
        MLP_irreps=o3.Irreps("16x0e"),
        atomic_energies=numpy.array(ISOLATED_ENERGIES),
        avg_num_neighbors=12.0,
        atomic_numbers=ELEMENTS,
        correlation=args.correlation,
        gate=torch.nn.functional.silu,
        radial_type="bessel",
        atomic_inter_scale=1.0,
        atomic_inter_shift=0.0,
    ).to(args.device)


class Clock:
    """Seconds of the work done inside it, the GPU's included."""

    def __init__(self, device):
        self.on_gpu, self.seconds = device.startswith("cuda"), []

    def __enter__(self):
        self.wait()
        self.start = time.perf_counter()

    def __exit__(self, *_):
        self.wait()
        self.seconds.append(time.perf_counter() - self.start)

    def wait(self):
        if self.on_gpu:
            torch.cuda.synchronize()


def train(model, optimizer, batch):
    out = model(batch.to_dict(), training=True, compute_force=True)
    atoms = (batch.ptr[1:] - batch.ptr[:-1]).to(batch.energy.dtype)
    energies = ((out["energy"] - batch.energy) / atoms).square().mean()
    forces = (out["forces"] - batch.forces).square().mean()
    loss = energies + FORCES_WEIGHT * forces
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def main():
    args = options()
    torch.set_default_dtype(getattr(torch, args.dtype))
    torch.manual_seed(0)
    if args.threads:
        torch.set_num_threads(args.threads)
    loader = torch_geometric.dataloader.DataLoader(
        graphs(args.file), batch_size=args.batch, shuffle=False, drop_last=True
    )
    batches = [batch.to(args.device) for batch in loader]
    model = network(args)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, amsgrad=True)
    training, evaluation = Clock(args.device), Clock(args.device)
    for step in range(args.warmup + args.steps):
        batch = batches[step % len(batches)]
        with training:
            loss = train(model, optimizer, batch)
        with evaluation:
            model(batch.to_dict(), training=False, compute_force=True)
    train_s = statistics.median(training.seconds[args.warmup :])
    eval_s = statistics.median(evaluation.seconds[args.warmup :])
    atoms, edges = batch.positions.shape[0], batch.edge_index.shape[1]
    result = {
        "train_step_ms": round(train_s * 1e3, 3),
        "train_atoms_per_s": round(atoms / train_s, 1),
        "eval_ms": round(eval_s * 1e3, 3),
        "eval_atoms_per_s": round(atoms / eval_s, 1),
        "hidden": hidden_irreps(args),
        "batch": args.batch,
        "atoms": atoms,
        "edges_per_atom": round(edges / atoms, 1),
        "params": sum(parameter.numel() for parameter in model.parameters()),
        "loss": loss.item(),
        "dtype": args.dtype,
        "device": args.device,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "mace": mace.__version__,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
