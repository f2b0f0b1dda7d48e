"""Training, evaluating, importing and exporting sequences."""

import json
import math
import shutil

from outputs import events, holds_ids, tokens
from registry import check
from trial import require_refusal
from verdict import close, require

LINES = ("--format", "text", "--document", "line")


@check
def evaluate_a_test_file(t):
    """The loss of all 12 molecules, by whichever way there is; no way may leave some out in silence.

    A document that is cut into pieces may lose one label a piece.
    """
    run = t.models.smiles()
    rows = t.scores(run, "test.smi", "--end-token", "yes")
    terms = sum(int(row["num_terms"]) for row in rows.values())
    require(len(rows) == 12, f"{len(rows)} of 12 molecules can be scored")
    ways, failures = {}, []
    for validation in ("1", "0"):
        out = t.new()
        tokenizer = ("--tokenizer", run / "checkpoints/step-00000060")
        done = t.genesis("ingest", "test.smi", *LINES, *tokenizer, "--out", out, "--validation", validation)
        if done.code == 0:
            done = t.genesis("evaluate", run, "--data", out, "--json")
        collect(ways, failures, done, f"--validation {validation}")
    collect(ways, failures, t.genesis("evaluate", run, "--data", "test.smi", "--json"), "the file itself")
    require(ways, f"no way leads there: {'; '.join(failures)}")
    for way, found in ways.items():
        pieces = found["num_sequences"]
        whole = pieces >= 12 and terms - (pieces - 12) <= found["num_labels"] <= terms
        require(whole, f"{way}: {pieces} sequences, {found['num_labels']} labels of {terms}")
        require(math.isfinite(found["loss"]), f"{way}: loss {found['loss']}")
    return "by " + ", ".join(ways)


def collect(ways, failures, done, way):
    """What an evaluation found, or why it did not."""
    if done.code == 0:
        ways[way] = json.loads(done.out.strip().splitlines()[-1])
    else:
        require_refusal(done, [])
        failures.append(f"{way}: {done}")


@check
def export_tokenizer_without_bos(t):
    """Ids of training, of export.json and of the exported tokenizer.json are the same."""
    t.path("docs.txt").write_text("The quick brown fox.\n" + t.path("docs.txt").read_text())
    t.ok("ingest", "docs.txt", "--document", "line", "--tokenizer", "tok", "--out", "data", "--validation", "0.2")
    t.ok("train", "run.toml")
    t.ok("export", "run", "exported")
    examples = json.loads(t.path("exported/export.json").read_text())["tokenizer_examples"]
    example = next(it for it in examples if it["text"] == "The quick brown fox.")
    ids = example["ids"]
    require(holds_ids(t.path("data"), ids), f"export.json lists {ids}, which is not what was trained on")
    tokenizer = json.loads(t.path("exported/tokenizer.json").read_text())
    before, after = template(tokenizer)
    inner = ids[len(before) : len(ids) - len(after)]
    require(before + inner + after == ids, f"export.json lists {ids}, its tokenizer.json puts {before} before")
    special = {it["id"] for it in tokenizer["added_tokens"] if it["special"]}
    require(not special & set(inner), f"export.json lists {ids}, its tokenizer.json adds {before} and {after} alone")
    again, card = t.dataset("docs.txt", "--document", "line", "--tokenizer", "exported", "--validation", "0.2")
    first = json.loads(t.path("data/dataset.json").read_text())
    require(tokens(card) == tokens(first) and holds_ids(again, ids), "the export gives other ids than training had")


def template(tokenizer):
    """Ids that the post-processor of a tokenizer.json puts before and behind a text."""
    steps = tokenizer.get("post_processor")
    steps = [] if steps is None else steps.get("processors", [steps])
    for step in steps:
        if step["type"] in ("BertProcessing", "RobertaProcessing"):
            return [step["cls"][1]], [step["sep"][1]]
        if step["type"] == "TemplateProcessing":
            at = next(it for it, part in enumerate(step["single"]) if "Sequence" in part)
            parts = step["single"][:at], step["single"][at + 1 :]
            named = step["special_tokens"]
            return tuple([it for part in side for it in named[part["SpecialToken"]["id"]]["ids"]] for side in parts)
    return [], []


@check
def finetune_other_tokenizer(t):
    """Refused, with both tokenizers: rows of the embedding would mean other tokens."""
    t.ok("import", "model", "imported")
    t.ok("ingest", "text.txt", "--document", "line", "--train-bpe", "300", "--out", "data")
    t.ok("ingest", "text.txt", "--document", "line", "--tokenizer", "byte", "--out", "bytes")
    from_imported = ("train", "run.toml", "--from", "imported")
    t.refused(*from_imported, naming=["tokenizer", "imported", "data"])
    sets = ("--set", "data.dataset=bytes", "--set", "model.vocab_size=300", "--set", "run.dir=other")
    t.refused(*from_imported, *sets, naming=["tokenizer", "imported", "bytes"])


@check
def n_runs_in_the_loss(t):
    """N carries no label: no model can beat ln 4 = 1.386 nats per base, nor has it to fail by much."""
    t.ok("ingest", "gaps.fa", "--tokenizer", "nucleotide", "--out", "data", "--validation", "0.2")
    t.ok("train", "run.toml")
    found = t.evaluated("run")
    require(1.38 <= found["loss"] <= 1.45, f"loss {found['loss']} nats, right is 1.39 to 1.41: N is labelled")


@check
def pass_eval_batch_size(t):
    """One validation loss, 1, 3, 16 or 100 sequences at a time, and the same from `evaluate`."""
    losses = {}
    for size in (1, 3, 16, 100):
        t.ok("train", "run.toml", "--set", f"run.dir=e{size}", "--set", f"evaluation.sequences_per_batch={size}")
        losses[size] = [it["val_loss"] for it in events(t.path(f"e{size}")) if "val_loss" in it]
    for size, found in losses.items():
        require(len(found) == 2, f"{size} a batch: {len(found)} evaluations, right is 2")
        for one, other in zip(found, losses[1]):
            close(one, other, 1e-5, f"validation loss, {size} a batch")
    close(t.evaluated("e1")["loss"], losses[1][-1], 1e-5, "evaluate")


@check
def pass_gradient_accumulation(t):
    """The same losses for accumulation 1, 2, 4 and 8, with documents of very unequal lengths."""
    curves = {}
    for slices in (1, 2, 4, 8):
        t.ok("train", "run.toml", "--set", f"run.dir=run{slices}", "--set", f"batch.accumulation={slices}")
        curves[slices] = [it["loss"] for it in events(t.path(f"run{slices}"))]
    for slices, curve in curves.items():
        for one, other in zip(curve, curves[1], strict=True):
            close(one, other, 1e-5, f"loss, accumulation {slices}")


@check
def pass_nothing_masked(t):
    """No NaN; skip, force a mask, or stop with the reason."""
    done = t.genesis("train", "run.toml")
    losses = [it["loss"] for it in events(t.path("run"))] if t.path("run/events.jsonl").exists() else []
    require(all(isinstance(it, float) and math.isfinite(it) for it in losses), f"losses {losses}")
    require(done.code == 0 or done.says(r"mask|label"), f"no reason: {done}")


@check
def pass_packed_documents(t):
    """Pieces of documents alone, positions from 0, no label across documents."""
    t.ok("ingest", "docs.txt", "--document", "line", "--tokenizer", "model", "--out", "data", "--validation", "0.3")
    found = t.evaluated("model", "--data", "data")
    close(found["loss"], 7.294219, 1e-5, "loss")
    require(found["num_labels"] == 373, f"{found['num_labels']} labels, right is 373")


@check
def pass_resumed_schedule(t):
    """A cosine that is stretched on resume is refused, or keeps its rates; it never jumps in silence."""
    t.ok("ingest", "a.smi", *LINES, "--tokenizer", "smiles", "--out", "a", "--validation", "0.1")
    t.ok("train", "run.toml", "--set", "schedule.steps=40")
    before = [it["lr"] for it in events(t.path("run"))]
    done = t.genesis("train", "run.toml", "--set", "schedule.steps=80", "--resume")
    if done.code != 0:
        require_refusal(done, ["schedule|rate"])
        return
    after = [it["lr"] for it in events(t.path("run"))]
    require(after[:40] == before, "rates that were used have changed")
    require(after[40] <= 1.05 * before[-1] or done.says("rate"), f"{before[-1]} jumps to {after[40]}: {done}")


@check
def pass_rope_scaling_refused(t):
    """Scalings and families that are not computed are refused by name, never read as unscaled."""
    weights = t.case.parent / "finetune-other-tokenizer" / "model"
    for at, name in enumerate(("linear", "dynamic", "yarn", "mistral")):
        shutil.copytree(weights, t.path(f"m{at}"))
        shutil.copyfile(t.path(name) / "config.json", t.path(f"m{at}/config.json"))
        t.refused("import", f"m{at}", f"out{at}", naming=[name])


@check
def tokenizer_with_a_hole(t):
    """Loads with its ids as they are: "the cat" is [0, 296, 269, 260]."""
    t.ok("import", "model", "imported")
    t.path("text.txt").write_text("the cat\nthe cat the cat\n")
    ingest = ("text.txt", "--document", "line", "--tokenizer")
    for tokenizer in ("model", "imported"):
        dataset, _ = t.dataset(*ingest, tokenizer, "--validation", "0")
        require(holds_ids(dataset, [0, 296, 269, 260]), f"ids of {tokenizer} are not [0, 296, 269, 260]")
    found = t.scores("imported", "text.txt", "--end-token", "no")
    require(len(found) == 2, f"{len(found)} of 2 texts can be scored")
