"""What a result comes from: the version of the code, and what it took of the machine."""

import functools
import subprocess
import sys
from pathlib import Path

import tensorflow as tf

from tf_distill import machine


def commit() -> str | None:
    """The short name of the checkout's commit, with a + where files differ; None elsewhere.

    As it was when first asked, since a checkout can change while its code runs.
    """
    return _commit_of(Path(__file__).resolve().parents[1])


@functools.cache
def _commit_of(root: Path) -> str | None:
    if not (root / ".git").exists():
        return None
    name = _git(root, "rev-parse", "--short", "HEAD")
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    return name and name + ("+" if changed else "")


def _git(root: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def device() -> str:
    """The first GPU that TensorFlow computes on now, else "CPU"."""
    gpus = tf.config.get_visible_devices("GPU")
    if not (gpus and tf.config.list_logical_devices("GPU")):
        return "CPU"
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")


def peak_memory() -> int | None:
    """MB that this process has held at most, None where the system does not tell."""
    if held := machine.most_resident():
        return round(held / 2**20)
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)
