"""Memory: estimates against measured peaks, graphs small enough to count by hand, and the words.

The long test measures in processes of their own, since a peak is over the whole life of a process:

  python -m pytest -m long tests/runs/memory_test.py
"""

import json
import os
import subprocess
import sys

import pytest
import small
import tensorflow as tf
from places import ROOT, TESTS

from tf_distill.common import UserError
from tf_distill.core import parallel
from tf_distill.networks import choose
from tf_distill.runs import duration, experiment, memory
from tf_distill.runs.folder import InMemory, RunFolder
from tf_distill.runs.memory import Estimate, moments
from tf_distill.runs.run import Run

GB = 10**9
TOLERANCE = 0.25
NAMES = ("network", "batch_size", "steps", "samples_per_step", "epochs")
CASES = [
    ("lenet", 256, 1, 10, 3), ("lenet", 4096, 1, 10, 3), ("lenet", 256, 100, 10, 10),
    ("lenet", 256, 1, 1000, 1), ("textconvnet", 256, 1, 2, 5), ("textconvnet", 1024, 1, 2, 5),
    ("bilstm", 256, 1, 6, 2), ("bilstm", 1024, 1, 6, 2), ("alexcifarnet", 128, 10, 10, 3),
    ("alexcifarnet", 512, 10, 10, 3), ("rolled", 1024, 1, 8, 2), ("rolled", 256, 1, 512, 2),
]  # fmt: skip


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_estimate_is_within_a_quarter_of_the_peak(case):
    settings = json.dumps(dict(zip(NAMES, case, strict=True)))
    command = [sys.executable, TESTS / "measured.py", settings]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["estimated"] == pytest.approx(found["measured"], rel=TOLERANCE), found


# The parts


@pytest.fixture
def estimate(monkeypatch):
    """Estimates the memory of a run of some settings."""
    found = []
    monkeypatch.setattr(duration, "measure", lambda *_: duration.Duration(1.0, 1.0, 1.0))
    monkeypatch.setattr(memory, "describe_memory", lambda given, _: found.append(given) or "")

    def of(**settings):
        data = small.dataset(train=3000)
        config = small.config("nowhere", **settings)
        choice = choose(lambda: small.learner().model, data)
        experiment.describe_estimate(Run.of(config, data, choice, InMemory()))
        return found[-1]

    return of


def test_networks_at_a_time_have_weights_of_all_steps_each(estimate, monkeypatch):
    monkeypatch.setattr(memory.parallel, "at_once", lambda: 2)
    found = estimate(steps=3, epochs=7, init="random", networks=3)
    assert found.together == 2
    assert found.weights == 2 * 3 * 7 * 4 * (5 * 4 + 4 + 4 * 3 + 3)
    assert found.tested == len(small.dataset().y_test)


def test_ordinary_training_keeps_the_steps_of_its_window_with_adams_moments(estimate):
    found = estimate(use="training", unroll=5, window=3)
    assert found.weights == 3 * 3 * 4 * (5 * 4 + 4 + 4 * 3 + 3)


def test_a_part_grows_with_its_setting(estimate):
    one = estimate(batch_size=100, samples_per_step=2000)
    two = estimate(batch_size=200, samples_per_step=4000)
    for part in ("real_batch", "inner_step"):
        assert getattr(two, part) == pytest.approx(2 * getattr(one, part), rel=0.1)
        assert getattr(one, part) > 0


# Graphs; a tensor of theirs has 4,000 bytes

ONE = 4000
SPEC = tf.TensorSpec([1000])


def graph(function, *specs):
    return tf.function(function).get_concrete_function(*(specs or [SPEC])).graph


def peak(graph):
    return max(moment.size for moment in moments(graph))


def grown(x, times):
    """`[1000]` to so many of it."""
    return tf.tile(x, [times])


@pytest.mark.parametrize(
    ("function", "tensors"),
    [
        (tf.cumsum, 1),  # the argument is the caller's
        (lambda x: tf.cumsum(tf.cumsum(tf.cumsum(x))), 2),  # one is read, one is written
        (lambda x: tf.reshape(tf.cumsum(x), [10, 100]), 1),
        (lambda x: tf.exp(y := tf.cumsum(x)) + tf.sin(y), 3),
        (lambda x: [y := tf.cumsum(x), tf.exp(y)], 2),
        (lambda x: tf.reduce_sum(grown(x, 9)) + tf.reduce_sum(grown(x, 4)), 9),  # in turn
        (lambda x: (grown(x, 50), tf.cumsum(x))[1], 1),  # what nothing depends on
    ],
)
def test_counts_what_is_still_needed(function, tensors):
    assert peak(graph(function)) == pytest.approx(tensors * ONE, abs=100)


def test_calls_are_looked_into():
    inner = tf.function(lambda x: tf.reduce_sum(grown(x, 7)))
    found = max(moments(graph(lambda x: inner(tf.cumsum(x)))), key=lambda m: m.size)
    assert found.size == pytest.approx(8 * ONE, abs=100)
    assert "PartitionedCall/" in found.name


def test_a_loop_keeps_what_it_writes_into_an_array():
    def function(x):
        array = tf.TensorArray(tf.float32, 30, element_shape=[1000])
        return tf.while_loop(
            lambda i, *_: i < 30, lambda i, a: (i + 1, a.write(i, tf.exp(x))), (0, array)
        )[1].stack()

    # The array, and what is made of it.
    assert peak(graph(function)) == pytest.approx(2 * 30 * ONE, rel=0.1)


def repeated(rounds):
    """The sine of the sine, so many times."""
    go_on, again = lambda i, *_: i < rounds, lambda i, y: (i + 1, tf.sin(y))
    return lambda x: tf.while_loop(go_on, again, (0, x), maximum_iterations=rounds)[1]


def gradient(function):
    def derivative(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return tape.gradient(y, x)

    return derivative


def test_the_gradient_of_a_loop_keeps_every_round():
    few, many = (peak(graph(repeated(rounds))) for rounds in (10, 110))
    assert few == many
    few, many = (peak(graph(gradient(repeated(rounds)))) for rounds in (10, 110))
    assert many - few == pytest.approx(100 * ONE, rel=0.05)
    # TensorFlow makes calls of the loops of a second derivative, with lists as arguments.
    few, many = (peak(graph(gradient(gradient(repeated(rounds))))) for rounds in (10, 110))
    assert many - few >= 2 * 100 * ONE


@pytest.mark.parametrize(("together", "alive"), [(1, 1), (3, 3), (9, 4)])
def test_parts_beside_each_other_are_alive_together(together, alive):
    def compute(x):
        return parallel.mean(4, lambda i: tf.reduce_sum(grown(x, 50)), tf.zeros([]), together)

    assert peak(graph(compute)) == pytest.approx(50 * alive * ONE, abs=300)


# What is said


@pytest.fixture
def room(monkeypatch):
    """The machine has 8 GB to be had, and four cores."""
    monkeypatch.setattr(memory.parallel, "at_once", lambda: 4)
    monkeypatch.setattr(memory.machine, "room", lambda: 8 * GB)


def parts(*sizes):
    return Estimate(*(GB * size for size in sizes))


@pytest.mark.parametrize(
    ("sizes", "settings", "text"),
    [
        ((1, 0, 1, 14, 2, 0), {"batch_size": 700}, "takes 14 GB of it: lower it to 300"),
        # Parts of the batch that wait for their turn take nothing.
        ((1, 0, 1, 14, 2, 0), {"batch_size": 7000}, "batch_size=7000 takes 14 GB of it: lower it "
         "to 428 or"),
        ((1, 0, 1, 2, 14, 0), {"samples_per_step": 70}, "samples_per_step=70 takes 14 GB of it"),
        ((1, 0, 14, 1, 1, 0), {"steps": 70}, "steps=70 takes 14 GB of it: lower it to 30"),
        ((1, 0, 14, 1, 1, 0), {"epochs": 70}, "epochs=70 takes 14 GB of it: lower it to 30"),
        ((1, 0, 14, 1, 1, 0), {"use": "training", "window": 70, "unroll": 90},
         "window=70 takes 14 GB of it: lower it to 30"),
        ((7, 0, 10, 11, 2, 0), {}, "batch_size=16 takes 11 GB of it: lower it"),
        ((1, 0, 1, 1, 1, 9), {}, "take a smaller model"),
        ((9, 0, 1, 1, 1, 1), {}, "end other programs"),
    ],
)  # fmt: skip
def test_what_can_not_fit_is_refused_with_the_setting_to_lower(room, sizes, settings, text):
    with pytest.raises(UserError) as error:
        memory.check_memory(parts(*sizes), small.config("nowhere", **settings))
    assert text in str(error.value)
    assert "8.00 GB can be had" in str(error.value)
    assert "\n" not in str(error.value)


def test_the_setting_advised_fits(room):
    said = memory.check_memory(parts(1, 0, 1, 14 * 300 / 700, 2, 0), small.config("nowhere"))
    assert said == "memory: about 8.00 GB of the 8.00 GB that can be had"


def test_more_samples_than_fit_are_refused_before_any_is_made(tmp_path, room, monkeypatch):
    monkeypatch.setattr(experiment, "initial_samples", lambda *_, **__: pytest.fail("made some"))
    for settings, text in (
        (
            {"samples_per_step": 10**8, "steps": 5},
            "500000000 distilled samples and 10 learning rates take",
        ),
        ({"epochs": 10**9}, "and 1000000000 learning rates take about 16 GB"),
    ):
        with pytest.raises(UserError, match=text):
            experiment.new_distillation(
                small.config(tmp_path, **settings), small.dataset(), small.learner()
            )


def test_without_a_known_limit_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(memory.machine, "room", lambda: None)
    memory.check_set(small.config(tmp_path, samples_per_step=10**9), small.dataset())
    assert memory.check_memory(parts(*[10**6] * 6), small.config(tmp_path)).endswith(" GB")


def test_on_a_device_the_program_is_elsewhere(tmp_path, room, monkeypatch):
    monkeypatch.setattr(memory.parallel, "on_gpu", lambda: True)
    said = memory.check_memory(parts(5, 0, 0, 9, 0, 0), small.config(tmp_path))
    assert said == "memory: about 9.00 GB on the device"


def test_the_program_prints_the_parts_and_makes_nothing(cli, tmp_path):
    folder = tmp_path / "run"
    outcome = cli("--mode=estimate", "--dataset=toy_questions", f"--run_dir={folder}")
    assert (outcome.status, outcome.err) == (0, "")
    assert "a real batch of" in outcome.out
    assert "\nmemory: about " in outcome.out
    assert outcome.out.splitlines()[-1].startswith("time: about ")
    assert not folder.exists()


def test_a_run_without_room_is_refused_before_it_has_begun(tmp_path, monkeypatch):
    monkeypatch.setattr(memory.machine, "room", lambda: 10**6)
    with pytest.raises(UserError, match="can be had"):
        small.carry_out(small.config(tmp_path))
    assert not RunFolder(tmp_path).begun
