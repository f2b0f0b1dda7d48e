"""`genesis plan --nodes` against runs on 1, 2 and 4 hosts whose links are throttled.

The step of one rank, and the bus bandwidth of sums over two hosts as the preflight measures it, are what the forecast begins
with. Computing is short, because exchanges are what is to be forecast. Ranks that share a core compute more slowly than the forecast can know, so the step of one rank counts as often as ranks share one.
"""

import json
import os
import shutil
import statistics
import subprocess
import tempfile

from hosts import NAMES, Hosts

RUN = """
run = { dir = "run", seed = 7, threads = 1 }
data.generate = { kind = "molecules", count = 3000, seed = 3 }
model = { kind = "llama", context = 8, num_layers = 4, num_heads = 4, width = 256 }
objective = { kind = "causal", context = 8 }
batch = { sequences = 8 }
parallel = { bucket_mib = 4.0 }
schedule = { steps = 16, peak_rate = 1e-4, decay = { kind = "none" } }
evaluation = { every = 1000000 }
checkpoint = { every = 1000000 }
"""

# Mbit/s that a host may send.
LINKS = [1000, 300, 100, 50]


def walls(run):
    events = [json.loads(line) for line in open(os.path.join(run, "events.jsonl"))]
    found = [event["wall_s"] for event in events if "wall_s" in event]
    return statistics.median(b - a for a, b in zip(found[2:], found[3:]))


def run(genesis):
    folder = tempfile.mkdtemp(prefix="genesis-forecast-")
    own = os.path.join(folder, "genesis")
    shutil.copy(genesis, own)
    with open(os.path.join(folder, "run.toml"), "w") as file:
        file.write(RUN)
    cores = os.cpu_count()
    print("| link | ranks | measured s | forecast s | error | exchange, forecast s |\n|---|---|---|---|---|---|")
    worst = []
    for rate in LINKS:
        with Hosts(folder) as hosts:
            hosts.throttle(rate)
            link = None
            for ranks in [1, 2, 4]:
                name = f"run-{rate}-{ranks}"
                words = ["mpirun", "--allow-run-as-root", "--bind-to", "none", "--mca", "plm_rsh_agent", hosts.agent,
                         "--mca", "btl", "tcp,self", "--mca", "pml", "ob1", "--mca", "mpi_yield_when_idle", "1",
                         "--wdir", folder, "--host", ",".join(NAMES[:ranks]), "-np", str(ranks),
                         own, "train", "run.toml", "--set", f"run.dir={name}"]
                with open(os.path.join(folder, "log"), "w") as log:
                    if hosts.start("n1", words, log, {}).wait() != 0:
                        print(open(log.name).read()[-1000:])
                        return 1
                measured = walls(os.path.join(folder, name))
                if ranks == 1:
                    alone = measured
                    continue
                found = json.load(open(os.path.join(folder, name, "preflight.json")))
                if ranks == 2:
                    # Of sums rather than of messages: what the engine makes of the link.
                    sums = found["all_reduce"]
                    link = f"{sums['latency_s'] * 1e6}us:{sums['bus_bytes_per_s']}B/s"
                step = alone * max(1, ranks / cores)
                said = subprocess.run(
                    [own, "plan", "run.toml", "--set", f"run.dir={name}", "--nodes", str(ranks), "--link", link,
                     "--step-seconds", str(step), "--json"],
                    cwd=folder, capture_output=True, text=True, check=True)
                last = json.loads(said.stdout)["forecast"]["steps"][-1]
                error = last["step_s"] / measured - 1
                worst.append(abs(error))
                print(f"| {rate} Mbit/s | {ranks} | {measured:.3f} | {last['step_s']:.3f} | {100 * error:+.0f} % "
                      f"| {last['exchange_s']:.3f} |", flush=True)
    print(f"\nmean of errors {100 * statistics.mean(worst):.0f} %, largest {100 * max(worst):.0f} %")
    shutil.rmtree(folder)
    return 0
