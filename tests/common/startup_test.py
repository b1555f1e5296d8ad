"""Start-up noise is held back, unless the start fails."""

import os
import subprocess
import sys

import pytest

from tf_distill.common import startup
from tf_distill.common.startup import quiet


def write():
    os.write(2, b"from C++\n")
    print("from Python", file=sys.stderr)


@pytest.fixture
def real_stderr(capfd, monkeypatch):
    """Call it: Python's stderr writes to the file descriptor, line by line, as it does at work."""
    return lambda: monkeypatch.setattr(sys, "stderr", open(2, "w", buffering=1, closefd=False))


def test_holds_back_what_is_written_inside_only(capfd, real_stderr):
    real_stderr()
    os.write(2, b"before\n")
    with quiet():
        write()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "before\nafter\n"


def fail():
    with quiet():
        write()
        raise ImportError


def test_shows_all_where_the_block_fails(capfd, real_stderr):
    real_stderr()
    with pytest.raises(ImportError):
        fail()
    os.write(2, b"after\n")
    assert capfd.readouterr().err.splitlines() == ["from C++", "from Python", "after"]


@pytest.mark.parametrize(
    ("cores", "given", "expected"),
    [(2, None, "1"), (2, "2", "2"), (8, None, None), (1, None, None)],
)
def test_two_cores_take_an_operation_each_unless_the_user_says_otherwise(
    monkeypatch, cores, given, expected
):
    monkeypatch.setattr(startup.machine, "cores", lambda: cores)
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    if given:
        monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", given)
    startup.share_cores()
    assert os.environ.get("TF_NUM_INTRAOP_THREADS") == expected
    os.environ.pop("TF_NUM_INTRAOP_THREADS", None)


def test_the_python_interface_starts_as_quietly():
    code = (
        "import tf_distill as td; td.distill; import tensorflow as tf; "
        "tf.config.list_logical_devices()"
    )
    kept = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=kept, check=True)
    assert done.stderr == b""
