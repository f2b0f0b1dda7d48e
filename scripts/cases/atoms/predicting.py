"""Predictions: invariance, what comes in goes out, what is not known is refused."""

import gzip
import itertools
import json
import zipfile

from outputs import floats, frames
from registry import check
from verdict import close, require

STRAIN = 1e-4


@check
def geometry_invariance(t):
    """Equal crystals have equal energies however written; stress is dE/de/V; batches change nothing."""
    model = t.models.atoms("si")
    found = {it["info"]["config_type"]: it for it in t.predicted(model, "structures.xyz")}
    require(len(found) == 22, f"{len(found)} structures, right is 22")
    energy = {name: float(it["info"]["predicted_energy"]) for name, it in found.items()}
    for name, of, copies in (
        ("images_far", "ref", 1), ("shift", "ref", 1), ("left_handed", "ref", 1), ("super222", "ref", 8),
        ("prim222", "prim", 8), ("prim_skewed", "prim", 1), ("one222", "one_atom_sc", 8),
        ("cluster_no_cell", "cluster_with_cell", 1), ("cluster_1A_cell", "cluster_with_cell", 1),
        ("cluster_far", "cluster_with_cell", 1), ("slab_vac30", "slab_TTF", 1), ("slab_zero_c", "slab_TTF", 1),
        ("slab_TTT_vac30", "slab_TTF", 1), ("isolated_box", "isolated", 1),
    ):
        close(energy[name], copies * energy[of], 1e-9 * copies, f"energy of {name}, {copies} times {of}")
    for name in ("images_far", "shift"):
        pairs = zip(*(floats(found[it]["columns"]["predicted_forces"]) for it in (name, "ref")))
        for one, other in ((a, b) for rows in pairs for a, b in zip(*rows)):
            close(one, other, 1e-9, f"a force of {name}")
    small = {it["info"]["config_type"]: it for it in t.predicted(model, "structures.xyz", "--max-atoms", "1")}
    require(all(small[name]["text"] == it["text"] for name, it in found.items()), "batches of one differ")
    strained = {it["info"]["config_type"]: it for it in t.predicted(model, "strained.xyz")}
    for name in ("ref", "left_handed", "prim", "one_atom_sc", "slab_TTT_vac30"):
        by_strain(name, found[name], strained)


def by_strain(name, frame, strained):
    """Stress against central differences of the energy; off the diagonal a strain is of both elements."""
    stress = [float(it) for it in frame["info"]["predicted_stress"].split()]
    cell = [float(it) for it in frame["info"]["Lattice"].split()]
    a, b, c = cell[:3], cell[3:6], cell[6:]
    volume = abs(sum(a[i] * (b[(i + 1) % 3] * c[(i + 2) % 3] - b[(i + 2) % 3] * c[(i + 1) % 3]) for i in range(3)))
    for i, j in itertools.combinations_with_replacement(range(3), 2):
        up, down = (float(strained[f"{name}_{i}{j}_{side}"]["info"]["predicted_energy"]) for side in "pm")
        close(stress[3 * i + j], (up - down) / (2 * STRAIN * volume), 1e-6, f"stress {i}{j} of {name}")


@check
def plain_comments(t):
    """Every file is one molecule of three atoms: the comment is a comment, columns beyond the 4th are not read."""
    model = t.models.atoms("mol")
    files = sorted(it.name for it in t.dir.glob("*.xyz"))
    require(len(files) == 12, f"{len(files)} files, the case comes with 12")
    for name in files:
        read = t.predicted(model, name)
        require(len(read) == 1, f"{name}: {len(read)} structures, right is 1")
        species = [row[0] for row in read[0]["columns"]["species"]]
        require(species == ["O", "H", "H"], f"{name}: {species}")


@check
def predict_keeps_info(t):
    """Keys, columns and reference labels stay, predictions beside them; .gz is gzip; unknown endings are refused."""
    model = t.models.atoms("si")
    given = frames(t.path("in.xyz").read_text())
    t.ok("predict", model, "in.xyz", "--out", "k.xyz")
    t.ok("predict", model, "in.xyz", "--out", "k.xyz.gz")
    plain = t.path("k.xyz").read_text()
    require(gzip.decompress(t.path("k.xyz.gz").read_bytes()).decode() == plain, "k.xyz.gz is not k.xyz packed")
    for before, after in zip(given, frames(plain), strict=True):
        for key in ("name", "temperature", "mp_id"):
            require(after["info"].get(key) == before["info"][key], f"{key} is {after['info'].get(key)}")
        require(after["columns"].get("tag") == before["columns"]["tag"], "the column tag has changed")
        reference = [it for key, it in after["info"].items() if "energy" in key]
        require(len(reference) == 2 and -1.5 in map(float, reference), f"energies {reference}, one must be -1.5")
        columns = [floats(it) for key, it in after["columns"].items() if "forces" in key]
        require(len(columns) == 2 and floats(before["columns"]["forces"]) in columns, "the labels of forces are gone")
    written_as_named(t, model)


def written_as_named(t, model):
    """What the ending says, or a refusal; never extended XYZ under another name."""
    readers = {
        "npz": lambda path: zipfile.ZipFile(path).namelist(),
        "csv": lambda path: "," in path.read_text().splitlines()[0] and "Lattice" not in path.read_text(),
        "jsonl": lambda path: [json.loads(line) for line in path.read_text().splitlines()],
        "json": lambda path: json.loads(path.read_text()),
        "db": lambda path: False,
        "xyy": lambda path: False,
    }
    for ending, reader in readers.items():
        done = t.genesis("predict", model, "in.xyz", "--out", f"k.{ending}")
        path = t.path(f"k.{ending}")
        if done.code == 0:
            try:
                right = reader(path)
            except (ValueError, zipfile.BadZipFile) as error:
                right, done = False, f"{error}"
            require(right, f"k.{ending} is not what its name says: {done}")
        else:
            require(done.code in (2, 3) and not path.exists(), f"k.{ending}: {done}")
            require(done.says(ending), f"the ending is not named: {done}")


@check
def unknown_element(t):
    """Refused with element, file and line; nothing is written."""
    model = t.models.atoms("si")
    t.refused("predict", model, "geo.xyz", "--out", "p.xyz", naming=[r"\bGe\b|element 32", r"geo\.xyz:11|line 11"])
    require(not t.path("p.xyz").exists(), "p.xyz was written")
