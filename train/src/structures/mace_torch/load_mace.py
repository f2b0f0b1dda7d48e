"""Rebuilds the torch model of this folder: config.json and model.safetensors, no pickles.

    from load_mace import load
    model = load("exported")            # a mace.modules.ScaleShiftMACE or MACE, float64
    torch.save(model, "model.pt")       # what mace.calculators.MACECalculator takes

or, on the command line, `python load_mace.py exported model.pt`.
Needs mace-torch, e3nn, numpy and safetensors.
"""
import json
import os
import sys

import numpy as np
import torch

# First of the two: mace sets what torch needs to read the constants that e3nn loads when it is imported.
from mace import modules
from e3nn import o3
from safetensors.torch import load_file


def load(folder, dtype=torch.float64, device="cpu"):
    """The model with every parameter and buffer of the folder; anything that is left over or
    missing is an error."""
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        model = build(config)
    finally:
        torch.set_default_dtype(before)
    state = load_file(os.path.join(folder, "model.safetensors"))
    own = model.state_dict()
    state = {name: value.to(own[name].dtype) if name in own else value for name, value in state.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    missing = [name for name in missing if own[name].numel() > 0 and "_compiled_main" not in name]
    if missing or unexpected:
        raise ValueError(f"{folder}: missing {missing}, unexpected {unexpected}; use the mace-torch "
                         "version that has these names")
    return model.to(device)


def build(config):
    common = dict(
        r_max=config["r_max"],
        num_bessel=config["num_bessel"],
        num_polynomial_cutoff=config["num_polynomial_cutoff"],
        max_ell=config["max_ell"],
        interaction_cls_first=modules.interaction_classes[config["interaction_first"]],
        interaction_cls=modules.interaction_classes[config["interaction"]],
        num_interactions=config["num_interactions"],
        num_elements=len(config["atomic_numbers"]),
        hidden_irreps=o3.Irreps(config["hidden_irreps"]),
        MLP_irreps=o3.Irreps(config["MLP_irreps"]),
        atomic_energies=np.array(config["atomic_energies"]),
        avg_num_neighbors=config["avg_num_neighbors"],
        atomic_numbers=config["atomic_numbers"],
        correlation=config["correlation"],
        gate=torch.nn.functional.silu,
        radial_MLP=config["radial_MLP"],
        radial_type=config["radial_type"],
        pair_repulsion=config["pair_repulsion"],
        distance_transform=config["distance_transform"],
    )
    if len(config["heads"]) > 1:
        common["heads"] = config["heads"]
    if not config["apply_cutoff"]:
        common["apply_cutoff"] = False
    if config["model"] == "MACE":
        return modules.MACE(**common)
    return modules.ScaleShiftMACE(
        atomic_inter_scale=config["scale"], atomic_inter_shift=config["shift"], **common
    )


if __name__ == "__main__":
    torch.save(load(sys.argv[1]), sys.argv[2])
