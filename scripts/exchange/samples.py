"""Documents for each kind of tokenizer: what people have, and what is easily read differently."""
import random

PROSE = (
    "The quick brown fox jumps over the lazy dog. Energies are measured in electron volts; forces in eV per angstrom. "
    "A language model learns the probability of the next token from all tokens before it. Proteins fold, crystals melt. "
    "It was the best of times, it was the worst of times, and 3.14159 is not 22/7. Don't panic: it's only a test, isn't it?"
).split()
HARD = [
    " two  spaces\tand\ttabs \n\nand line ends\r\n",
    "na\u00efve caf\u00e9 \u03a9 \u2126 \ufb01ne \u00bd cafe\u0301",
    "emoji \U0001f600 \U0001f468\u200d\U0001f52c and \u4e2d\u6587\u5b57",
    "UPPER lower MiXeD 1234567890 0xFF",
    "x",
    "  leading",
    "trailing   ",
    "names of tokens as text: <s> </s> <mask> [CLS] [SEP] [MASK] <|endoftext|> <pad> <unk>",
    "non\u00a0breaking \u200bzero width \u2028 line separator",
    "a\u2581b \u0120c ## ##d",
]


def drawn(count, pieces, lengths, join):
    dice = random.Random(7)
    return [join.join(dice.choice(pieces) for _ in range(dice.randint(*lengths))) for _ in range(count)]


def prose():
    return drawn(60, PROSE, (3, 14), " ") + HARD


def proteins():
    return drawn(60, "ACDEFGHIKLMNPQRSTVWY", (8, 50), "") + ["MKTAYIAKQRXBUZO", "mktayiakqr", "MKTWV*", "MKJTW"]


def nucleotides():
    return drawn(60, "ACGT", (8, 60), "") + ["ACGTNNNNACGT", "acgtacgtaa", "ACGUUGCAU", "ACGTRYSWKMBDHV"]


def molecules():
    parts = ["C", "CC", "N", "O", "C(=O)", "c1ccccc1", "C(F)(F)F", "[C@H](N)", "[C@@H](O)", "[O-]", "[NH3+]", "S(=O)(=O)",
             "C#N", "Cl", "Br", "C%10CCCCC%10", "/C=C/", "[2H]", "C1CC2CCC1CC2", "n1cccc1"]
    return drawn(60, parts, (1, 7), "")


def of(kind):
    own = {"amino_acid": proteins, "nucleotide": nucleotides, "smiles": molecules}
    return own.get(kind, prose)()


def prompts(kind, texts):
    """Halves of texts; of SMILES whole fragments, because half an atom is no SMILES."""
    return ["C", "CC(=O)", "c1ccccc1", "C#N"] if kind == "smiles" else [text[: max(1, len(text) // 2)] for text in texts]
