"""One case for each way in which a host fails."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

from hosts import NAMES, Hosts

MPIRUN_SH = os.path.join(os.path.dirname(__file__), "..", "mpirun.sh")
VICTIM = "n3"
LIMIT_S = 60

RUN = """
run = { dir = "run", seed = 7, threads = 1 }
data.generate = { kind = "molecules", count = 3000, seed = 3 }
model = { kind = "llama", context = 32, num_layers = 2, num_heads = 2, width = 32 }
objective = { kind = "causal", context = 32 }
batch = { sequences = 24 }
schedule = { steps = 1000000, peak_rate = 1e-3, decay = { kind = "none" } }
evaluation = { every = 1000000 }
checkpoint = { every = 20 }
"""


def cable(bench):
    bench.hosts.cable(VICTIM, False)


def killed(bench):
    bench.send(signal.SIGKILL)


def stopped(bench):
    bench.send(signal.SIGSTOP)


def interface(bench):
    bench.hosts.hook(VICTIM, "export OMPI_MCA_btl_tcp_if_include=lo")


def config(bench):
    other = RUN.replace("1e-3", "0.5")
    bench.write("other.toml", other)
    bench.hosts.hook(VICTIM, f"mount --bind {bench.path('other.toml')} {bench.path('run.toml')}")


def program(bench):
    other = bench.path("other/genesis")
    os.makedirs(os.path.dirname(other), exist_ok=True)
    shutil.copy(bench.path("genesis"), other)
    with open(other, "ab") as file:
        file.write(b"another build")
    bench.hosts.hook(VICTIM, f"mount --bind {other} {bench.path('genesis')}")


def disk(bench):
    """A disk of its own with what is there, and no room for more."""
    there, aside = bench.path("run/checkpoints"), bench.path("aside")
    bench.hosts.hook(
        VICTIM,
        f"cp -a {there} {aside}; mount -t tmpfs -o size=4m none {there}; cp -a {aside}/. {there}/; "
        f"head -c 4m /dev/zero > {there}/full 2>/dev/null; rm -rf {aside}",
    )


# What is done to the victim, and whether that is before the ranks start.
CASES = {
    "cable": (cable, False),
    "killed": (killed, False),
    "stopped": (stopped, False),
    "interface": (interface, True),
    "config": (config, True),
    "program": (program, True),
    "disk": (disk, True),
}


class Bench:
    """A run on four hosts."""

    def __init__(self, folder, genesis, hosts):
        self.folder, self.hosts = folder, hosts
        shutil.copy(genesis, self.path("genesis"))
        self.write("run.toml", RUN)
        self.write("hosts", "".join(f"{name} slots=1\n" for name in NAMES))
        self.job = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)

    def start(self):
        self.log = open(self.path("log"), "w")
        environment = {
            "GENESIS": self.path("genesis"),
            "LAUNCH_AGENT": self.hosts.agent,
            "MPIRUN_OPTIONS": "--allow-run-as-root --bind-to none --mca btl tcp,self --mca pml ob1 "
            "--mca mpi_yield_when_idle 1 " + f"--wdir {self.folder}",
        }
        words = [os.path.abspath(MPIRUN_SH), self.path("hosts"), self.path("run.toml")]
        self.job = self.hosts.start("n1", words, self.log, environment)

    def stop(self):
        """Ends the run; its exit code, or None where it has to be killed."""
        for process in self.scripts():
            os.kill(process, signal.SIGTERM)
        try:
            code = self.job.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.job.kill()
            code = None
        self.log.close()
        return code

    def scripts(self):
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    words = open(f"/proc/{name}/cmdline", "rb").read().split(b"\0")
                except OSError:
                    continue
                if len(words) > 2 and words[1].endswith(b"mpirun.sh") and words[2] == self.path("hosts").encode():
                    found.append(int(name))
        return found[:1]

    def said(self):
        with open(self.path("log")) as file:
            return file.read()

    def steps(self):
        """Sessions that began, and the last step."""
        last, sessions = 0, 0
        try:
            with open(self.path("run/events.jsonl")) as file:
                for line in file:
                    try:
                        event = json.loads(line)
                    except ValueError:
                        continue
                    last = event.get("step", last)
                    sessions = max(sessions, event.get("session") or 0)
        except OSError:
            pass
        return sessions, last

    def send(self, number):
        for process in self.hosts.ranks(VICTIM):
            os.kill(process, number)

    def until(self, what, limit_s):
        """Seconds until `what` is true; `None` if it is not in time."""
        begun = time.time()
        while time.time() - begun < limit_s:
            if what():
                return time.time() - begun
            if self.job.poll() is not None:
                return time.time() - begun if what() else None
            time.sleep(0.1)
        return None


def names(text):
    """The first line that names the victim as what failed."""
    for line in text.splitlines():
        blames = line.startswith("error:") or "mpirun noticed" in line
        if blames and re.search(rf"\b{VICTIM}\b", line):
            return line
    return None


def case(bench, harm, before):
    """Whether the run goes on without the victim, and what was seen."""
    bench.start()
    if bench.until(lambda: bench.steps()[1] >= 50, 90) is None:
        return False, "no step on four hosts: " + bench.said()[-400:]
    if before:
        bench.stop()
        harm(bench)
        bench.start()
    else:
        harm(bench)
    sessions, _ = bench.steps()
    seconds = bench.until(lambda: names(bench.said()), 2 * LIMIT_S)
    if seconds is None:
        bench.stop()
        return False, f"nothing named {VICTIM}: " + bench.said()[-400:]
    line = names(bench.said())
    on = bench.until(lambda: bench.steps()[0] > sessions, LIMIT_S)
    told = f"{seconds:.1f} s: {line}"
    if on is None:
        bench.stop()
        return False, f"{told}\n      it did not go on: " + bench.said()[-600:]
    left = [it for it in bench.said().splitlines() if " start " in it and " ranks on " in it][-1]
    code = bench.stop()
    good = seconds <= LIMIT_S and VICTIM not in left.split(" on ")[1] and code == 5
    return good, f"{told}\n      next step after {seconds + on:.1f} s in all; {left[21:]}; then exit code {code}"


def run(genesis, wanted):
    unknown = [name for name in wanted if name not in CASES]
    if unknown:
        print(f"no such case: {', '.join(unknown)}; there are {', '.join(CASES)}")
        return 2
    failed = 0
    for name in wanted or CASES:
        folder = tempfile.mkdtemp(prefix="genesis-failures-")
        with Hosts(folder) as hosts:
            harm, before = CASES[name]
            good, seen = case(Bench(folder, genesis, hosts), harm, before)
        print(f"{'right' if good else 'WRONG'} {name:<10} {seen}", flush=True)
        failed += not good
        if good:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"      {folder}/log")
    print(f"{failed} wrong")
    return 1 if failed else 0
