"""Training speed of a GPT-2 in PyTorch on one process, or on several by DistributedDataParallel over gloo.

The model is that of `kind = "gpt2"`: learned positions, LayerNorm, attention through scaled_dot_product_attention,
GELU by tanh, biases, tied head; cross entropy, clipping at norm 1, AdamW. One process is the plain model without
DistributedDataParallel. A batch is that of all processes; each computes its part. Data are random token ids made
before the clock starts, which begins and ends at a barrier.

usage: RANK=0 WORLD_SIZE=1 MASTER_ADDR=127.0.0.1 MASTER_PORT=29500 python torch_ddp.py --layers 4 --width 256
       --heads 4 --context 256 --batch 8 --vocab 256 --steps 12 [--warmup 3] [--threads 1] [--compile]
prints one JSON line on rank 0: step_ms of every step, tokens_per_s (of their median), params, loss, torch
"""
import argparse
import json
import os
import statistics
import time

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        rows, columns, width = x.shape
        q, k, v = (
            t.view(rows, columns, self.heads, -1).transpose(1, 2) for t in self.qkv(self.norm_1(x)).split(width, 2)
        )
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(a.transpose(1, 2).reshape(rows, columns, width))
        return x + self.down(F.gelu(self.up(self.norm_2(x)), approximate="tanh"))


class Model(nn.Module):
    def __init__(self, a):
        super().__init__()
        self.tokens, self.places = nn.Embedding(a.vocab, a.width), nn.Embedding(a.context, a.width)
        self.blocks = nn.ModuleList(Block(a.width, a.heads) for _ in range(a.layers))
        self.norm = nn.LayerNorm(a.width)
        for weight in (self.tokens.weight, self.places.weight):
            nn.init.normal_(weight, std=0.02)

    def forward(self, x, y):
        h = self.tokens(x) + self.places.weight[: x.shape[1]]
        for block in self.blocks:
            h = block(h)
        logits = F.linear(self.norm(h), self.tokens.weight)
        return F.cross_entropy(logits.flatten(0, 1), y.flatten())


def main():
    parser = argparse.ArgumentParser()
    sizes = dict(layers=4, width=256, heads=4, context=256, batch=8, vocab=256, steps=12, warmup=3, threads=1)
    for name, size in sizes.items():
        parser.add_argument("--" + name, type=int, default=size)
    parser.add_argument("--compile", action="store_true")
    a = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(a.threads)
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    dist.init_process_group("gloo")
    model = plain = Model(a)
    if world > 1:
        model = nn.parallel.DistributedDataParallel(plain)
    if a.compile:
        model = torch.compile(model)
    optimizer = torch.optim.AdamW(plain.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    ids = torch.randint(a.vocab, (a.steps + a.warmup, a.batch, a.context + 1))
    mine = ids.chunk(world, 1)[rank]
    times = []
    for batch in mine:
        dist.barrier()
        begin = time.perf_counter()
        loss = model(batch[:, :-1], batch[:, 1:])
        loss.backward()
        nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        dist.barrier()
        times.append(time.perf_counter() - begin)
    times = times[a.warmup :]
    if rank == 0:
        print(json.dumps(dict(
            step_ms=[round(it * 1e3, 2) for it in times],
            tokens_per_s=round(a.batch * a.context / statistics.median(times)),
            params=sum(it.numel() for it in plain.parameters()),
            loss=round(loss.item(), 4),
            world=world, threads=torch.get_num_threads(), compile=a.compile, torch=torch.__version__,
        )))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
