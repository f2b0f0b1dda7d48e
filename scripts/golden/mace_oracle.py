"""What mace-torch computes for the model of a folder, for `genesis import FOLDER --check` to compare.

    python mace_oracle.py FOLDER STRUCTURES.xyz [--seed N]

FOLDER holds config.json and, unless the parameters shall be random (--seed), model.safetensors: an export
of Genesis, or any mace-torch model with its hyper-parameters. STRUCTURES needs `REF_energy` (eV) and
`REF_forces` (eV/A); `head` names the head of a structure. Written into FOLDER, in float64:

    frames.extxyz       the structures as they were used
    oracle.safetensors  per structure i: i.energy, i.forces, i.node_energy, i.edge_index, i.shifts and, if
                        periodic, i.stress; of the batch: loss, grad.<parameter>, curve [8], the loss before
                        each of eight steps of Adam with AMSGrad at rate 5e-3
    loss                sum_g ((E_g - E*_g) / n_g)^2 / G + 100 mean (F - F*)^2

Needs mace-torch, e3nn, ase and safetensors, and load_mace.py of an export beside this file or in FOLDER.
"""
import argparse
import os
import sys

import ase
import ase.io
import numpy as np
import torch
from mace import data, tools
from mace.data.utils import KeySpecification
from mace.tools import torch_geometric
from safetensors.torch import save_file

FORCES_WEIGHT = 100.0
RATE = 5e-3
NUM_STEPS = 8


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("structures")
    parser.add_argument("--seed", type=int)
    args = parser.parse_args()
    torch.set_default_dtype(torch.float64)
    model, config = read_model(args.folder, args.seed)
    frames = [plain(frame) for frame in ase.io.read(args.structures, ":")]
    ase.io.write(os.path.join(args.folder, "frames.extxyz"), frames, format="extxyz")
    oracle = describe(model, frames, graphs(frames, config))
    save(os.path.join(args.folder, "oracle.safetensors"), oracle)
    print(f"{args.folder}: {len(frames)} structures, loss {oracle['loss'].item():.6g}")


def read_model(folder, seed):
    sys.path[:0] = [folder, os.path.dirname(os.path.abspath(__file__))]
    import json

    import load_mace

    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    if seed is None:
        return load_mace.load(folder), config
    torch.manual_seed(seed)
    model = load_mace.build(config)
    state = {name: value for name, value in model.state_dict().items() if value.numel() > 0}
    save(os.path.join(folder, "model.safetensors"), state)
    return model, config


def plain(frame):
    """The structure with labels under the names that are read, and nothing else."""
    out = ase.Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.pbc)
    out.info["REF_energy"] = float(frame.info["REF_energy"])
    out.arrays["REF_forces"] = np.array(frame.arrays["REF_forces"])
    if "head" in frame.info:
        out.info["head"] = frame.info["head"]
    return out


def graphs(frames, config):
    heads = config.get("heads", ["Default"])
    table = tools.AtomicNumberTable(config["atomic_numbers"])
    keys = KeySpecification(info_keys={"energy": "REF_energy"}, arrays_keys={"forces": "REF_forces"})

    def graph(frame):
        head = frame.info.get("head", heads[0])
        read = data.config_from_atoms(frame, key_specification=keys, head_name=head)
        return data.AtomicData.from_config(read, z_table=table, cutoff=config["r_max"], heads=heads)

    return [graph(frame) for frame in frames]


def describe(model, frames, graphs):
    batch = next(iter(torch_geometric.dataloader.DataLoader(graphs, batch_size=len(graphs), shuffle=False)))
    periodic = all(frame.pbc.all() for frame in frames)
    counts = (batch.ptr[1:] - batch.ptr[:-1]).double()
    energy = torch.tensor([frame.info["REF_energy"] for frame in frames])
    forces = torch.tensor(np.concatenate([frame.arrays["REF_forces"] for frame in frames]))

    def run():
        return model(batch.to_dict(), training=True, compute_force=True, compute_stress=periodic)

    def loss_of(found):
        of_energy = (((found["energy"] - energy) / counts) ** 2).mean()
        return of_energy + FORCES_WEIGHT * ((found["forces"] - forces) ** 2).mean()

    found = run()
    oracle = {}
    for i, graph in enumerate(graphs):
        atoms = slice(int(batch.ptr[i]), int(batch.ptr[i + 1]))
        oracle[f"{i}.energy"] = found["energy"][i : i + 1]
        oracle[f"{i}.forces"] = found["forces"][atoms]
        oracle[f"{i}.node_energy"] = found["node_energy"][atoms]
        oracle[f"{i}.edge_index"] = graph.edge_index
        oracle[f"{i}.shifts"] = graph.shifts
        if periodic:
            oracle[f"{i}.stress"] = found["stress"][i]
    loss = loss_of(found)
    model.zero_grad()
    loss.backward()
    oracle["loss"] = loss.reshape(1)
    with_gradient = [(name, value) for name, value in model.named_parameters() if value.grad is not None]
    oracle.update({f"grad.{name}": value.grad.clone() for name, value in with_gradient})
    oracle["curve"] = curve(model, lambda: loss_of(run()))
    return oracle


def curve(model, loss):
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, amsgrad=True)
    losses = []
    for _ in range(NUM_STEPS):
        optimizer.zero_grad()
        value = loss()
        losses.append(value.item())
        value.backward()
        optimizer.step()
    return torch.tensor(losses)


def save(path, tensors):
    save_file({name: value.detach().clone().contiguous() for name, value in tensors.items()}, path)


if __name__ == "__main__":
    main()
