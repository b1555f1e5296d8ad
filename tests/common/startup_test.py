"""Start-up noise is held back, unless the start fails."""

import contextlib
import os
import subprocess
import sys

import pytest

from tf_distill.common import startup
from tf_distill.common.startup import quiet


def start(error):
    with quiet():
        os.write(2, b"from C++\n")
        print("from Python", file=sys.stderr)
        if error:
            raise error


@pytest.mark.parametrize(
    ("error", "shown"), [(None, []), (ImportError, ["from C++", "from Python"])]
)
def test_holds_back_what_is_written_inside_only_unless_it_fails(capfd, monkeypatch, error, shown):
    # Python's stderr writes to the file descriptor, line by line, as it does at work.
    with open(2, "w", buffering=1, closefd=False) as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        os.write(2, b"before\n")
        with pytest.raises(error) if error else contextlib.nullcontext():
            start(error)
        os.write(2, b"after\n")
        monkeypatch.undo()
    assert capfd.readouterr().err.splitlines() == ["before", *shown, "after"]


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


@pytest.mark.long
def test_the_python_interface_starts_as_quietly():
    code = ("import tf_distill as td; td.distill; import tensorflow as tf; "
            "tf.config.list_logical_devices()")  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=kept, check=True)
    assert done.stderr == b""
