"""A case being tried: a copy of its folder, the program run in it, and what must hold of the answer."""

import json
import os
import re
import shutil
import subprocess

import outputs
from verdict import Wrong, require

# Exit codes of a refusal that the program means: wrong usage, and input that cannot be used.
REFUSED = (2, 3)
# Keeps every structure of a file in the training split, so that a card has one list of numbers.
ALL_IN_TRAINING = ("--set", 'validation={by="fraction",fraction=0.0}')


class Done:
    """A command that ended: its exit code and what it said."""

    def __init__(self, args, code, out, err):
        self.args, self.code, self.out, self.err = args, code, out, err

    @property
    def said(self):
        """All of it, for people."""
        return f"{self.out}\n{self.err}"

    def says(self, pattern):
        """Whether the pattern is in it, in any case of letters."""
        return re.search(pattern, self.said, re.IGNORECASE) is not None

    def __str__(self):
        last = [line for line in self.said.strip().splitlines() if line.strip()][-2:]
        return f"`{' '.join(map(str, self.args))}` ends with {self.code}: {' / '.join(last)}"


class Trial:
    """The scratch copy of one case: `atoms/NAME` beside `atoms/_models`, as paths in case.md are."""

    def __init__(self, case, binary, scratch, models, timeout_s):
        self.case, self.binary, self.models, self.timeout_s = case, binary, models, timeout_s
        self.dir = copied(case, scratch / case.parent.name / case.name)
        self.num_outputs = 0

    def path(self, name):
        """A file of the copy."""
        return self.dir / name

    def genesis(self, *args):
        """The program run in the copy, however it ends; a panic or a signal ends the case."""
        done = executed(self.binary, args, self.dir, self.timeout_s)
        require(done.code not in (101, 134) and done.code >= 0, f"it crashed: {done}")
        return done

    def ok(self, *args):
        """A command that must succeed."""
        done = self.genesis(*args)
        require(done.code == 0, done)
        return done

    def refused(self, *args, naming):
        """A command that must be refused with a text that has every pattern."""
        return require_refusal(self.genesis(*args), naming)

    def new(self, suffix=""):
        """A name in the copy that nothing has yet."""
        self.num_outputs += 1
        return f"out{self.num_outputs}{suffix}"

    def ingest(self, *args):
        """An ingest however it ends, and its card or None."""
        out = self.new()
        done = self.genesis("ingest", *args, "--out", out)
        return done, (json.loads(self.path(out).joinpath("dataset.json").read_text()) if done.code == 0 else None)

    def dataset(self, *args):
        """The folder and the card of an ingest that must succeed."""
        done, card = self.ingest(*args)
        require(card is not None, done)
        return self.path(done.args[-1]), card

    def structures(self, *args):
        """An ingest of structures into one split, however it ends, and its card or None."""
        return self.ingest(*args, *ALL_IN_TRAINING)

    def scores(self, *args):
        """Rows by id of a table that `score` must write."""
        out = self.new(".csv")
        self.ok("score", *args, "--out", out)
        return outputs.rows_by_id(self.path(out))

    def generated(self, *args):
        """Samples that `generate --json` must print."""
        return [json.loads(line) for line in self.ok("generate", *args, "--json").out.splitlines() if line.strip()]

    def evaluated(self, *args):
        """What `evaluate --json` must print."""
        return json.loads(self.ok("evaluate", *args, "--json").out.strip().splitlines()[-1])

    def predicted(self, model, *args):
        """Frames that `predict` must write."""
        out = self.new(".xyz")
        self.ok("predict", model, *args, "--out", out)
        return outputs.frames(self.path(out).read_text())


def require_refusal(done, naming):
    """Ends the case unless the command was refused with a text that has every pattern."""
    require(done.code in REFUSED, f"neither refused nor right: {done}")
    for pattern in naming:
        require(done.says(pattern), f"the refusal does not name {pattern!r}: {done}")
    return done


def executed(binary, args, folder, timeout_s):
    """The program run in a folder, with one thread: the cases are small."""
    done = subprocess.run(
        [str(binary), *map(str, args)],
        cwd=folder,
        env={**os.environ, "RAYON_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout_s,
        check=False,
    )
    return Done(args, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def copied(folder, to):
    """A copy that may be written to; what is shared is read-only."""
    shutil.copytree(folder, to)
    for path in [to, *to.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)
    return to


class Models:
    """Models that several cases ask for, each trained once, when the first asks."""

    def __init__(self, cases, binary, scratch, timeout_s):
        self.cases, self.binary, self.scratch, self.timeout_s = cases, binary, scratch, timeout_s
        self.runs = {}

    def trained(self, name, *commands, folder, run):
        """The run folder that the commands leave in a copy of a folder of the cases, or the failure again."""
        if name not in self.runs:
            self.runs[name] = self.train(name, commands, folder) or self.scratch / name / run
        if isinstance(self.runs[name], Wrong):
            raise self.runs[name]
        return self.runs[name]

    def train(self, name, commands, folder):
        copied(self.cases / folder, self.scratch / name)
        for command in commands:
            done = executed(self.binary, command, self.scratch / name, self.timeout_s)
            if done.code != 0:
                return Wrong(f"the model {name} cannot be trained: {done}")
        return None

    def atoms(self, name):
        """A run of `atoms/_models/NAME.toml`, whose paths are relative to `atoms/`."""
        return self.trained(name, ["train", f"_models/{name}.toml"], folder="atoms", run=f"runs/{name}")

    def smiles(self):
        """The model of `sequences/evaluate-a-test-file`."""
        ingest = ["ingest", "train.smi", "--format", "text", "--document", "line", "--tokenizer", "smiles"]
        ingest += ["--validation", "0.1", "--out", "data"]
        return self.trained(
            "smiles", ingest, ["train", "run.toml"], folder="sequences/evaluate-a-test-file", run="run"
        )
