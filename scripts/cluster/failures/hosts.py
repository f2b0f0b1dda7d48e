"""Four hosts on one machine: network namespaces on a bridge, each with a host name and mounts of its own."""

import os
import shlex
import subprocess

SWITCH = "genesis-switch"
NAMES = ["n1", "n2", "n3", "n4"]


def sh(*words, check=True, **more):
    return subprocess.run(words, check=check, capture_output=True, text=True, **more)


def space(host):
    return f"genesis-{host}"


class Hosts:
    """Made on entering, taken away on leaving."""

    def __init__(self, folder):
        self.folder = folder
        self.hooks = os.path.join(folder, "hooks")
        self.agent = os.path.join(folder, "agent")

    def __enter__(self):
        self.remove()
        os.makedirs(self.hooks, exist_ok=True)
        # What a host is told to run: in its network, under its name, with what its hook mounts or sets.
        with open(self.agent, "w") as file:
            file.write(
                "#!/bin/bash\n"
                'host="$1"; shift\n'
                f'hook={shlex.quote(self.hooks)}/"$host"\n'
                'export HOOK="$hook" NAME="$host"\n'
                'exec ip netns exec "genesis-$host" unshare -u -m bash -c \\\n'
                '  \'hostname "$NAME"; [[ -f $HOOK ]] && . "$HOOK"; unset HOOK NAME; eval "$*"\' - "$@"\n'
            )
        os.chmod(self.agent, 0o755)
        sh("ip", "netns", "add", SWITCH)
        self.on(SWITCH, "ip", "link", "add", "br0", "type", "bridge")
        self.on(SWITCH, "ip", "link", "set", "br0", "up")
        for number, host in enumerate(NAMES, 1):
            sh("ip", "netns", "add", space(host))
            sh("ip", "link", "add", f"gen-{host}", "netns", SWITCH, "type", "veth",
               "peer", "name", "eth0", "netns", space(host))
            self.on(SWITCH, "ip", "link", "set", f"gen-{host}", "master", "br0", "up")
            self.on(space(host), "ip", "address", "add", f"10.77.0.{number}/24", "dev", "eth0")
            for device in ["lo", "eth0"]:
                self.on(space(host), "ip", "link", "set", device, "up")
        return self

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        for name in [SWITCH, *map(space, NAMES)]:
            found = sh("ip", "netns", "pids", name, check=False).stdout.split()
            for process in found:
                sh("kill", "-KILL", process, check=False)
            sh("ip", "netns", "delete", name, check=False)

    def on(self, name, *words):
        return sh("ip", "netns", "exec", name, *words)

    def cable(self, host, up):
        self.on(SWITCH, "ip", "link", "set", f"gen-{host}", "up" if up else "down")

    def throttle(self, mbit):
        """Limits what each host sends, with bursts of four milliseconds: the kernel's clock ticks no faster."""
        burst = max(16_000, int(mbit * 1e6 / 8 / 250))
        for host in NAMES:
            self.on(space(host), "tc", "qdisc", "replace", "dev", "eth0", "root", "tbf",
                    "rate", f"{mbit}mbit", "burst", str(burst), "latency", "400ms")

    def hook(self, host, text):
        path = os.path.join(self.hooks, host)
        if text is None:
            if os.path.exists(path):
                os.remove(path)
            return
        with open(path, "w") as file:
            file.write(text + "\n")

    def start(self, host, words, log, environment):
        """A process on `host` that writes into `log`."""
        line = " ".join(map(shlex.quote, words))
        return subprocess.Popen(
            [self.agent, host, line], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={**os.environ, **environment}, start_new_session=True,
        )

    def ranks(self, host):
        """Processes of genesis on `host`, by number."""
        found = []
        for process in sh("ip", "netns", "pids", space(host), check=False).stdout.split():
            try:
                with open(f"/proc/{process}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if os.path.basename(words[0]) == b"genesis" and b"train" in words[1:2]:
                found.append(int(process))
        return found
