"""Times in torch what `genesis bench kernels` timed: the same operations on the same shapes.

    python torch_kernels.py kernels.json --device cuda:0

Every entry of kernels.json that torch or e3nn has a counterpart for is timed on random numbers made
before the clock starts. bf16 entries get bf16 tensors, which spares torch the rounding that ours
does. Prints one JSON object: {"kernels": [{family, operation, shape, arithmetic, median_s, how}]}.
"""

import argparse
import json
import os
import re

# Before torch: e3nn loads its constants, a file of its own package, as a pickle.
os.environ.setdefault("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")

import torch
from torch.nn import functional

from timing import seconds_of

try:
    from e3nn import o3
except ImportError:
    o3 = None

HARMONICS = 3


class Maker:
    """Tensors on a device, in the type of an entry."""

    def __init__(self, device, arithmetic):
        types = {"f32": torch.float32, "bf16": torch.bfloat16, "f64": torch.float64}
        self.device, self.dtype = device, types[arithmetic]

    def normal(self, *shape, tracked=False):
        x = torch.randn(*shape, device=self.device, dtype=torch.float32).to(self.dtype)
        return x.requires_grad_(tracked)

    def ids(self, count, end):
        return torch.randint(end, (count,), device=self.device)


def numbers(shape):
    return [int(word) for word in re.findall(r"\d+", shape)]


def backward_of(output, inputs, make):
    """Only the backward, over a graph that is kept."""
    grad = torch.randn_like(output)
    return lambda: torch.autograd.grad(output, inputs, grad, retain_graph=True)


def linear(operation, shape, make):
    n, i, o = numbers(shape)
    x, w, g = make.normal(n, i), make.normal(o, i), make.normal(n, o)
    return {
        "forward": lambda: functional.linear(x, w),
        "input_backward": lambda: g @ w,
        "weight_backward": lambda: g.T @ x,
    }[operation]


def attention(operation, shape, make):
    batch, context, heads, width = numbers(shape)
    causal = "causal" in shape
    tracked = operation == "backward"
    q, k, v = (make.normal(batch, heads, context, width, tracked=tracked) for _ in range(3))

    def forward():
        return functional.scaled_dot_product_attention(q, k, v, is_causal=causal)

    return backward_of(forward(), (q, k, v), make) if tracked else forward


def cross_entropy(operation, shape, make):
    tokens, width, vocabulary = numbers(shape)
    hidden = make.normal(tokens, width, tracked=True)
    weight = make.normal(vocabulary, width, tracked=True)
    labels = make.ids(tokens, vocabulary)

    def both():
        loss = functional.cross_entropy(functional.linear(hidden, weight).float(), labels)
        return torch.autograd.grad(loss, (hidden, weight))

    return both


def norm(operation, shape, make):
    tokens, width = numbers(shape)
    tracked = operation.endswith("backward")
    x, w, b = (make.normal(*s, tracked=tracked) for s in [(tokens, width), (width,), (width,)])
    rms = operation.startswith("rms")

    def forward():
        if rms:
            return functional.rms_norm(x, (width,), w, 1e-5)
        return functional.layer_norm(x, (width,), w, b, 1e-5)

    inputs = (x, w) if rms else (x, w, b)
    return backward_of(forward(), inputs, make) if tracked else forward


def rotary(operation, shape, make):
    tokens, heads, width = numbers(shape)
    x = make.normal(tokens, heads, width)
    cos, sin = (make.normal(tokens, 1, width // 2) for _ in range(2))

    def forward():
        a, b = x.chunk(2, dim=-1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)

    return forward


def embedding(operation, shape, make):
    tokens, width, vocabulary = numbers(shape)
    table, ids = make.normal(vocabulary, width), make.ids(tokens, vocabulary)
    if operation == "forward":
        return lambda: functional.embedding(ids, table)
    grad = make.normal(tokens, width)
    return lambda: torch.ops.aten.embedding_dense_backward(grad, ids, vocabulary, -1, False)


def activation(of):
    def timed(operation, shape, make):
        tracked = operation.startswith(("backward", "slope"))
        x, y = (make.normal(*numbers(shape), tracked=tracked) for _ in range(2))
        inputs = (x, y) if of is swiglu else (x,)
        return backward_of(of(x, y), inputs, make) if tracked else lambda: of(x, y)

    return timed


def swiglu(gate, up):
    return functional.silu(gate) * up


def adamw(operation, shape, make):
    parameter = torch.nn.Parameter(make.normal(*numbers(shape)))
    parameter.grad = make.normal(*numbers(shape))
    settings = {"lr": 1e-3, "betas": (0.9, 0.95), "weight_decay": 0.1, "fused": True}
    if operation == "amsgrad":
        return torch.optim.Adam([parameter], amsgrad=True, **settings).step
    return torch.optim.AdamW([parameter], **settings).step


def reduce(operation, shape, make):
    x = make.normal(*numbers(shape))
    return lambda: torch.linalg.vector_norm(x).square()


def rows(operation, shape, make):
    count, nodes, width = numbers(shape)
    index = make.ids(count, nodes)
    if operation == "gather":
        x = make.normal(nodes, width)
        return lambda: x.index_select(0, index)
    x = make.normal(count, width)
    return lambda: torch.zeros(nodes, width, device=x.device, dtype=x.dtype).index_add_(0, index, x)


def spherical_harmonics(operation, shape, make):
    count = numbers(shape)[0]
    tracked = operation == "backward"
    vectors = make.normal(count, 3, tracked=tracked)
    degrees = list(range(HARMONICS + 1))

    def forward():
        return o3.spherical_harmonics(degrees, vectors, True, "component")

    return backward_of(forward(), (vectors,), make) if tracked else forward


def convolution(operation, shape, make):
    """The weighted tensor product of e3nn with gather and sum, as mace-torch has it."""
    nodes, edges, channels, degree = numbers(shape)

    def irreps(highest, count):
        return o3.Irreps("+".join(f"{count}x{l}{'eo'[l % 2]}" for l in range(highest + 1)))

    inputs, harmonics = irreps(degree, channels), irreps(HARMONICS, 1)
    paths, outputs = [], []
    for l1 in range(degree + 1):
        for l2 in range(HARMONICS + 1):
            for l3 in range(abs(l1 - l2), min(l1 + l2, HARMONICS) + 1):
                if (l1 + l2 + l3) % 2 == 0:
                    paths.append((l1, l2, len(outputs), "uvu", True))
                    outputs.append((channels, (l3, (-1) ** l3)))
    product = o3.TensorProduct(
        inputs, harmonics, o3.Irreps(outputs), paths, shared_weights=False, internal_weights=False
    ).to(make.device, make.dtype)
    wanted = operation != "forward"
    features = make.normal(nodes, inputs.dim, tracked=wanted)
    angles = make.normal(edges, harmonics.dim, tracked=wanted)
    weights = make.normal(edges, product.weight_numel, tracked=wanted)
    senders, receivers = make.ids(edges, nodes), torch.arange(edges, device=make.device) * nodes // edges

    def forward():
        messages = product(features[senders], angles, weights)
        zeros = torch.zeros(nodes, messages.shape[1], device=make.device, dtype=make.dtype)
        return zeros.index_add(0, receivers, messages)

    slots = {"features": features, "harmonics": angles, "radial": weights}
    return backward_of(forward(), (slots[operation],), make) if wanted else forward


COUNTERPARTS = {
    "linear": (linear, "torch: matmul"),
    "attention": (attention, "torch: scaled_dot_product_attention"),
    "cross_entropy": (cross_entropy, "torch: linear, cross_entropy and both gradients"),
    "norm": (norm, "torch: rms_norm, layer_norm"),
    "rotary": (rotary, "torch: eager"),
    "embedding": (embedding, "torch: embedding"),
    "swiglu": (activation(swiglu), "torch: silu and a product"),
    "gelu": (activation(lambda x, _: functional.gelu(x)), "torch: gelu"),
    "silu": (activation(lambda x, _: functional.silu(x)), "torch: silu"),
    "dropout": (activation(lambda x, _: functional.dropout(x, 0.1)), "torch: dropout"),
    "adamw": (adamw, "torch: fused optimizer"),
    "reduce": (reduce, "torch: vector_norm"),
    "rows": (rows, "torch: index_select, index_add"),
    "convolution": (convolution, "e3nn: TensorProduct, index_add"),
    "spherical_harmonics": (spherical_harmonics, "e3nn: spherical_harmonics"),
}
NEEDS_E3NN = {"convolution", "spherical_harmonics"}
# Without a counterpart: the second derivative of silu.
ABSENT = {("silu", "bend")}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kernels")
    parser.add_argument("--device", default="cuda:0")
    args = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = True
    with open(args.kernels) as file:
        entries = json.load(file)["kernels"]
    timed = []
    for entry in entries:
        family, operation = entry["family"], entry["operation"]
        if family not in COUNTERPARTS or (family, operation) in ABSENT:
            continue
        if family in NEEDS_E3NN and o3 is None:
            continue
        counterpart, how = COUNTERPARTS[family]
        shape, arithmetic = entry["shape"], entry["arithmetic"]
        row = {"family": family, "operation": operation, "shape": shape, "arithmetic": arithmetic}
        try:
            # A chosen seed, so that a second run has the same inputs.
            torch.manual_seed(0)
            work = counterpart(operation, shape, Maker(args.device, arithmetic))
            timed.append({**row, "median_s": seconds_of(work, args.device), "how": how})
        except (RuntimeError, NotImplementedError) as error:
            timed.append({**row, "median_s": None, "how": f"{how}: {str(error).splitlines()[0]}"})
        if args.device.startswith("cuda"):
            torch.cuda.empty_cache()
    print(json.dumps({"torch": torch.__version__, "kernels": timed}))


if __name__ == "__main__":
    main()
