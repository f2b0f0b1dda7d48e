"""How long work takes, on a processor and on a GPU."""

import statistics
import time

import torch


def seconds_of(work, device, least=7, total=0.2):
    """Median seconds of `work`, with enough of it queued that waiting does not count."""
    on_gpu = str(device).startswith("cuda")

    def run(times):
        if on_gpu:
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            for _ in range(times):
                work()
            end.record()
            end.synchronize()
            return start.elapsed_time(end) * 1e-3 / times
        begin = time.perf_counter()
        for _ in range(times):
            work()
        return (time.perf_counter() - begin) / times

    run(2)
    times = int(min(max(2e-3 / max(run(2), 1e-7), 1), 200)) if on_gpu else 1
    samples, spent = [], 0.0
    while len(samples) < least or spent < total:
        samples.append(run(times))
        spent += samples[-1] * times
    return statistics.median(samples)
