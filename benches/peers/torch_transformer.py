"""One training step of a decoder in PyTorch: what our transformer is compared with.

A step is forward, backward, clipping by the global norm and AdamW, on random tokens made before
the clock starts. The network is that of `genesis bench compare`: RMSNorm before each branch, rotary
positions in the half-split order, attention through scaled_dot_product_attention, SwiGLU of width
8/3 of the model rounded up to a multiple of 32, a head of its own, no biases, no dropout. With
--network gpt2 it is GPT-2: LayerNorm, learned positions, biases, GELU in its tanh form, a head that
is the embedding.

    python torch_transformer.py --layers 6 --width 384 --heads 6 --context 256 --batch 16 --vocab 65
    python torch_transformer.py --network gpt2 --layers 12 --width 768 --heads 12 --context 1024 \
        --batch 8 --vocab 50257 --dtype bf16 --compile --device cuda

Options: --steps, --warmup, --threads (0 leaves PyTorch's choice), --dtype f32|bf16, --compile,
--device cpu|cuda|cuda:N, --full (every token sees the whole sequence).
Prints one JSON object on one line: tokens_per_s and step_ms are of the median step.
"""

import argparse
import json
import math
import resource
import statistics
import time

import torch
from torch import nn
from torch.nn import functional


def options():
    parser = argparse.ArgumentParser()
    sizes = {"layers": 6, "width": 384, "heads": 6, "context": 256, "batch": 16, "vocab": 4096}
    for name, default in {**sizes, "steps": 10, "warmup": 3, "threads": 0}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--network", choices=["llama", "gpt2"], default="llama")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--full", action="store_true")
    return parser.parse_args()


def rotary_tables(context, head_width):
    """Cosines and sines, each [context, head_width], both halves alike."""
    exponents = torch.arange(0, head_width, 2, dtype=torch.float32) / head_width
    angles = torch.arange(context, dtype=torch.float32)[:, None] * (10000.0**-exponents)[None, :]
    angles = torch.cat([angles, angles], dim=1)
    return angles.cos(), angles.sin()


def rotate(x, cos, sin):
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


class Attention(nn.Module):
    def __init__(self, width, heads, causal, bias=False):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.query_key_value = nn.Linear(width, 3 * width, bias=bias)
        self.output = nn.Linear(width, width, bias=bias)

    def forward(self, x, cos=None, sin=None):
        batch, context, width = x.shape
        joint = self.query_key_value(x).view(batch, context, 3, self.heads, width // self.heads)
        query, key, value = joint.permute(2, 0, 3, 1, 4)
        if cos is not None:
            query = rotate(query, cos, sin).to(value.dtype)
            key = rotate(key, cos, sin).to(value.dtype)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=self.causal)
        return self.output(mixed.transpose(1, 2).reshape(batch, context, width))


class FeedForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        inner = math.ceil(width * 8 / 3 / 32) * 32
        self.gate_up = nn.Linear(width, 2 * inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x):
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(functional.silu(gate) * up)


class Block(nn.Module):
    def __init__(self, width, heads, causal):
        super().__init__()
        self.attention_norm, self.feed_forward_norm = nn.RMSNorm(width), nn.RMSNorm(width)
        self.attention = Attention(width, heads, causal)
        self.feed_forward = FeedForward(width)

    def forward(self, x, cos, sin):
        x = x + self.attention(self.attention_norm(x), cos, sin)
        return x + self.feed_forward(self.feed_forward_norm(x))


class Decoder(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.embedding = nn.Embedding(args.vocab, args.width)
        causal = not args.full
        layers = range(args.layers)
        self.blocks = nn.ModuleList(Block(args.width, args.heads, causal) for _ in layers)
        self.norm = nn.RMSNorm(args.width)
        self.head = nn.Linear(args.width, args.vocab, bias=False)
        cos, sin = rotary_tables(args.context, args.width // args.heads)
        self.register_buffer("cos", cos)
        self.register_buffer("sin", sin)

    def forward(self, tokens, labels):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        logits = self.head(self.norm(x)).float()
        return functional.cross_entropy(logits.view(-1, logits.shape[-1]), labels.reshape(-1))


class Gpt2Block(nn.Module):
    def __init__(self, width, heads, causal):
        super().__init__()
        self.attention_norm, self.feed_forward_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads, causal, bias=True)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        x = x + self.attention(self.attention_norm(x))
        inner = functional.gelu(self.up(self.feed_forward_norm(x)), approximate="tanh")
        return x + self.down(inner)


class Gpt2(nn.Module):
    def __init__(self, args):
        super().__init__()
        self.embedding = nn.Embedding(args.vocab, args.width)
        self.positions = nn.Embedding(args.context, args.width)
        causal = not args.full
        layers = range(args.layers)
        self.blocks = nn.ModuleList(Gpt2Block(args.width, args.heads, causal) for _ in layers)
        self.norm = nn.LayerNorm(args.width)
        for table in (self.embedding, self.positions):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, tokens, labels):
        x = self.embedding(tokens) + self.positions.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        logits = functional.linear(self.norm(x), self.embedding.weight).float()
        return functional.cross_entropy(logits.view(-1, logits.shape[-1]), labels.reshape(-1))


def synchronise(device):
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def measure(args, model):
    """Seconds of every step, and the loss of the last one."""
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True
    )
    loss_of = torch.compile(model) if args.compile else model
    count = args.warmup + args.steps
    shape = (count, args.batch, args.context + 1)
    data = torch.randint(args.vocab, shape, device=args.device)
    seconds = []
    for tokens in data:
        synchronise(args.device)
        start = time.perf_counter()
        mixed = args.dtype == "bf16"
        with torch.autocast(args.device.split(":")[0], dtype=torch.bfloat16, enabled=mixed):
            loss = loss_of(tokens[:, :-1], tokens[:, 1:])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        synchronise(args.device)
        seconds.append(time.perf_counter() - start)
    return seconds[args.warmup :], loss.item()


def main():
    args = options()
    torch.manual_seed(0)
    if args.threads:
        torch.set_num_threads(args.threads)
    on_gpu = args.device.startswith("cuda")
    if on_gpu:
        torch.cuda.set_device(args.device)
        torch.backends.cuda.matmul.allow_tf32 = True
    model = (Gpt2 if args.network == "gpt2" else Decoder)(args).to(args.device)
    seconds, loss = measure(args, model)
    step = statistics.median(seconds)
    result = {
        "tokens_per_s": round(args.batch * args.context / step, 1),
        "step_ms": round(step * 1e3, 3),
        "params": sum(parameter.numel() for parameter in model.parameters()),
        "loss": round(loss, 4),
        "peak_cuda_mb": torch.cuda.max_memory_allocated() // 2**20 if on_gpu else None,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "dtype": args.dtype,
        "compile": args.compile,
        "network": args.network,
        "device": args.device,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
