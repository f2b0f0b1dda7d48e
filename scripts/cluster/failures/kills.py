"""Two ranks, of which one or both are killed again and again at any instant, saves included.

Right is: every start goes on from a checkpoint that is at most as many steps old as lie between two, and the losses
are those of a run that nobody killed, to the bit.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time

EVERY = 1
RUN = f"""
run = {{ dir = "run", seed = 7, threads = 1 }}
data.generate = {{ kind = "molecules", count = 3000, seed = 3 }}
model = {{ kind = "llama", context = 32, num_layers = 2, num_heads = 2, width = 32, dropout = 0.1 }}
objective = {{ kind = "causal", context = 32 }}
batch = {{ sequences = 4 }}
parallel = {{ deterministic = true, parts = 2 }}
schedule = {{ steps = 1000000, peak_rate = 1e-3, decay = {{ kind = "none" }} }}
evaluation = {{ every = 1000000 }}
checkpoint = {{ every = {EVERY} }}
"""


def losses(run):
    found = {}
    try:
        for line in open(os.path.join(run, "events.jsonl")):
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if "loss" in event:
                found[event["step"]] = event["loss"]
    except OSError:
        pass
    return found


def committed(run):
    folder = os.path.join(run, "checkpoints")
    if not os.path.isdir(folder):
        return 0
    there = [name for name in os.listdir(folder) if os.path.isfile(f"{folder}/{name}/COMMITTED")]
    return max([int(name[5:]) for name in there if name[5:].isdigit()], default=0)


def ranks_of(launcher):
    """Processes of both ranks; nothing while one is not there."""
    found = subprocess.run(["pgrep", "-P", str(launcher)], capture_output=True, text=True)
    ranks = []
    for process in found.stdout.split():
        try:
            if b"OMPI_COMM_WORLD_RANK=" in open(f"/proc/{process}/environ", "rb").read():
                ranks.append(int(process))
        except OSError:
            pass
    return ranks if len(ranks) == 2 else []


def half_written(run):
    folder = os.path.join(run, "checkpoints")
    return os.path.isdir(folder) and any(name.endswith(".tmp") for name in os.listdir(folder))


def run(genesis, kills, seed=1):
    genesis, chance = os.path.abspath(genesis), random.Random(seed)
    folder = tempfile.mkdtemp(prefix="genesis-kills-")
    with open(os.path.join(folder, "run.toml"), "w") as file:
        file.write(RUN)
    mpirun = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1",
              "-np", "2", genesis, "train", "run.toml", "--resume"]
    where = os.path.join(folder, "run")
    wrong, saving, worst = 0, 0, 0
    for kill in range(kills):
        with open(os.path.join(folder, "log"), "w") as log:
            job = subprocess.Popen(mpirun, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            first, ranks, begun = committed(where), [], time.time()
            while not ranks and job.poll() is None and time.time() - begun < 60:
                ranks = ranks_of(job.pid)
            # From before the first step to long after: a start takes a second or two.
            time.sleep(chance.uniform(0, 5))
            if not ranks or job.poll() is not None:
                wrong += 1
                job.kill()
                print(f"kill {kill + 1}: it had ended: {open(log.name).read()[-500:]}")
                continue
            saving += half_written(where)
            # One of the two, or both.
            for process in chance.choice([ranks[:1], ranks[1:], ranks]):
                os.kill(process, signal.SIGKILL)
            code = job.wait(timeout=60)
        lost = max(losses(where), default=0) - committed(where)
        worst = max(worst, lost)
        if code == 0 or lost > 2 * EVERY or committed(where) < first:
            wrong += 1
            print(f"kill {kill + 1}: exit code {code}, {lost} steps lost, {first} before")
    last = committed(where)
    steps = ["--set", f"schedule.steps={last + EVERY}"]
    done = subprocess.run([*mpirun, *steps], cwd=folder, capture_output=True, text=True)
    alone = subprocess.run([genesis, "train", "run.toml", "--set", "run.dir=alone", *steps], cwd=folder, capture_output=True, text=True)
    same = losses(where) == losses(os.path.join(folder, "alone"))
    verified = subprocess.run([genesis, "verify", "run"], cwd=folder, capture_output=True).returncode == 0
    print(f"{kills} kills, {saving} while a checkpoint was written, at most {worst} steps lost, {last} steps kept; "
          f"finished: {done.returncode == 0 and alone.returncode == 0}, losses those of a run without kills to the bit: "
          f"{same}, verified: {verified}; {wrong} wrong")
    if wrong or not (same and verified):
        return 1
    shutil.rmtree(folder)
    return 0
