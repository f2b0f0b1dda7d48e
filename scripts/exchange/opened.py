"""An export as transformers opens it."""
import contextlib
import copy

import pyarrow
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer
from transformers.utils import logging

from differs import require

logging.set_verbosity_error()
logging.disable_progress_bar()
torch.set_num_threads(1)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def stored_documents(dataset):
    """Token ids of every document of a dataset."""
    shards = sorted(dataset.glob("*.arrow"))
    rows = [pyarrow.ipc.open_file(str(it)).read_all()["tokens"].to_pylist() for it in shards]
    return {tuple(row) for shard in rows for row in shard}


def concatenated(path, names):
    tensors = load_file(path)
    return torch.cat([tensors[name].double().flatten() for name in names])


@contextlib.contextmanager
def double():
    """What transformers computes in f32 whatever the type of a model (norms, angles) is computed in f64 here."""
    single, to_single = torch.float32, torch.Tensor.float
    torch.float32, torch.Tensor.float = torch.float64, torch.Tensor.double
    try:
        yield
    finally:
        torch.float32, torch.Tensor.float = single, to_single


class Opened:
    """Model and tokenizer of a folder, the model in f32 and in f64."""

    def __init__(self, folder):
        config = AutoConfig.from_pretrained(folder)
        self.causal = config.architectures[0].endswith(("CausalLM", "LMHeadModel"))
        kind = AutoModelForCausalLM if self.causal else AutoModelForMaskedLM
        self.model, info = kind.from_pretrained(folder, output_loading_info=True, dtype=torch.float32)
        misplaced = {key: sorted(map(str, names)) for key, names in info.items() if names}
        require(not misplaced, f"transformers loads with {misplaced}")
        self.model.eval()
        self.exact = copy.deepcopy(self.model).double()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.pads = self.tokenizer.pad_token_id is not None
        self.check_ends()

    def check_ends(self):
        """Configurations must name the tokens that the tokenizer names."""
        for role in ("bos", "eos", "pad"):
            named = getattr(self.tokenizer, f"{role}_token_id")
            settings = [self.model.config] + ([self.model.generation_config] if self.causal else [])
            for config in settings:
                said = getattr(config, f"{role}_token_id", None)
                said = said[0] if isinstance(said, list) and len(said) == 1 else said
                require(named is None or said == named, f"{role}: {said} in {type(config).__name__}, {named} of the tokenizer")

    def ids(self, text):
        """Names of special tokens in a text are text, as in training."""
        return list(self.tokenizer(text, split_special_tokens=True)["input_ids"])

    def frame(self):
        """How many tokens are put before and behind a text."""
        probe = next(it for it in ("a", "A", "C") if self.tokenizer(it, add_special_tokens=False)["input_ids"])
        plain = self.tokenizer(probe, add_special_tokens=False)["input_ids"]
        whole = self.tokenizer(probe)["input_ids"]
        begin = next(at for at in range(len(whole)) if whole[at : at + len(plain)] == plain)
        return begin, len(whole) - begin - len(plain)

    def document(self, text):
        """Ids of a text as a document: where nothing ends it, the token that ends documents follows."""
        ids = self.ids(text)
        ends = self.frame()[1] > 0
        end = self.tokenizer.eos_token_id if self.tokenizer.eos_token_id is not None else self.tokenizer.sep_token_id
        return tuple(ids if ends or end is None else [*ids, end])

    def answer(self, ids, exact, mask=None):
        """Log-probabilities and last states of rows of ids."""
        rows = torch.tensor(ids)
        mask = torch.ones_like(rows) if mask is None else mask
        with torch.no_grad(), double() if exact else contextlib.nullcontext():
            out = (self.exact if exact else self.model)(input_ids=rows, attention_mask=mask, output_hidden_states=True)
        return torch.log_softmax(out.logits.double(), -1), out.hidden_states[-1].double()

    def log_likelihoods(self, texts, exact=False):
        """Of every token of the documents but their first."""
        return torch.cat([self.following(self.answer([ids], exact)[0][0], ids) for ids in map(self.document, texts)])

    @staticmethod
    def following(log_p, ids):
        return log_p[torch.arange(len(ids) - 1), torch.tensor(ids[1:])]

    def padded(self, texts):
        """The same of one batch, padded on the right by the tokenizer's own token."""
        documents = [list(self.document(text)) for text in texts]
        longest = max(map(len, documents))
        rows = [ids + [self.tokenizer.pad_token_id] * (longest - len(ids)) for ids in documents]
        mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids in documents])
        log_p = self.answer(rows, False, mask)[0]
        return torch.cat([self.following(log_p[row], ids) for row, ids in enumerate(documents)])

    def pseudo_log_likelihoods(self, texts, exact=False):
        """Of every token of a text, hidden in its turn."""
        begins, ends = self.frame()
        found = []
        for text in texts:
            ids = self.ids(text)
            places = list(range(begins, len(ids) - ends))
            rows = [[self.tokenizer.mask_token_id if at == place else it for at, it in enumerate(ids)] for place in places]
            log_p = self.answer(rows, exact)[0]
            found.append(log_p[torch.arange(len(places)), places, torch.tensor([ids[place] for place in places])])
        return torch.cat(found)

    def states(self, texts, exact=False):
        begins, ends = self.frame()
        whole = [self.answer([self.ids(text)], exact)[1][0] for text in texts]
        return torch.cat([states[begins : len(states) - ends].flatten() for states in whole])

    def greedy(self, prompt, most):
        """New tokens and their text."""
        ids = list(self.tokenizer(prompt)["input_ids"])
        ids = ids[: len(ids) - self.frame()[1]]
        rows = torch.tensor([ids])
        with torch.no_grad():
            out = self.model.generate(
                rows, attention_mask=torch.ones_like(rows), do_sample=False, max_new_tokens=most, pad_token_id=0,
            )
        new = out[0, len(ids) :].tolist()
        before, after = (self.tokenizer.decode(it, skip_special_tokens=True) for it in (ids, ids + new))
        return new, after[len(before) :]
