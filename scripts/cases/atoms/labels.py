"""Labels that cannot be: units, signs, candidates that disagree. And no false alarm."""

from atoms.reading import training_split
from outputs import num_frames
from registry import check
from trial import require_refusal
from verdict import DISAGREE, close, require

# Words of a warning about units, with which right labels must not be met.
UNITS = r"kcal|kJ|hartree|kbar|GPa"


def warned(done, *patterns):
    """Ends the case unless the ingest was refused, or accepted, with a text that has every pattern."""
    if done.code != 0:
        require_refusal(done, patterns)
    for pattern in patterns:
        require(done.says(pattern), f"no word of {pattern!r}: {done}")


@check
def atomic_units(t):
    """Warn of length and energy units: Si-Si of 4.4 Å, forces of 0.016 eV/Å at displacements of 0.15 Å."""
    done, _ = t.structures("train.xyz")
    warned(done, r"bohr|distance|bond|far apart|units\.length", r"hartree|units\.energy")


@check
def contradicting_duplicates(t):
    """Warn: equal atoms and cell, other labels; their frames and lines."""
    done, _ = t.structures("train.xyz")
    warned(done, "equal|same|identical|duplicate|twice", rf"{DISAGREE}|other labels", r"(frame|structure|line|:)s? ?\d")


@check
def force_sign(t):
    """Warn of forces that are all exactly 0, and of gradients in place of forces; not of the right ones."""
    done, card = t.structures("right.xyz")
    require(card is not None, done)
    require(not done.says(rf"sign|gradient|all.*zero|{UNITS}"), f"a false alarm: {done}")
    done, _ = t.structures("zeros.xyz")
    warned(done, r"forces.*(\b0\b|zero)|(\b0\b|zero).*forces")
    done, _ = t.structures("gradients.xyz")
    warned(done, "force", "sign|gradient|opposite|minus")


@check
def fractional_positions(t):
    """Warn: Si-Si of 0.41 to 0.46 Å; the shortest bond of silicon is above 2 Å."""
    done, _ = t.structures("si2.xyz")
    warned(done, "fraction|too close|shortest|closest|distance|apart")


@check
def stress_kbar(t):
    """Warn of stress in kbar, in GPa, with the other sign; not of right.xyz. Declared units are converted."""
    done, card = t.structures("right.xyz")
    require(card is not None, done)
    require(not done.says(rf"units\.stress|stress_sign|{UNITS}"), f"a false alarm: {done}")
    for name in ("kbar_pressure", "gpa", "wrong_sign"):
        t.path(f"{name}.xyz").rename(t.path(f"{name[0]}.xyz"))
        done, _ = t.structures(f"{name[0]}.xyz")
        warned(done, "stress.*(unit|sign|kbar|GPa|pressure|eV)|(unit|sign|kbar|GPa|pressure).*stress")
    units = ("--set", "units.stress=kbar", "--set", "units.stress_sign=pressure_positive")
    done, card = t.structures("k.xyz", *units)
    require(card is not None, done)
    close(training_split(card)["stress"]["rms"], 0.0813, 5e-5, "stress of kbar_pressure.xyz, units declared")
    require(not done.says(r"units\.stress|stress_sign"), f"a false alarm, units declared: {done}")


@check
def stress_key_typo(t):
    """An error, or a word of the ingest and an error of the training: the key is nowhere in the file."""
    done, card = t.ingest("train.xyz", "--set", "keys.stress=my_stres")
    warned(done, r"my_stres\b")
    t.refused("train", "run.toml", naming=["stress"])


@check
def stress_virial_disagree(t):
    """Warn or refuse where -virial/volume differs from stress; a placeholder of zeros is no label."""
    done, card = t.structures("agree.xyz")
    require(card is not None, done)
    close(training_split(card)["stress"]["rms"], 0.0829, 5e-5, "agree.xyz: stress")
    require(not done.says(DISAGREE), f"a false alarm: {done}")
    t.path("disagree.xyz").rename(t.path("frames.xyz"))
    done, _ = t.structures("frames.xyz")
    warned(done, "stress", "virial", DISAGREE)
    done, card = t.structures("placeholder.xyz")
    if card is None or training_split(card)["stress"]["rms"] < 0.08:
        warned(done, "virial", "stress")
    else:
        close(training_split(card)["stress"]["rms"], 0.0829, 5e-5, "placeholder.xyz: stress")


@check
def two_labels_disagree(t):
    """Warn or refuse that two candidates differ, and say which was taken or must be named."""
    for name, key, other in (
        ("energy_dft_energy.xyz", "energy", "dft_energy"),
        ("forces_dft_forces.xyz", "forces", "dft_forces"),
    ):
        t.path(name).rename(t.path("frames.xyz"))
        done, _ = t.structures("frames.xyz")
        warned(done, rf"\b{key}\b", rf"\b{other}\b", DISAGREE)


@check
def units_false_alarm(t):
    """No warning for an equation of state, two phases, a dissociation curve; one for the set in kcal/mol."""
    for name in ("eos_cu.xyz", "fcc_bcc_cu.xyz", "h2_curve.xyz"):
        done, card = t.structures(name)
        require(card is not None, done)
        require(num_frames(card) > 0 and not done.says(rf"units\.|{UNITS}"), f"{name}: a false alarm: {done}")
    t.path("true_kcal.xyz").rename(t.path("frames.xyz"))
    done, _ = t.structures("frames.xyz")
    warned(done, "kcal")
