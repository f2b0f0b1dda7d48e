"""Loads exported folders in transformers and compares them with what the export says of itself.

For each folder that `genesis export` wrote:
  1. the class named in config.json loads it; no tensor may be missing, unexpected or misshapen;
  2. logits and loss of reference.safetensors (made by Genesis) agree within 2e-5 and 1e-6 relative;
  3. causal models: the greedy continuation of 20 tokens is the same, token by token;
  4. tokenizer: AutoTokenizer gives the ids of `tokenizer_examples` in export.json, for proteins
     EsmTokenizer (vocab.txt) too.
Prints one JSON line per folder; exits 1 if any differs. Folders exported as f16 or bf16 are loaded
as f32 and compared within the rounding that export.json states.

usage: python check_export.py FOLDER [FOLDER ...]
needs: torch, transformers 4.40 or later (4 and 5 are both worth running), safetensors
Not needed to build or test Genesis.
"""
import json
import os
import sys
import warnings

import torch
import transformers
from safetensors.torch import load_file

LOGITS = 2e-5  # two programs, f32, other order of sums
LOSS = 1e-6  # relative


def load_model(folder, config):
    """The model in f32, and every tensor that did not find its place."""
    model_class = getattr(transformers, config["architectures"][0])
    model, info = model_class.from_pretrained(
        folder, output_loading_info=True, torch_dtype=torch.float32
    )
    misplaced = {
        kind: sorted(str(name) for name in info[kind])
        for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")
        if info.get(kind)
    }
    return model.eval(), misplaced


def check_logits(model, reference, slack):
    with torch.no_grad():
        out = model(
            input_ids=reference["input_ids"],
            attention_mask=reference["attention_mask"],
            labels=reference["labels"],
        )
    attended = reference["attention_mask"].bool()
    difference = (out.logits - reference["logits"])[attended].abs().max().item()
    loss = reference["loss"].item()
    loss_rel = abs(out.loss.item() - loss) / abs(loss)
    ok = difference <= LOGITS + slack and (slack > 0 or loss_rel <= LOSS)
    return ok, dict(logits_max_abs=difference, loss_rel=loss_rel)


def check_greedy(model, reference):
    """Genesis does not stop at the end token here, so neither may transformers."""
    prompt = reference["greedy.prompt"].reshape(1, -1)
    expected = reference["greedy.tokens"].tolist()
    with torch.no_grad():
        out = model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            do_sample=False,
            num_beams=1,
            min_new_tokens=None,
            max_new_tokens=len(expected),
            eos_token_id=-1,
            pad_token_id=0,
        )
    got = out[0, prompt.shape[1] :].tolist()
    return got == expected, dict(greedy=len(expected), greedy_same=got == expected)


def check_tokenizer(folder, config, report):
    examples = report["tokenizer_examples"]
    if not examples:
        return True, dict(tokenizer="none")
    tokenizers = {"AutoTokenizer": transformers.AutoTokenizer.from_pretrained(folder)}
    if config["model_type"] == "esm" and os.path.exists(os.path.join(folder, "vocab.txt")):
        tokenizers["EsmTokenizer"] = transformers.EsmTokenizer.from_pretrained(folder)
    wrong = [
        dict(tokenizer=name, text=example["text"], got=got, expected=example["ids"])
        for name, tokenizer in tokenizers.items()
        for example in examples
        if (got := list(tokenizer(example["text"])["input_ids"])) != example["ids"]
    ]
    return not wrong, dict(tokenizer=sorted(tokenizers), texts=len(examples), wrong=wrong)


def check(folder):
    read = lambda name: json.load(open(os.path.join(folder, name), encoding="utf-8"))
    config, report = read("config.json"), read("export.json")
    reference = load_file(os.path.join(folder, "reference.safetensors"))
    result = dict(folder=folder, transformers=transformers.__version__, model=config["architectures"][0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model, misplaced = load_model(folder, config)
    result["misplaced"] = misplaced
    result["warnings"] = [str(w.message) for w in caught if "torch_dtype" not in str(w.message)]
    good = [not misplaced]
    parts = [check_logits(model, reference, 2 * report["logits_max_abs"])]
    if "greedy.tokens" in reference:
        parts.append(check_greedy(model, reference))
    parts.append(check_tokenizer(folder, config, report))
    for ok, figures in parts:
        good.append(ok)
        result |= figures
    result["ok"] = all(good)
    return result


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    results = [check(folder) for folder in sys.argv[1:]]
    for result in results:
        print(json.dumps(result))
    sys.exit(0 if all(result["ok"] for result in results) else 1)


if __name__ == "__main__":
    main()
