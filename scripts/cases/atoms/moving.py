"""Molecular dynamics."""

from outputs import floats, frames
from registry import check
from trial import require_refusal
from verdict import require


@check
def md_blow_up(t):
    """Stops, ends with another code than 0, or warns at the least that energy is not conserved."""
    options = ("--steps", "200", "--timestep-fs", "10", "--temperature-k", "300", "--out", "t.xyz")
    done = t.genesis("md", t.models.atoms("si"), "close_contact.xyz", *options)
    require(done.says(r"explode|not conserved|unstable|moved by|too (close|long)|above the bound|blew up"), done)


@check
def md_fixed_atoms(t):
    """Atoms whose move_mask is F stay where they are, or the column is refused; the others move."""
    done = t.genesis("md", t.models.atoms("si"), "start.xyz", "--steps", "20", "--every", "20", "--out", "t.xyz")
    if done.code != 0:
        require_refusal(done, ["move_mask"])
        return
    start = frames(t.path("start.xyz").read_text())[0]["columns"]
    end = floats(frames(t.path("t.xyz").read_text())[-1]["columns"]["pos"])
    for at, (before, (mask,)) in enumerate(zip(floats(start["pos"]), start["move_mask"])):
        moved = max(abs(one - other) for one, other in zip(before, end[at]))
        require((moved > 1e-3) == (mask == "T"), f"atom {at} with move_mask {mask} moved by {moved} Å")
