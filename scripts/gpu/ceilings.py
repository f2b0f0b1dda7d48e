"""What this machine does at most, through torch: a large copy and large products of matrices.

    python ceilings.py --device cuda:0

--facts prints versions and the name of the device instead; --tiny takes sizes that a processor manages.
Prints one JSON object. Products run on random numbers: zeros can be faster.
"""

import argparse
import json

import torch

from timing import seconds_of


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--facts", action="store_true")
    parser.add_argument("--tiny", action="store_true")
    return parser.parse_args()


def facts(device):
    on_gpu = device.startswith("cuda")
    return {
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "name": torch.cuda.get_device_name(device) if on_gpu else "cpu",
        "capability": torch.cuda.get_device_capability(device) if on_gpu else None,
        "multiprocessors": (
            torch.cuda.get_device_properties(device).multi_processor_count if on_gpu else None
        ),
    }


def copy_rate(device, length):
    source, target = torch.randn(length, device=device), torch.empty(length, device=device)
    return 2 * 4 * length / seconds_of(lambda: target.copy_(source), device)


def product_rate(device, side, dtype):
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    return 2 * side**3 / seconds_of(lambda: a @ b.T, device)


def main():
    args = options()
    if args.facts:
        print(json.dumps(facts(args.device)))
        return
    length = 1 << (20 if args.tiny else 30)
    sides = [128] if args.tiny else [2048, 4096, 8192, 16384]
    types = {"f32": torch.float32, "bf16": torch.bfloat16, "f64": torch.float64}
    # f32 in the tensor cores' tf32 is what f32 training gets; plain f32 stands beside it.
    torch.backends.cuda.matmul.allow_tf32 = False
    result = {"copy_bytes_per_s": copy_rate(args.device, length)}
    for name, dtype in types.items():
        few = sides[:2] if name != "bf16" else sides
        result[f"{name}_flops_per_s"] = max(product_rate(args.device, side, dtype) for side in few)
    torch.backends.cuda.matmul.allow_tf32 = True
    result["tf32_flops_per_s"] = max(
        product_rate(args.device, side, torch.float32) for side in sides[:3]
    )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
