"""What a model samples: ids, their frequencies, where it ends, and the text."""

import json
import math
from collections import Counter

from registry import check
from verdict import close, require

PROMPT = ("--prompt", "the cat sat on")
GREEDY = ("--temperature", "0", "--max-tokens", "8")


@check
def bos_by_name_gpt2(t):
    """A declared begin token is not one that is added: ids and likelihood are those of transformers."""
    right = [61, 73, 212, 212, 212, 212, 145, 59]
    (sample,) = t.generated("model", *PROMPT, *GREEDY)
    require(sample["tokens"] == right, f"continuation {sample['tokens']}, right is {right}")
    (row,) = t.scores("model", "text.txt").values()
    close(float(row["score"]), -54.9681, 1e-4, "log-likelihood of 7 tokens")


@check
def lost_space_after_the_prompt(t):
    """The text is decode(prompt + new). A piece behind the first begins with a blank where it has `▁`."""
    (sample,) = t.generated("wordpiece", "--prompt", "the cat", *GREEDY)
    text = sample["prompt"] + sample["text"]
    require(text == "the cat 3 sag in num sa 3", f"wordpiece: {text!r}")
    shown = t.ok("generate", "wordpiece", "--prompt", "the cat", *GREEDY)
    require("the cat 3 sag in num sa 3" in shown.out, f"wordpiece, shown: {shown.out!r}")
    vocabulary = json.loads(t.path("unigram/tokenizer.json").read_text())
    pieces = [piece for piece, _ in vocabulary["model"]["vocab"]]
    special = {it["content"] for it in vocabulary["added_tokens"]}
    options = ("--count", "40", "--max-tokens", "3", "--seed", "2")
    for sample in t.generated("unigram", "--prompt", "the cat", *options):
        new = [pieces[it] for it in sample["tokens"]]
        right = "the cat" + "".join(it.replace("▁", " ") for it in new if it not in special)
        text = sample["prompt"] + sample["text"]
        require(text == right, f"unigram: {new} printed as {text!r}, right is {right!r}")


@check
def padded_vocabulary_sampled(t):
    """No id of 12 or more: those rows of the embedding stand for nothing."""
    options = ("--format", "text", "--document", "line", "--tokenizer", "smiles", "--validation", "0.1")
    t.ok("ingest", "a.smi", *options, "--out", "a")
    t.ok("train", "run.toml")
    size = json.loads(t.path("a/dataset.json").read_text())["tokenizer"]["vocab_size"]
    samples = t.generated("run", "--count", "400", "--seed", "3")
    beyond = Counter(it for sample in samples for it in sample["tokens"] if it >= size)
    require(len(samples) == 400 and not beyond, f"ids beyond the {size} of the tokenizer: {beyond}")


@check
def pass_sampling_filters(t):
    """Temperature, then top-k, then top-p: frequencies within four standard deviations of transformers'."""
    ids = (80, 108, 113, 156, 191, 205, 244)
    rights = (0.1355, 0.1422, 0.1203, 0.1167, 0.1202, 0.1519, 0.2133)
    filters = ("--temperature", "2.5", "--top-k", "8", "--top-p", "0.8", "--seed", "11")
    samples = t.generated("model", *PROMPT, "--count", "4000", "--max-tokens", "1", *filters)
    found = Counter(sample["tokens"][0] for sample in samples)
    require(set(found) <= set(ids), f"ids {sorted(found)}, right are {ids}")
    for token, right in zip(ids, rights):
        close(found[token] / len(samples), right, 4 * math.sqrt(right * (1 - right) / len(samples)), f"id {token}")


@check
def several_end_tokens(t):
    """Every end token of generation_config.json ends, and of config.json where there is no other file."""
    (sample,) = t.generated("model", *PROMPT, *GREEDY)
    require(sample["tokens"] == [244, 53], f"tokens {sample['tokens']}, right is [244, 53]")
    t.path("model/generation_config.json").unlink()
    names = json.loads(t.path("model/tokenizer_config.json").read_text())
    names.pop("eos_token")
    t.path("model/tokenizer_config.json").write_text(json.dumps(names))
    (sample,) = t.generated("model", *PROMPT, *GREEDY)
    require(sample["tokens"] == [244, 53], f"with config.json alone: {sample['tokens']}, right is [244, 53]")
