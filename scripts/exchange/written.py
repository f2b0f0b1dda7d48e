"""Folders of models as transformers itself writes them, with tokenizers of its own classes."""
import torch
from transformers import EsmConfig, EsmForMaskedLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM
from transformers import PreTrainedTokenizerFast

import tokenizer_files

# Name: tokenizer, what transformers is asked to make of its size and special ids, and the same as keys of [model].
MODELS = {
    "gpt2": (
        "bpe-byte_level",
        lambda size, ids: GPT2LMHeadModel(GPT2Config(
            vocab_size=size, n_positions=128, n_embd=32, n_layer=2, n_head=4, bos_token_id=ids["bos"], eos_token_id=ids["eos"],
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, initializer_range=0.3,
        )),
        dict(kind="gpt2", num_layers=2, num_heads=4, width=32, context=128),
    ),
    "llama": (
        "bpe-fallback",
        lambda size, ids: LlamaForCausalLM(LlamaConfig(
            vocab_size=size, max_position_embeddings=128, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, intermediate_size=64, bos_token_id=ids["bos"], eos_token_id=ids["eos"], initializer_range=0.3,
            rope_parameters=dict(rope_type="llama3", rope_theta=10000.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                 original_max_position_embeddings=64),
        )),
        dict(kind="llama", num_layers=2, num_heads=4, num_key_heads=2, width=32, feed_forward_width=64, context=128, norm_epsilon=1e-6, rotary_scaling=dict(
            kind="llama3", factor=4.0, low_frequency_factor=1.0, high_frequency_factor=4.0, original_context=64)),
    ),
    "esm2": (
        "wordpiece-bert",
        lambda size, ids: EsmForMaskedLM(EsmConfig(
            vocab_size=size, max_position_embeddings=130, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
            intermediate_size=128, pad_token_id=ids["pad"], mask_token_id=ids["mask"], position_embedding_type="rotary",
            token_dropout=True, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.3,
        )),
        dict(kind="esm2", num_layers=2, num_heads=4, width=32, context=130, norm_epsilon=1e-12),
    ),
}


def write(name, texts, folder):
    """Writes the folder; the keys of [model] that stand for it."""
    kind, make, keys = MODELS[name]
    tokenizer_files.make(kind, texts, folder / "raw")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder / "raw")
    torch.manual_seed(1)
    ids = {role: getattr(tokenizer, f"{role}_token_id") for role in ("bos", "eos", "pad", "mask")}
    model = make(len(tokenizer), ids)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return keys
