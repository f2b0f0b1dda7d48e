"""Files of structures to datasets: every spelling arrives as what it is, or is refused by its name."""

from outputs import npz_doubles, num_frames, numbers_in, rms
from registry import check
from trial import require_refusal
from verdict import close, require

KCAL_PER_EV = 23.0605


def training_split(card):
    """Numbers of the split that has all structures."""
    return card["splits"]["train"]


def crystals(name, card, num=12):
    """Ends the case unless all crystals arrived, periodic."""
    split = training_split(card)
    found = (num_frames(card), split["periodic"])
    require(found == (num, num), f"{name}: {found} structures and periodic ones, right is {num}")
    return split


@check
def ase_json_tensor(t):
    """Twelve structures, stress of 0.08293 eV/Å^3, from `_JSON [[...]]` under either key."""
    for name in ("ref_virials.xyz", "ref_stress.xyz"):
        done, card = t.structures(name)
        require(card is not None, done)
        close(crystals(name, card)["stress"]["rms"], 0.08293, 5e-6, f"{name}: stress")


@check
def constraints_forces(t):
    """Forces of fixed atoms are as in the file."""
    done, card = t.structures("fixed.xyz")
    require(card is not None, done)
    close(training_split(card)["forces"]["rms"], 0.75258, 5e-6, "forces")


@check
def isotopes_ghosts(t):
    """D is hydrogen or refused, X is refused, SI and Si1 and numbers are silicon or refused; never another element."""
    for name, word, elements in (
        ("d2o.xyz", "`?D`?", {"H", "O"}),
        ("ghost.xyz", "`?X`?", None),
        ("upper.xyz", "SI", {"Si"}),
        ("labels.xyz", "Si1", {"Si"}),
        ("numbers.xyz", "numbers|14", {"Si"}),
    ):
        done, card = t.structures(name)
        if card is None:
            require_refusal(done, [word])
            continue
        require(elements is not None, f"{name}: a ghost was taken for an atom: {card['elements']}")
        require(set(card["elements"]) == elements, f"{name}: elements {card['elements']}")


@check
def keys_uppercase_dft(t):
    """Labels are found, or refused with the keys that the file has."""
    for name, keys in (
        ("train.xyz", ["DFT_energy", "DFT_forces"]),
        ("gap.xyz", ["dft_energy", "dft_force"]),
        ("mixedcase.xyz", ["Energy", "Forces"]),
    ):
        done, card = t.structures(name)
        if card is None:
            require_refusal(done, [rf"(?-i:\b{key}\b)" for key in keys])
            continue
        split = training_split(card)
        found = (split["energy_per_atom"]["count"], split["with_forces"])
        require(found == (12, 12), f"{name}: {found} energies and forces, right is 12: {done}")
        close(split["forces"]["rms"], 0.75258, 5e-6, f"{name}: forces")


@check
def lattice_lowercase(t):
    """A crystal of 28.0 neighbours within 5 Å, 18.0 where PBC says T T F, or a refusal that names the key."""
    for name, key, neighbors in (
        ("standard", None, 28.0),
        ("lattice", "lattice", 28.0),
        ("upper", "LATTICE", 28.0),
        ("cell", "cell", 28.0),
        ("both", "lattice|properties", 28.0),
        ("pbcword", "PBC", 18.0),
    ):
        t.path(f"{name}.xyz").rename(t.path("frames.xyz"))
        done, card = t.structures("frames.xyz")
        if card is None:
            require(key is not None, f"{name}: {done}")
            require_refusal(done, [rf"(?-i:\b({key})\b)"])
        else:
            close(card["neighbors"]["mean"], neighbors, 0.05, f"{name}.xyz: neighbours")


@check
def npz_dialects(t):
    """Units that the file names are believed or questioned; other dialects are right, or refused by their cause."""
    right = rms(npz_doubles(t.path("transposed.npz"), "F"))
    for name, cause in (
        ("transposed", None),
        ("compressed", None),
        ("float32_energy_column", None),
        ("fortran", "fortran"),
        ("int16_z", "z"),
        ("bigendian", "endian|>f8"),
        ("object", "object|pickle|O"),
        ("padded", "pad|0"),
        ("z_per_frame", "z"),
        ("gradient_G", "forces|G"),
    ):
        done, card = t.structures(f"{name}.npz")
        if card is None:
            require(cause is not None, f"{name}: {done}")
            require_refusal(done, [cause])
        else:
            require(num_frames(card) == 20, f"{name}: {num_frames(card)} structures, right is 20")
            close(training_split(card)["forces"]["rms"], right, 1e-5 * right, f"{name}: forces")
            require(not done.says("kcal"), f"{name}: a false alarm of units: {done}")
    done, card = t.structures("rmd17.npz")
    require(done.says("kcal"), f"rmd17: no word of kcal/mol: {done}")
    done, card = t.structures("sgdml_units.npz")
    if card is None:
        require_refusal(done, ["kcal"])
    elif not done.says("kcal"):
        divided = rms(npz_doubles(t.path("sgdml_units.npz"), "F")) / KCAL_PER_EV
        close(training_split(card)["forces"]["rms"], divided, 1e-4 * divided, "sgdml_units: forces in eV/Å")


@check
def single_quotes(t):
    """Twelve crystals, or a refusal that names the quote."""
    done, card = t.structures("single.xyz")
    if card is None:
        require_refusal(done, ["quote|'"])
    else:
        crystals("single.xyz", card)


@check
def stress_rounding_noise(t):
    """Thirteen structures: an asymmetry of 1e-10 eV/Å^3 is no asymmetry."""
    done, card = t.structures("train.xyz")
    require(card is not None, done)
    require(num_frames(card) == 13, f"{num_frames(card)} structures, right is 13: {done}")
    require(training_split(card)["with_stress"] == 13, f"a stress was dropped: {done}")


@check
def stress_voigt(t):
    """Six numbers in the order xx yy zz yz xz xy are the nine."""
    cards = []
    for name in ("six.xyz", "nine.xyz"):
        done, card = t.structures(name)
        require(card is not None, done)
        cards.append(training_split(card)["stress"])
        close(cards[-1]["rms"], 0.08058, 5e-6, f"{name}: stress")
    for key in ("min", "max", "mean"):
        close(cards[0][key], cards[1][key], 1e-9, f"stress, {key}")


@check
def whitespace_dialects(t):
    """Twelve crystals each and the same numbers; D exponents too: the format allows [dDeE]."""
    done, card = t.structures("plain.xyz")
    require(card is not None, done)
    right = numbers_in(crystals("plain.xyz", card))
    names = ("crlf", "tabs", "bom", "blank_between", "leading_blank", "no_final_newline", "fortran_exponents")
    for name in names:
        done, card = t.structures(f"{name}.xyz")
        require(card is not None, done)
        found = numbers_in(crystals(name, card))
        for one, other in zip(found, right, strict=True):
            close(one, other, 1e-7, f"{name}.xyz: a number of the card")


@check
def zero_lattice(t):
    """The idiom of QUIP for molecules: not periodic; without pbc too, or a refusal that says to write it."""
    for name in ("fff.xyz", "nopbc.xyz"):
        done, card = t.structures(name)
        if card is None:
            require(name == "nopbc.xyz", done)
            require_refusal(done, ['pbc="?F F F'])
        else:
            found = (num_frames(card), training_split(card)["periodic"])
            require(found == (20, 0), f"{name}: {found} structures and periodic ones, right is (20, 0)")
