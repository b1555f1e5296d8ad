"""Outer steps shared by two virtual devices, and by two processes that may lose each other."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import small
import tensorflow as tf
from places import ROOT

import tf_distill
from tf_distill.common.errors import UserError
from tf_distill.core import distribution
from tf_distill.core.distilled import DistilledSet
from tf_distill.core.distribution import Distribution
from tf_distill.core.outer import Distillation, OuterStep, outer_update

SETTINGS = {"outer_steps": 40, "init": "random", "networks": 2, "eval_networks": 4}
PATIENCE = 120


def start(*command, **environment):
    """A Python program of the repository in a process of its own."""
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.long
def test_two_devices_reach_what_one_does():
    out, errors = start("tests/two_devices.py").communicate(timeout=PATIENCE)
    assert out, errors
    for case, difference in json.loads(out.splitlines()[-1]).items():
        assert 0 < difference < 1e-5, case  # 0 would mean that nothing was divided


@pytest.fixture
def workers(tmp_path):
    """Starts the program on two workers of a cluster on this machine."""
    started = []

    def cluster(**settings):
        with socket.socket() as one, socket.socket() as other:
            places = []
            for free in (one, other):
                free.bind(("127.0.0.1", 0))
                places.append(f"127.0.0.1:{free.getsockname()[1]}")
        flags = [f"--{k}={v}" for k, v in settings.items()]
        for index in range(2):
            task = {"cluster": {"worker": places}, "task": {"type": "worker", "index": index}}
            program = ("-m", "tf_distill.main", "--distribution=multiworker", *flags)
            started.append(start(*program, TF_CONFIG=json.dumps(task)))
        return started[-2:]

    yield cluster
    for process in started:
        process.kill()
        process.communicate()


class Lost(Distribution):
    """Loses a worker in each step."""

    def mean(self, function, whole):
        loss, gradients = function(whole)
        return tf.debugging.check_numerics(loss * float("nan"), "lost"), gradients


def test_a_step_in_which_a_worker_is_lost_does_not_count():
    """Else the checkpoint that follows would leave that step out."""
    state = Distillation(DistilledSet(small.samples()), 0.05, 4, 0.5)
    update = outer_update(state, small.learner(), small.dataset(), OuterStep(16), Lost())
    with pytest.raises(tf.errors.InvalidArgumentError, match="lost"):
        update(tf.range(16))
    counts = state.step, state.optimizer.iterations, state.guard.skipped
    assert [int(v) for v in counts] == [0, 0, 0]


@pytest.mark.long
def test_two_workers_that_lose_each_other_end_with_what_one_process_reaches(
    workers, tmp_path, text_run
):
    given = SETTINGS | {"start": str(text_run), "keep": "best", "epochs": 5}
    alone = small.config(tmp_path / "alone", **given)
    results = small.carry_out(alone)
    assert 0 < results["kept_step"] < SETTINGS["outer_steps"]  # neither the start nor the end
    folder = tmp_path / "run"
    settings = {
        name: getattr(alone, name) for name in ("dataset", "eval_every", "batch_size", *given)
    } | {"run_dir": folder}

    chief, other = workers(**settings)
    until = time.monotonic() + PATIENCE
    while not any(p.stat().st_size for p in folder.glob("metrics.jsonl")):
        assert time.monotonic() < until
        assert chief.poll() is None, chief.communicate()
        time.sleep(0.02)
    other.send_signal(signal.SIGKILL)
    _, errors = chief.communicate(timeout=PATIENCE)
    assert chief.returncode == 4, errors
    assert errors.startswith("tf_distill: error: one of the 2 workers is gone or out of reach; ")
    assert errors.count("\n") == 1
    assert not (folder / "results.json").exists()

    chief, other = workers(**settings)
    said, errors = chief.communicate(timeout=PATIENCE)
    assert chief.returncode == 0, errors
    assert "continuing from outer step" in said
    said, errors = other.communicate(timeout=PATIENCE)
    assert (other.returncode, errors) == (0, "")
    assert "this worker's part is done" in said
    assert json.loads((folder / "results.json").read_text())["accuracy"] == results["accuracy"]
    one, two = (
        tf_distill.load_distilled(path / "distilled" / "1").samples
        for path in (tmp_path / "alone", folder)
    )
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize(
    "config",
    [
        "",
        "{",
        "[]",
        '{"cluster": {}}',
        '{"cluster": {"worker": []}, "task": 1}',
        *(
            json.dumps({"cluster": cluster, "task": {"type": job, "index": index}})
            for cluster, job, index in (
                ({"worker": ["h:1"]}, "worker", -1),
                ({"worker": ["h:1"]}, "worker", 1),
                ({"worker": ["h:1", "h:1"]}, "worker", 0),
                ({"worker": "h:1"}, "worker", 0),
                ({"worker": [5]}, "worker", 0),
                ({"worker": ["h:1"], "evaluator": ["h:2"]}, "evaluator", 0),
            )
        ),
    ],
)
def test_a_cluster_must_be_described(monkeypatch, config):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(UserError, match=r"takes the cluster from TF_CONFIG, got .*; expected"):
        distribution.start_distribution("multiworker")


@pytest.mark.long
def test_a_port_that_is_taken_is_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        task = {"type": "worker", "index": 0}
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        config = json.dumps({"cluster": {"worker": [place]}, "task": task})
        program = ("-m", "tf_distill.main", "--distribution=multiworker", "--run_dir=nowhere")
        ended = start(*program, TF_CONFIG=config)
        _, errors = ended.communicate(timeout=PATIENCE)
    assert ended.returncode == 2
    assert errors.startswith("tf_distill: error: can't join the cluster of TF_CONFIG (")
    assert errors.count("\n") == 1


def test_unequal_parts_are_refused(monkeypatch):
    monkeypatch.setattr(Distribution, "replicas", 3)
    shared = Distribution()
    shared.check(networks=6, batch_size=7)
    shared.check(networks=1, batch_size=6)
    with pytest.raises(UserError, match=r"^networks=4, .* 3 replicas.*; use networks=6"):
        shared.check(networks=4, batch_size=6)
    with pytest.raises(UserError, match=r"^batch_size=8, .*; use batch_size=9"):
        shared.check(networks=1, batch_size=8)


def test_several_replicas_are_not_compiled_by_xla(monkeypatch):
    step = OuterStep(16, networks=3, init="random", jit_compile=True)
    step.check(small.learner(), small.dataset(), Distribution())
    monkeypatch.setattr(Distribution, "replicas", 3)
    with pytest.raises(UserError, match="jit_compile is for one device, got 3; leave it out"):
        step.check(small.learner(), small.dataset(), Distribution())


def test_a_worker_with_other_settings_is_refused(monkeypatch):
    settings = Distribution()
    settings.check_same("a")
    chiefs = settings.share(int(hashlib.sha256(b"a").hexdigest()[:15], 16))
    monkeypatch.setattr(Distribution, "share", lambda self, values: chiefs)
    settings.check_same("a")
    with pytest.raises(UserError, match="other settings or data than the chief"):
        settings.check_same("b")


def test_one_device_has_the_whole_step():
    mirrored = distribution.start_distribution("mirrored")
    assert (mirrored.replicas, mirrored.workers, mirrored.chief) == (1, 1, True)
    assert mirrored.share({"a": 1}) == {"a": 1}
    with pytest.raises(tf.errors.InternalError), mirrored.watched():
        raise tf.errors.InternalError(None, None, "of another cause")


def test_other_modes_take_one_device(cli):
    ended = cli("--mode=report", "--distribution=mirrored")
    assert ended.status == 2
    assert "--distribution=mirrored is for --mode=distill, got --mode=report" in ended.err
