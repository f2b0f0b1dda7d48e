"""Tokenizers as the `tokenizers` library makes them: every model that it trains, every post-processor.

Each is written into a folder as people publish them: tokenizer.json, and tokenizer_config.json that names tokens.
"""
import json

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SIZE = 320


def trained(model, trainer, texts, normalizer=None, pre=None, decoder=None):
    tokenizer = Tokenizer(model)
    for part, value in (("normalizer", normalizer), ("pre_tokenizer", pre), ("decoder", decoder)):
        if value is not None:
            setattr(tokenizer, part, value)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def byte_level(texts, special):
    """Byte-level BPE, as of GPT-2."""
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE + 256, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    pre = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return trained(models.BPE(), trainer, texts, pre=pre, decoder=decoders.ByteLevel())


def word_piece(texts, special):
    """WordPiece, as of BERT."""
    trainer = trainers.WordPieceTrainer(vocab_size=SIZE, special_tokens=special, show_progress=False)
    return trained(
        models.WordPiece(unk_token="[UNK]"), trainer, texts,
        normalizer=normalizers.BertNormalizer(lowercase=True), pre=pre_tokenizers.BertPreTokenizer(),
        decoder=decoders.WordPiece(),
    )


def unigram(texts, special):
    """Unigram with `▁` for blanks, as SentencePiece makes them."""
    trainer = trainers.UnigramTrainer(vocab_size=SIZE, special_tokens=special, unk_token="<unk>", show_progress=False)
    return trained(
        models.Unigram(), trainer, texts, normalizer=normalizers.NFKC(), pre=pre_tokenizers.Metaspace(),
        decoder=decoders.Metaspace(),
    )


def byte_fallback(texts, special):
    """BPE whose unknown letters are bytes and whose blanks are `▁`, as of Llama 2."""
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=SIZE + 256, special_tokens=special + bytes_, show_progress=False)
    made = trained(
        models.BPE(), trainer, texts, normalizer=normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    )
    content = json.loads(made.to_str())
    content["model"] |= dict(unk_token="<unk>", byte_fallback=True, fuse_unk=True, ignore_merges=False)
    # Bytes are plain tokens.
    content["added_tokens"] = [it for it in content["added_tokens"] if it["content"] not in bytes_]
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


def words(texts, special):
    """A list of words."""
    trainer = trainers.WordLevelTrainer(vocab_size=SIZE, special_tokens=special, show_progress=False)
    return trained(models.WordLevel(unk_token="[UNK]"), trainer, texts, pre=pre_tokenizers.Whitespace())


def template(tokenizer, single):
    """`single` such as `<s> $A </s>`, also in the second place of a pair."""
    names = [word for word in single.split() if word != "$A"]
    return processors.TemplateProcessing(
        single=single, pair=f"{single} {single.replace('$A', '$B')}",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in dict.fromkeys(names)],
    )


def pair(tokenizer, end, begin):
    return [(name, tokenizer.token_to_id(name)) for name in (end, begin)]


GPT = dict(bos_token="<|endoftext|>", eos_token="<|endoftext|>", unk_token="<|endoftext|>")
ROBERTA = dict(bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>", pad_token="<pad>", unk_token="<unk>", mask_token="<mask>")
BERT = dict(cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", unk_token="[UNK]", mask_token="[MASK]")
LLAMA = dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>")

# Name: how it is made, which tokens have a meaning, and its post-processor.
MADE = {
    "bpe-byte_level": (byte_level, GPT, lambda it: processors.ByteLevel(trim_offsets=False)),
    "bpe-roberta": (byte_level, ROBERTA, lambda it: processors.RobertaProcessing(*pair(it, "</s>", "<s>"), add_prefix_space=False)),
    "bpe-template": (byte_level, ROBERTA, lambda it: processors.Sequence([processors.ByteLevel(trim_offsets=True), template(it, "<s> $A")])),
    "bpe-fallback": (byte_fallback, LLAMA, lambda it: template(it, "<s> $A")),
    "wordpiece-bert": (word_piece, BERT, lambda it: processors.BertProcessing(*pair(it, "[SEP]", "[CLS]"))),
    "wordpiece-template": (word_piece, BERT, lambda it: template(it, "[CLS] $A [SEP]")),
    "unigram-template": (unigram, ROBERTA, lambda it: template(it, "$A </s>")),
    "unigram-roberta": (unigram, ROBERTA, lambda it: processors.RobertaProcessing(*pair(it, "</s>", "<s>"))),
    "words-none": (words, BERT, lambda it: None),
}


def make(kind, texts, folder):
    """Writes the tokenizer of that kind into the folder."""
    build, named, processor = MADE[kind]
    special = list(dict.fromkeys(named.values()))
    tokenizer = build(texts, special)
    if "<mask>" in special:
        # As RoBERTa has it: blanks before it belong to it.
        tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)])
    made = processor(tokenizer)
    if made is not None:
        tokenizer.post_processor = made
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = dict(named, tokenizer_class="PreTrainedTokenizerFast", model_max_length=1000)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def masks(kind):
    """Whether it has a token to hide others with."""
    return "mask_token" in MADE[kind][1]
