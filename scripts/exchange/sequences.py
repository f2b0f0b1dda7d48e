"""Models of sequences: trained by Genesis, opened by transformers."""
import functools
import json

import opened
import samples
import tokenizer_files
import written
from differs import close, genesis, require

CONTEXT = 128
TEXTS_SCORED = 12
# Of each family, what Genesis trains: keys of [model].
FAMILIES = {
    "gpt2": dict(kind="gpt2"),
    "gpt2-untied": dict(kind="gpt2", tied_head=False, activation="gelu"),
    "llama": dict(kind="llama", num_key_heads=2, feed_forward_width=64),
    "llama-scaled": dict(
        kind="llama", tied_head=True, head_width=16, attention_bias=True, feed_forward_bias=True, rotary_base=5e5,
        rotary_scaling=dict(kind="llama3", factor=4.0, low_frequency_factor=1.0, high_frequency_factor=4.0, original_context=32),
    ),
    "esm2": dict(kind="esm2"),
    "esm2-plain": dict(kind="esm2", token_dropout=False, embedding_norm=True, tied_head=False),
}
OWN = {"byte": False, "amino_acid": True, "nucleotide": True, "smiles": True, "train_bpe": False}


def cases():
    """Every family on every tokenizer that it can be trained with, and folders of transformers."""
    kinds = OWN | {kind: tokenizer_files.masks(kind) for kind in tokenizer_files.MADE}
    for family in FAMILIES:
        for kind, masks in kinds.items():
            if masks or not family.startswith("esm2"):
                yield f"{family}/{kind}", functools.partial(trained, family, kind)
    yield from ((f"{name}/of-transformers", functools.partial(imported, name)) for name in written.MODELS)


def trained(family, kind, binary, folder):
    """A run of its own, exported and compared."""
    texts = samples.of(kind)
    tokenizer = kind if kind in OWN else dict(file=str(folder / "tokenizer"))
    if kind == "train_bpe":
        tokenizer = dict(train_bpe=dict(vocab_size=300))
    elif kind not in OWN:
        tokenizer_files.make(kind, texts, folder / "tokenizer")
    source = dict(inputs=[str(documents(folder, texts))], tokenizer=tokenizer, validation_fraction=0.2)
    widths = dict(context=CONTEXT, num_layers=2, num_heads=4, width=32, initialiser_std=0.3)
    model = dict(widths, **FAMILIES[family])
    run_file(folder, source, model, steps=6)
    genesis(binary, "train", folder / "run.toml")
    return compared(binary, folder, kind, texts)


def imported(name, binary, folder):
    """A model that transformers wrote: imported, trained on, exported again."""
    texts = samples.prose()
    model = written.write(name, texts, folder / "foreign")
    genesis(binary, "import", folder / "foreign", folder / "imported")
    source = dict(inputs=[str(documents(folder, texts))], tokenizer=dict(file=str(folder / "foreign")), validation_fraction=0.2)
    run_file(folder, source, model, steps=6)
    genesis(binary, "train", folder / "run.toml", "--from", folder / "imported")
    return compared(binary, folder, name, texts)


def documents(folder, texts):
    """The texts as JSON lines, with names."""
    path = folder / "texts.jsonl"
    lines = [json.dumps(dict(id=f"t{index}", text=text)) for index, text in enumerate(texts)]
    path.write_text("\n".join(lines) + "\n")
    return path


def run_file(folder, source, model, steps):
    objective = dict(kind="masked" if model["kind"] == "esm2" else "causal", context=model["context"])
    tables = dict(
        run=dict(dir=str(folder / "run"), threads=1),
        data=dict(source=source),
        model=model,
        objective=objective,
        batch=dict(sequences=4),
        schedule=dict(steps=steps, peak_rate=1e-3, decay=dict(kind="none")),
        checkpoint=dict(every=steps),
    )
    text = "".join(f"[{name}]\n" + "".join(f"{key} = {toml(it)}\n" for key, it in table.items()) for name, table in tables.items())
    (folder / "run.toml").write_text(text)


def toml(value):
    """A value on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(it)}" for key, it in value.items()) + " }"
    return json.dumps(value)


def compared(binary, folder, kind, texts):
    """The export of the run against the dataset, `score`, `embed` and `generate`."""
    genesis(binary, "export", folder / "run", folder / "exported")
    there = opened.Opened(folder / "exported")
    said = [ids(there, folder / "run" / "dataset", texts)]
    some = documents_to_score(there, folder, texts)
    said += [scores(binary, folder, there, some), hidden(binary, folder, there, some)]
    if there.causal:
        prompts = samples.prompts(kind, [text for _, text in some])
        said.append(greedy(binary, folder, there, prompts[:4]))
    return "; ".join(it for it in said if it)


def ids(there, dataset, texts):
    """Documents of the dataset are what AutoTokenizer makes of the texts, and the token that ends a document."""
    stored = opened.stored_documents(dataset)
    made = {there.document(text): text for text in texts}
    extra = [ids for ids in stored if ids not in made]
    lost = [text for ids, text in made.items() if ids not in stored]
    rejected = (dataset / "rejects.jsonl").read_text().strip() if (dataset / "rejects.jsonl").exists() else ""
    require(not rejected, f"rejected: {rejected[:300]}")
    if extra or lost:
        nearest = there.document(lost[0]) if lost else None
        require(False, f"ids differ: the dataset has {extra[:1]}, transformers makes {nearest} of {lost[:1]}")
    return f"{len(stored)} documents with equal ids"


def documents_to_score(there, folder, texts):
    """Some that fit the context, the easily mistaken ones among them, in a file: names and texts."""
    fitting = [(f"t{index}", text) for index, text in enumerate(texts) if 2 < len(there.document(text)) <= CONTEXT // 2]
    some = fitting[-TEXTS_SCORED:]
    lines = [json.dumps(dict(id=name, text=text)) for name, text in some]
    (folder / "some.jsonl").write_text("\n".join(lines) + "\n")
    return some


def scores(binary, folder, there, some):
    """Log-probability of every token."""
    out = folder / "scores.jsonl"
    options = ["--end-token", "yes"] if there.causal else ["--pseudo-likelihood"]
    genesis(binary, "score", folder / "run", folder / "some.jsonl", "--out", out, *options)
    rows = [json.loads(line) for line in out.read_text().split("\n") if line]
    require([row["id"] for row in rows] == [name for name, _ in some], "score leaves texts out")
    ours = opened.tensor([term for row in rows for term in row["terms"]])
    terms = there.log_likelihoods if there.causal else there.pseudo_log_likelihoods
    exact = terms([text for _, text in some], exact=True)
    said = close("log p", ours, terms([text for _, text in some]), exact)
    if there.causal and there.pads:
        said += "; " + close("padded", ours, there.padded([text for _, text in some]), exact)
    return said


def hidden(binary, folder, there, some):
    """The state of every token of a text after the last norm."""
    out = folder / "states.safetensors"
    genesis(binary, "embed", folder / "run", folder / "some.jsonl", "--per-token", "--out", out)
    ours = opened.concatenated(out, [name for name, _ in some])
    texts = [text for _, text in some]
    return close("states", ours, there.states(texts), there.states(texts, exact=True))


def greedy(binary, folder, there, prompts):
    """The likeliest tokens behind a prompt, and their text."""
    same = 0
    for prompt in prompts:
        out = genesis(
            binary, "generate", folder / "run", "--prompt", prompt, "--temperature", "0", "--max-tokens", "12", "--json"
        )
        ours = json.loads(out.split("\n")[0])
        theirs, behind = there.greedy(prompt, 12)
        require(ours["tokens"] == theirs, f"greedy tokens behind {prompt!r}: {ours['tokens']}, but {theirs} of transformers")
        require(ours["text"] == behind, f"text of {theirs} behind {prompt!r}: {ours['text']!r}, but {behind!r} of transformers")
        same += len(theirs)
    return f"{same} greedy tokens equal"
