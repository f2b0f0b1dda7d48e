"""Networks of atoms: trained by Genesis, opened by mace-torch through the load_mace.py of the export."""
import functools
import json
import os
import subprocess
import sys

import ase.build
import ase.io
import numpy as np
import torch
from ase.calculators.emt import EMT

from differs import ROUNDING, close, genesis, require

# Of f64, as a part of that of f32.
FINER = 2.0**-29
# Weights of symmetric couplings become those of all couplings in f64: what an export allows itself, see export.json.
COUPLINGS = 1e-13

SMALL = dict(kind="mace", channels=8, max_ell=2, correlation=2, r_max_angstrom=4.0, radial_widths=[16])
# Keys of [model] and of [precision].
NETWORKS = {
    "as-is": (dict(max_hidden_degree=1, correlation=3), "f32"),
    "as-is-f64": (dict(max_hidden_degree=1, correlation=3), "f64"),
    "unreduced-f64": (dict(product_basis="unreduced", max_hidden_degree=2, max_ell=3), "f64"),
    "agnostic": (dict(interaction_first="real_agnostic", interaction="real_agnostic", shift_ev=0.0, max_hidden_degree=0), "f32"),
    "density-zbl": (dict(interaction_first="real_agnostic_density", interaction="real_agnostic_density_residual",
                         distance_transform="agnesi", zbl=True), "f32"),
    "density-soft": (dict(interaction_first="real_agnostic_density_residual", interaction="real_agnostic_density_residual",
                          distance_transform="soft", cutoff_on_basis=False), "f32"),
    "one-layer": (dict(num_interactions=1, correlation=1), "f32"),
    "three-layers": (dict(num_interactions=3, correlation=1, cutoff_power=6, num_bessel=6), "f32"),
    "heads": (dict(max_hidden_degree=1), "f32"),
}


def cases():
    for name in NETWORKS:
        yield name, functools.partial(network, name)


def network(name, binary, folder):
    """A run of its own, exported and compared."""
    heads = ["emt", "shifted"] if name == "heads" else [None]
    frames = structures(heads)
    ase.io.write(folder / "train.xyz", frames, format="extxyz")
    ase.io.write(folder / "new.xyz", [plain(frame) for frame in frames[::3]], format="extxyz")
    keys, dtype = NETWORKS[name]
    run_file(folder, dict(SMALL, **keys), dtype)
    genesis(binary, "train", folder / "run.toml")
    genesis(binary, "export", folder / "run", folder / "exported")
    loader = folder / "exported" / "load_mace.py"
    made = subprocess.run(
        [sys.executable, loader, folder / "exported", folder / "model.pt"], capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    require(made.returncode == 0, f"load_mace.py: {made.stderr.strip()[-400:]}")
    genesis(binary, "predict", folder / "run", folder / "new.xyz", "--out", folder / "predicted.jsonl")
    return compared(folder, ase.io.read(folder / "new.xyz", ":"), dtype)


def structures(heads):
    """Crystals, slabs, wires, clusters and molecules of several elements, disturbed, with energies, forces and stress of EMT."""
    dice = np.random.default_rng(3)
    kinds = [
        ase.build.bulk("Cu", "fcc", a=3.6, cubic=True) * (2, 1, 1),
        ase.build.bulk("Al", "fcc", a=4.05),
        ase.build.bulk("AuCu", "rocksalt", a=5.6),
        ase.build.fcc111("Ni", (2, 2, 2), vacuum=5.0),
        ase.build.molecule("H2O"),
        ase.build.molecule("CH3CH2OH"),
        ase.Atoms("Cu3", positions=[(0, 0, 0), (2.4, 0, 0), (1.2, 2.1, 0)], cell=[9, 9, 4.8], pbc=(False, False, True)),
    ]
    made = []
    for index in range(42):
        frame = kinds[index % len(kinds)].copy()
        frame.rattle(0.08, seed=index)
        if frame.pbc.all():
            frame.set_cell(frame.cell @ (np.eye(3) + 0.03 * dice.standard_normal((3, 3))), scale_atoms=True)
        head = heads[index % len(heads)]
        made.append(labelled(frame, head))
    return made


def labelled(frame, head):
    frame.calc = EMT()
    frame.info["REF_energy"] = frame.get_potential_energy() + (3.0 if head == "shifted" else 0.0)
    frame.arrays["REF_forces"] = frame.get_forces()
    if frame.pbc.all():
        frame.info["REF_stress"] = frame.get_stress(voigt=False)
    frame.calc = None
    if head is not None:
        frame.info["head"] = head
    return frame


def plain(frame):
    """The structure without labels."""
    bare = frame.copy()
    for key in ("REF_energy", "REF_stress"):
        bare.info.pop(key, None)
    bare.arrays.pop("REF_forces", None)
    return bare


def run_file(folder, model, dtype):
    from sequences import toml

    tables = dict(
        run=dict(dir=str(folder / "run"), threads=1),
        data=dict(source=dict(inputs=[str(folder / "train.xyz")], atomic_energies={"from": "least_squares"})),
        model=model,
        objective=dict(energy_weight=1.0, forces_weight=10.0, stress_weight=1.0),
        batch=dict(frames=4),
        schedule=dict(steps=8, peak_rate=0.01, decay=dict(kind="none")),
        precision=dict(dtype=dtype),
        average=dict(decay=0.9),
    )
    text = "".join(f"[{name}]\n" + "".join(f"{key} = {toml(it)}\n" for key, it in table.items()) for name, table in tables.items())
    (folder / "run.toml").write_text(text)


def compared(folder, frames, dtype):
    """Energies, forces and stress of the two programs."""
    rows = [json.loads(line) for line in (folder / "predicted.jsonl").read_text().splitlines()]
    require(len(rows) == len(frames), f"predict writes {len(rows)} of {len(frames)} structures")
    ours = {what: [row.get(f"predicted_{what}") for row in rows] for what in ("energy", "forces", "stress")}
    for frame, stress in zip(frames, ours["stress"]):
        require(bool(frame.pbc.all()) == (stress is not None), f"stress of pbc {frame.pbc}: {stress}")
    exact, single = (calculated(folder / "model.pt", frames, it) for it in ("float64", "float32"))
    said = []
    for what, values in ours.items():
        mine, plain, true = (flat(it) for it in (values, single[what], exact[what]))
        if dtype == "f64":
            # Roundings are in proportion to those of f32.
            plain = true + (plain - true) * FINER
            said.append(close(what, mine, plain, true, ROUNDING * FINER + COUPLINGS))
        else:
            said.append(close(what, mine, plain, true))
    return "; ".join(said)


def calculated(path, frames, dtype):
    from mace.calculators import MACECalculator

    found = dict(energy=[], forces=[], stress=[])
    calculators = {}
    for frame in frames:
        head = frame.info.get("head")
        if head not in calculators:
            named = {} if head is None else dict(head=head)
            calculators[head] = MACECalculator(model_paths=str(path), device="cpu", default_dtype=dtype, **named)
        frame = frame.copy()
        frame.calc = calculators[head]
        found["energy"].append(frame.get_potential_energy())
        found["forces"].append(frame.get_forces())
        found["stress"].append(frame.get_stress(voigt=False) if frame.pbc.all() else None)
    return found


def flat(values):
    return torch.cat([torch.as_tensor(np.asarray(it, dtype=float)).flatten() for it in values if it is not None])
