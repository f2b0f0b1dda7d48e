"""Scores and embeddings against those of transformers."""

import json

from outputs import f32s, safetensors
from registry import check
from trial import require_refusal
from verdict import close, require

# Right values are given to four places.
PLACES = 1e-4


@check
def bom_and_comments_in_score(t):
    """Two records of the same scores, whatever the editor or the old program put around them."""
    for name in ("plain", "bom", "comment"):
        rows = t.scores("model", f"{name}.fasta")
        require(set(rows) == {"rec1", "rec2"}, f"{name}.fasta: records {sorted(rows)}")
        close(float(rows["rec1"]["score"]), -51.0715, PLACES, f"{name}.fasta, rec1")
        close(float(rows["rec2"]["score"]), -38.6577, PLACES, f"{name}.fasta, rec2")


@check
def consensus_of_two(t):
    """A tie has no consensus: the wild type is asked for. With it, T3G is +1.8918 and the wild type 0."""
    for name in ("pair.fa", "one.fa"):
        t.refused("score", "model", name, "--out", f"{name}.csv", naming=["--wild-type"])
    t.path("wt.fa").write_text(">wt\nMKTAYIAKQRQISFVKSHFSRQ\n")
    rows = t.scores("model", "pair.fa", "--wild-type", "wt.fa")
    close(float(rows["T3G"]["score"]), 1.8918, PLACES, "T3G")
    close(float(rows["wt"]["score"]), 0.0, PLACES, "the wild type")


@check
def one_bad_record_aborts(t):
    """The others are written, the refused one is listed."""
    done = t.ok("embed", "model", "two.fa", "--out", "e.safetensors")
    names = [line[1:].split()[0] for line in t.path("two.fa").read_text().splitlines() if line.startswith(">")]
    rows = safetensors(t.path("e.safetensors"))
    require(set(rows) == set(names) - {"bad"}, f"written are {sorted(rows)} of {names}")
    require(done.says(r"\bbad\b|record 2"), f"the refused record is not named: {done}")


@check
def pass_import_mixture(t):
    """Everything at once in a Llama folder; the value of transformers is of a text with its end token."""
    found = [float(row["score"]) for end in ("auto", "yes", "no")
             for row in t.scores("llama_mix", "text.txt", "--end-token", end).values()]
    require(any(abs(it + 54.5489) <= PLACES for it in found), f"log-likelihoods {found}, right is -54.5489")
    t.ok("import", "llama_mix", "i")
    t.ok("export", "i", "x")
    before, after = tensors(t.path("llama_mix")), tensors(t.path("x"))
    require(before.keys() == after.keys(), f"tensors that differ: {before.keys() ^ after.keys()}")
    changed = [name for name, tensor in before.items() if tensor != after[name]]
    require(not changed, f"tensors that came back otherwise: {changed}")


def tensors(folder):
    """Tensors of all shards of a folder."""
    return {name: it for path in folder.glob("model*.safetensors") for name, it in safetensors(path).items()}


@check
def pass_long_protein(t):
    """Rotary positions have no hard limit: 1,100 residues as in transformers, and a row for each."""
    t.ok("embed", "model", "long.fa", "--out", "e.safetensors")
    rows = safetensors(t.path("e.safetensors"))
    for found, right in zip(f32s(rows["long1100"]), (-0.084835, 0.694016, 0.358675, 0.090945)):
        close(found, right, 1e-5, "embedding of 1,100 residues")
    t.ok("embed", "model", "long.fa", "--out", "p.safetensors", "--per-token")
    shape = safetensors(t.path("p.safetensors"))["long1100"][1]
    require(shape[0] == 1100, f"rows per token: {shape}")


@check
def unclear_score_includes_end_token(t):
    """Both are defensible: -57.6692 of the 7 tokens that the tokenizer gives can be had, and it is said which."""
    done = t.ok("score", "model", "text.txt")
    require(done.says(r"\bend"), f"the summary does not say whether the end token is scored: {done}")
    (row,) = t.scores("model", "text.txt", "--end-token", "no").values()
    close(float(row["score"]), -57.6692, PLACES, "without the end token")
    require(int(row["num_terms"]) == 7, f"{row['num_terms']} terms, right is 7")


@check
def variants_separated_by_commas(t):
    """A double mutant is read whole, or refused and named; never half of it."""
    more = ["A4G/Q9L", "A4*", "p.Ala4Gly"]
    t.path("variants.txt").write_text(t.path("variants.txt").read_text() + "A4G\nQ9L\n" + "\n".join(more) + "\n")
    done = t.ok("score", "model", "variants.txt", "--wild-type", "wt.fa", "--out", "s.jsonl")
    rows = [json.loads(line) for line in t.path("s.jsonl").read_text().splitlines()]
    rights = {"A4G": 2.2072, "Q9L": 1.6328, "p.Ala4Gly": 2.2072}
    seen = 0
    for row in rows:
        name = next((it for it in (row["id"], row["mutations"]) if it in rights), None)
        right = rights.get(name, 3.8400)
        close(row["score"], right, PLACES, f"{row['id']} ({row['mutations']})")
        seen += right == 3.8400
    for spelling in ("A4G:Q9L", "A4G,Q9L", "A4G;Q9L", "A4G Q9L", "A4G/Q9L"):
        scored = any(spelling == row["id"] for row in rows) or seen == 5
        require(scored or done.says(spelling), f"{spelling} is neither scored nor refused by name: {done}")
    stop = [row for row in rows if row["id"] == "A4*"]
    require(not stop, f"a stop codon is scored: {stop}")
