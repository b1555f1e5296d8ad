"""A run that is killed at any moment, or whose disk is full, continues to the same bits.

The runs are processes of their own, forked from one that has imported TensorFlow.
"""

import json
import multiprocessing
import os
import random
import re
import resource
import signal
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import pytest
import small

from tf_distill import main
from tf_distill.common import cli, read_metrics
from tf_distill.common.errors import UserError
from tf_distill.export import load
from tf_distill.runs.folder import RunFolder

WRITING = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate")
"""Operations that Python tells an audit hook of before it does them."""
PATIENCE = 300
STEPS = {"outer_steps": 24, "eval_every": 4, "checkpoint_minutes": 1e-9}
"""Few steps and many checkpoints, so that faults happen while it writes."""
SOME_TIME, KILL, FULL, COUNT = "killed some time", "killed at an operation", "full disk", "none"


class Whole(NamedTuple):
    """A run without a fault: settings, files, number of operations in its folder, seconds."""

    settings: dict
    content: dict[str, bytes]
    events: int
    seconds: float


def program(settings: dict, fault: str | None, at: int, errors: Connection) -> None:
    """The program in a child; a fault happens at the n-th file operation in its folder.

    Args:
        settings: of the run.
        fault: KILL, or FULL for a full disk; COUNT to count the operations.
        at: the number of the operation, from 1.
        errors: takes stderr and, for COUNT, the number of operations after it.
    """
    os.dup2(errors.fileno(), 2)
    errors.close()
    seen = [0]

    def watch(event, arguments):
        if event in WRITING and settings["run_dir"] in str(arguments[0]):
            seen[0] += 1
            if seen[0] == at and fault == KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            if seen[0] == at and fault == FULL:
                resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    sys.addaudithook(watch)
    sys.argv = ["main", *(f"--{k}={v}" for k, v in settings.items() if v is not None)]
    try:
        cli.run(main.main, "tf_distill")
    finally:
        if fault == COUNT:
            os.write(2, str(seen[0]).encode())


class Child:
    """The program at work."""

    def __init__(self, context, *arguments):
        self._errors, end = context.Pipe(duplex=False)
        self._process = context.Process(target=program, args=(*arguments, end))
        self._process.start()
        end.close()
        self.join, self.kill = self._process.join, self._process.kill

    def ended(self) -> tuple[int, str]:
        """The exit status and stderr, after its end."""
        self.join(PATIENCE)
        assert self._process.exitcode is not None, "it hangs"
        with os.fdopen(os.dup(self._errors.fileno())) as errors:
            return self._process.exitcode, errors.read()


@pytest.fixture(scope="module")
def fork():
    """Begins the program in a child."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tf_distill.modes", "tf_distill.main"])
    return lambda settings, fault=None, at=0: Child(context, settings, fault, at)


def settings_of(folder: Path) -> dict:
    return json.loads(small.config(folder, **STEPS).to_json())


def content(folder: Path) -> dict[str, bytes]:
    """All that must be equal to the bit, by name."""
    samples = load(folder).samples
    values = {name: v.numpy().tobytes() for name, v in samples._asdict().items()}
    results = json.loads((folder / "results.json").read_text())
    kept = {k: results[k] for k in ("accuracy", "accuracy_before", "learned_lr", "outer_steps")}
    values["results"] = json.dumps(kept).encode()
    history = small.timeless(read_metrics(folder / "metrics.jsonl"))
    return values | {"metrics": json.dumps(history).encode()}


@pytest.fixture(scope="module")
def whole(fork, tmp_path_factory) -> Whole:
    """The run that the runs with faults are compared with."""
    folder = tmp_path_factory.mktemp("whole")
    settings = settings_of(folder / "run")
    started = time.monotonic()
    status, events = fork(settings, COUNT).ended()
    assert status == 0, events
    return Whole(settings, content(folder / "run"), int(events), time.monotonic() - started)


def assert_as_whole(folder: Path, whole: Whole):
    assert content(folder) == whole.content
    left = [p for p in folder.rglob("*") if re.search(r"\.part$|_temp|tempstate|\.tmp", p.name)]
    assert left == []
    assert len(list((folder / "checkpoints").glob("*.index"))) <= 2
    for name in ("report.html", "model/1/saved_model.pb", "figures/history.png"):
        assert (folder / name).exists(), name


def check_faults(fork, whole, folder, faults, draw):
    """Lets the faults happen in turn, in a new run where one has ended; then ends the last run."""
    runs = [folder / str(i) for i in range(len(faults) + 1)]
    waiting, path, tries = list(faults), runs.pop(), 0
    while waiting:
        tries += 1
        assert tries < 5 * len(faults) + 5
        settings = whole.settings | {"run_dir": str(path)}
        if struck(
            fork(settings, waiting[0], draw.randint(1, whole.events)), waiting[0], whole, draw
        ):
            waiting.pop(0)
        else:
            assert_as_whole(path, whole)
            path = runs.pop()
    assert fork(whole.settings | {"run_dir": str(path)}).ended() == (0, "")
    assert_as_whole(path, whole)


def struck(child, fault, whole, draw) -> bool:
    """Whether the fault happened before the end of the run; checks how the program ended."""
    if fault == SOME_TIME:
        child.join(draw.uniform(0, whole.seconds))
        child.kill()
    status, errors = child.ended()
    if fault == FULL and status:
        assert status == 2
        assert re.fullmatch("tf_distill: error: .*(too large|can't write).*\n", errors)
    else:
        assert (status, errors) in ((-signal.SIGKILL, ""), (0, ""))
    return status != 0


@pytest.mark.long
def test_a_run_that_is_killed_and_has_a_full_disk_ends_with_the_same_bits(fork, whole, tmp_path):
    check_faults(fork, whole, tmp_path, (KILL, FULL), random.Random(8))


@pytest.mark.long
def test_deterministic_runs_have_the_bits_that_a_cpu_gives_anyway(fork, whole, tmp_path):
    settings = whole.settings | {"deterministic": True, "run_dir": str(tmp_path / "run")}
    assert fork(settings).ended() == (0, "")
    assert content(tmp_path / "run") == whole.content
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(UserError, match=r"deterministic=False \(it was True\)"):
        folder.check(small.config(tmp_path / "run", **STEPS), {})


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_thirty_kills(fork, whole, tmp_path, seed):
    check_faults(fork, whole, tmp_path, (SOME_TIME, KILL) * 15, random.Random(seed))


@pytest.mark.long
def test_thirty_times_a_full_disk(fork, whole, tmp_path):
    check_faults(fork, whole, tmp_path, (FULL,) * 30, random.Random(0))
