"""Training on atoms, and taking the network elsewhere."""

import ast
import os
import shutil
import subprocess

from registry import check
from trial import require_refusal
from verdict import require


@check
def train_batch_larger(t):
    """A clear refusal, or smaller batches."""
    done = t.genesis("train", "run.toml")
    if done.code != 0:
        require_refusal(done, ["64", r"batch\.frames|structures"])


@check
def train_empty_validation(t):
    """Refuse or warn: without a validation set a plateau never hears anything."""
    done = t.genesis("train", "run.toml")
    if done.code != 0:
        require_refusal(done, ["validation"])
    else:
        require(done.says(r"(no|empty|without|0 structures).*validation|validation.*(no|empty|nothing)\b"), done)


@check
def train_stage_two_later(t):
    """A second stage from a step that is not used yet is allowed; own weights may begin a new run.

    A refusal may name the option that does it; then the option must.
    """
    t.ok("train", "first.toml")
    shutil.copytree(t.path("run"), t.path("spare"))
    t.ok("train", "longer.toml", "--resume")
    shutil.rmtree(t.path("run"))
    t.path("spare").rename(t.path("run"))
    from_own = ("train", "from.toml", "--from", "run/checkpoints/step-00000060")
    done = t.genesis(*from_own)
    if done.code != 0:
        require_refusal(done, ["--weights-only"])
        t.ok(*from_own, "--weights-only")
    t.ok("train", "second.toml", "--resume")
    require(t.path("run/checkpoints/step-00000090").is_dir(), "no checkpoint of step 90")


@check
def export_load_script(t):
    """The documented command writes model.pt, whether or not mace was imported before.

    Without mace-torch the order of imports is read from the script: e3nn 0.4.4 loads its constants with
    torch.load, and mace sets TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD for it (mace/__init__.py), so mace comes first.
    """
    t.ok("export", t.models.atoms("si"), "ex")
    script = t.path("ex/load_mace.py")
    imports = imported(ast.parse(script.read_text()))
    first = [it for it in imports if it in ("e3nn", "mace")]
    allowed = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD" in script.read_text()
    require(first[:1] != ["e3nn"] or allowed, f"e3nn is imported before mace: {imports}")
    python = os.environ.get("MACE_PYTHON")
    if python is None:
        return "the order of imports alone: MACE_PYTHON names no Python with mace-torch"
    for before in ("", "import mace; "):
        code = f"{before}import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
        command = [python, "-c", code, str(script), "ex", "model.pt"]
        done = subprocess.run(command, cwd=t.dir, capture_output=True, text=True, check=False)
        require(done.returncode == 0 and t.path("model.pt").exists(), f"load_mace.py: {done.stderr[-300:]}")
        t.path("model.pt").unlink()
    return "with mace-torch"


def imported(tree):
    """Packages in the order in which a script imports them, functions aside."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [(node.lineno, it.name.split(".")[0]) for it in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append((node.lineno, (node.module or "").split(".")[0]))
    return [name for _, name in sorted(names)]
