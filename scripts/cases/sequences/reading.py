"""Files to datasets: what must arrive, what must be refused, what must be said."""

import bz2
import gzip
import lzma

from outputs import documents, f32s, holds_ids, safetensors, tokens
from registry import check
from trial import require_refusal
from verdict import close, require


@check
def gzip_with_a_tail(t):
    """400 records from both, as `zcat` gives; what is packed otherwise is read or said to be packed."""
    for name in ("bgzip.fa.gz", "zeros.fa.gz"):
        _, card = t.dataset(name, "--tokenizer", "amino-acid")
        require(documents(card) == 400, f"{name}: {documents(card)} documents, right is 400")
    plain = gzip.decompress(t.path("bgzip.fa.gz").read_bytes())
    for name, packed in (("p.fa.xz", lzma.compress(plain)), ("p.fa.bz2", bz2.compress(plain))):
        t.path(name).write_bytes(packed)
        done, card = t.ingest(name, "--tokenizer", "amino-acid", "--format", "fasta")
        if card is None:
            require_refusal(done, [r"compress|unpack|xz -d|bunzip|bzip2 -d"])
        else:
            require(documents(card) == 400, f"{name}: {documents(card)} documents, right is 400")


@check
def headerless_csv(t):
    """Twelve documents, or a word that `CCO` was taken for the name of a column."""
    done, card = t.ingest("molecules.csv", "--tokenizer", "smiles", "--validation", "0")
    if card is None:
        require_refusal(done, ["CCO"])
    elif documents(card) != 12:
        require(done.says(r"CCO.*(header|column|name)|(header|column|name).*CCO"), f"a row is lost: {done}")


@check
def long_chromosomes_dropped(t):
    """Fails or counts bases: 176,000 of 192,000 in records too long; best, nothing is lost."""
    done, card = t.ingest("assembly.fa", "--tokenizer", "nucleotide", "--max-record-bytes", "20000")
    if card is None:
        require_refusal(done, [r"bases|bytes|residues|letters|%"])
        return
    specials = 2 * documents(card)
    require(tokens(card) >= 192_000, f"{tokens(card)} tokens of 192,000 bases, exit 0: {done}")
    require(tokens(card) <= 192_000 + specials, f"more tokens than bases and marks: {tokens(card)}")


@check
def parquet_dictionary_and_binary(t):
    """50 documents and 1,650 tokens as from utf8.parquet; at the least the type of the column is named."""
    for name, kind in (("utf8", None), ("dictionary", "dictionary"), ("binary", "binary")):
        t.path(f"{name}.parquet").rename(t.path("table.parquet"))
        done, card = t.ingest("table.parquet", "--tokenizer", "amino-acid", "--column", "sequence")
        if card is None:
            require(kind is not None, f"strings are refused: {done}")
            require_refusal(done, ["sequence", kind])
        else:
            found = (documents(card), tokens(card))
            require(found == (50, 1650), f"{name}: {found} documents and tokens, right is (50, 1650)")


@check
def smi_with_names(t):
    """Twelve molecules from both; the name is the id in score."""
    for name in ("named.smi", "pandas_tools.smi"):
        _, card = t.dataset(name, "--tokenizer", "smiles", "--validation", "0")
        require(documents(card) == 12, f"{name}: {documents(card)} documents, right is 12")
        rows = t.scores(t.models.smiles(), name)
        ids = {f"mol{it}" for it in range(12)}
        # A letter that the model was not trained with may be left out, under its name.
        require(set(rows) <= ids and len(rows) >= 6, f"{name}: ids in score are {sorted(rows)}")


@check
def tsv_literal_quotes(t):
    """A quote in TSV is a letter: 7 documents. One never closed in CSV: an error or a note of line 3."""
    dataset, card = t.dataset("abstracts.tsv", "--tokenizer", "byte", "--column", "text", "--validation", "0")
    require(documents(card) == 7, f"abstracts.tsv: {documents(card)} documents, right is 7")
    for text in ('"in vitro assay of 5 samples', '3" tube and more', '"fully quoted" then more'):
        require(holds_ids(dataset, list(text.encode())), f"no document has {text!r}")
    done, _ = t.ingest("unclosed.csv", "--tokenizer", "byte", "--column", "text", "--validation", "0")
    require(done.says(r"\b(line|row) 3\b|unclosed\.csv:3\b"), f"line 3 is not named: {done}")


@check
def gapped_alignment(t):
    """Rows of an alignment are refused, or lose their gaps with a note.

    Right embedding of h1 without gaps by transformers. Of A3M the insertions, in lower case, may stay or go:
    both are sequences that someone wants; gaps are none.
    """
    embedding(t)
    letters = {"rows.fasta": [{22}, {19}, {19}], "rows.a3m": [{22}, {19, 16}, {22, 19}]}
    for name, rows in letters.items():
        t.path(name.replace("rows", "aligned")).rename(t.path(name))
        done, card = t.ingest(name, "--format", "fasta", "--tokenizer", "amino-acid", "--validation", "0")
        require(done.says(r"gap|align"), f"{name}: no word of gaps: {done}")
        if card is None:
            require_refusal(done, [])
            continue
        found, kept = tokens(card) - 2 * documents(card), documents(card)
        sums = {0: {0}}
        for row in rows:
            sums = {n: {s + it for s in sums.get(n - 1, ()) for it in row} | sums.get(n, set()) for n in range(4)}
        require(found in sums[kept], f"{name}: {found} residues in {kept} documents: gaps are among them")


def embedding(t):
    """The mean embedding of h1 without its gaps, or a word that it is left out."""
    done = t.genesis("embed", "model", "aligned.fasta", "--out", "e.safetensors")
    if done.code != 0:
        require_refusal(done, ["gap|`-`"])
        return
    rows = safetensors(t.path("e.safetensors"))
    if "h1" not in rows:
        require(done.says("h1"), f"h1 is left out without a word: {done}")
        return
    for found, right in zip(f32s(rows["h1"]), (-0.36856, 0.66070, 0.45834)):
        close(found, right, 2e-5, "embedding of h1")
