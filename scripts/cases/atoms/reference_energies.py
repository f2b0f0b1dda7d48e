"""E0s: of isolated atoms, of formulas that do not determine them, of several theories."""

import re

from outputs import frames, num_frames, numbers_in
from registry import check
from verdict import close, require

ISOLATED = {"H": -13.6, "C": -1029.5, "O": -2041.8}
# What a word about the limit of free atoms looks like; E0s "by isolated atoms" are none.
FREE = r"free atoms?|atoms? (that are |which are )?alone|binding energ"
GIVEN = 'atomic_energies={from="given",values_ev={H=-13.6,C=-1029.5,O=-2041.8}}'


def one_set(card):
    """E0s by element, where the card has one set of them."""
    return card["atomic_energies"]["values_ev"]


def are_isolated(card):
    """Ends the case unless the E0s are the energies of the single atoms."""
    for element, right in ISOLATED.items():
        close(one_set(card).get(element), right, 1e-6, f"E0 of {element}")


@check
def e0_isolated(t):
    """E0s are the energies of atoms alone, or a hint says to mark them; given E0s settle repeats."""
    done, card = t.structures("train.xyz")
    require(card is not None, done)
    are_isolated(card)
    done, card = t.structures("box.xyz")
    require(card is not None, done)
    if not done.says("isolated"):
        are_isolated(card)
    done, card = t.ingest("conflict.xyz", "--set", GIVEN)
    require(card is not None, done)
    are_isolated(card)


@check
def e0_mismatch(t):
    """A warning: 688.4 eV/atom cannot be."""
    done, _ = t.ingest("water.xyz", "--set", 'atomic_energies={from="given",values_ev={H=-13.6,O=-2041.8}}')
    require(done.says(r"688\.4"), f"688.4 eV/atom are not named: {done}")


@check
def e0_one_formula(t):
    """One combination is determined, 2 E(H) + E(O) = -2072.767 eV, and it is said."""
    done, card = t.structures("water.xyz")
    require(card is not None, done)
    require(done.says(r"determine|combination"), f"no word of it: {done}")
    close(2 * one_set(card)["H"] + one_set(card)["O"], -2072.767, 5e-4, "2 E(H) + E(O)")


@check
def heads_two_theories(t):
    """E0s by head; equal labels of two heads are no duplicates; a prediction is of the head asked for.

    The file that case.md predicts is not among those it comes with; the frames of train.xyz are predicted.
    """
    done, card = t.ingest("train_iso.xyz")
    require(card is not None, done)
    found = numbers_in({key: it for key, it in card.items() if key != "splits"})
    for right in (-13.6, -10.6, -1029.5, -1069.5, -2041.8, -1971.8):
        require(any(abs(it - right) < 1e-3 for it in found), f"no E0 of {right}: {card['atomic_energies']}")
    done, card = t.structures("train.xyz")
    require(card is not None, done)
    require(not done.says("kJ|kcal"), f"a false alarm of units: {done}")
    done, card = t.structures("same_labels.xyz")
    require(card is not None, done)
    require(num_frames(card) == 48, f"{num_frames(card)} structures, right is 24 of each head: {done}")
    t.ok("train", "run.toml")
    errors = [abs(float(it["info"]["predicted_energy"]) - float(it["info"]["energy"])) / len(it["columns"]["pos"])
              for it in t.predicted("run", "train.xyz")]
    # A tiny network of few steps: crushed molecules are off, heads taken for each other all would be.
    off = sorted(errors)[len(errors) * 9 // 10]
    require(off < 1.0, f"a tenth of the energies of the heads are off by more than {off} eV/atom")
    pbe, hse = (bare(t, head) for head in ("pbe", "hse"))
    apart = [abs(one - other) for one, other in zip(pbe, hse, strict=True)]
    require(min(apart) > 1.0, f"--head does not change energies: {apart[:3]}")


def bare(t, head):
    """Energies of the frames without a head of their own, by a head that is asked for."""
    text = t.path("train.xyz").read_text().replace(" head=pbe", "").replace(" head=hse", "")
    t.path("bare.xyz").write_text(text)
    return [float(it["info"]["predicted_energy"]) for it in t.predicted("run", "bare.xyz", "--head", head)]


@check
def isolated_atom_energy(t):
    """E0s for atoms alone, or training says that they are not: mol0 gives up nothing, mol has a shift."""
    rights = (-13.6, -1029.5, -2041.8, -27.2)
    for model in ("mol0", "mol"):
        run = t.models.atoms(model)
        done = t.ok("predict", run, "atoms.xyz", "--out", f"{model}.xyz")
        read = frames(t.path(f"{model}.xyz").read_text())
        require(len(read) == 4, f"{len(read)} structures, right is 4")
        found = [float(it["info"]["predicted_energy"]) for it in read]
        exact = all(abs(one - right) < 1e-4 for one, right in zip(found, rights))
        told = done.says(FREE) or re.search(FREE, (run / "run.log").read_text())
        require(exact or (model == "mol" and told), f"{model}: {found} eV, right are {rights}, and nobody is told")
