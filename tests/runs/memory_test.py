"""Estimates of memory: against what runs have taken, and what is said of them.

The long test measures in processes of their own, since the peak of a process is of all of its life:

  python -m pytest -m long tests/memory_test.py
"""

import json
import os
import subprocess
import sys
import weakref

import pytest
import small
from places import TESTS

from tf_distill.common.errors import UserError
from tf_distill.runs import experiment, memory, run
from tf_distill.runs.experiment import Experiment
from tf_distill.runs.memory import Estimate

GB = 10**9
PROGRAM = TESTS / "measured.py"
TOLERANCE = 0.25
CASES = [  # network, batch_size, steps, samples_per_step, epochs
    ("lenet", 256, 1, 10, 3),
    ("lenet", 4096, 1, 10, 3),
    ("lenet", 256, 100, 10, 10),
    ("lenet", 256, 1, 1000, 1),
    ("textconvnet", 256, 1, 2, 5),
    ("textconvnet", 1024, 1, 2, 5),
    ("bilstm", 256, 1, 6, 2),
    ("bilstm", 1024, 1, 6, 2),
    ("alexcifarnet", 128, 10, 10, 3),
    ("alexcifarnet", 512, 10, 10, 3),
    ("rolled", 1024, 1, 8, 2),
    ("rolled", 256, 1, 512, 2),
]
NAMES = ("network", "batch_size", "steps", "samples_per_step", "epochs")


def compare(case):
    """Runs a case in a process of its own, and holds the estimate against the peak."""
    command = [sys.executable, str(PROGRAM), json.dumps(dict(zip(NAMES, case, strict=True)))]
    paths = [str(PROGRAM.parents[1]), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["measured"]
    assert found["estimated"] == pytest.approx(found["measured"], rel=TOLERANCE), found


@pytest.mark.long
@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_estimate_is_within_a_quarter_of_the_peak(case):
    compare(case)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_an_estimate_is_within_a_quarter_of_the_peak_here_too():
    compare(("textconvnet", 256, 1, 2, 2))


# The parts


def estimate(tmp_path, **settings):
    config = small.config(tmp_path, **settings)
    return experiment.estimate(Experiment(config, small.learner(), small.dataset(train=3000)))


def test_the_weights_of_all_steps_are_counted(tmp_path):
    numbers = 5 * 4 + 4 + 4 * 3 + 3
    found = estimate(tmp_path, steps=3, epochs=7)
    assert found.weights == 3 * 7 * numbers * 4


def test_the_test_data_are_held_meanwhile(tmp_path, monkeypatch):
    alive = weakref.WeakSet()
    evaluation = experiment.evaluation

    def noted(*arguments):
        alive.add(made := evaluation(*arguments))
        return made

    monkeypatch.setattr(experiment, "evaluation", noted)
    monkeypatch.setattr(memory, "estimate", lambda *_: len(alive))
    assert estimate(tmp_path) == 1


def test_networks_beside_each_other_have_weights_each(tmp_path, monkeypatch):
    monkeypatch.setattr(memory.beside, "at_once", lambda: 2)
    one, three = (estimate(tmp_path, steps=3, epochs=7, init="random", networks=n) for n in (1, 3))
    assert three.weights == 2 * one.weights
    assert three.together == 2


def test_an_evaluation_holds_no_more_than_the_test_examples(tmp_path, monkeypatch):
    few = estimate(tmp_path)
    monkeypatch.setattr(memory.beside, "at_once", lambda: 64)
    many = estimate(tmp_path)
    assert few.tested == many.tested == len(small.dataset().y_test)
    assert few.evaluation == many.evaluation


@pytest.mark.parametrize(
    ("part", "setting", "sizes"),
    [("real_batch", "batch_size", (100, 200)), ("inner_step", "samples_per_step", (2000, 4000))],
)
def test_a_part_grows_with_its_setting(tmp_path, part, setting, sizes):
    one, two = (estimate(tmp_path, **{setting: size}) for size in sizes)
    assert getattr(two, part) == pytest.approx(2 * getattr(one, part), rel=0.1)
    assert getattr(one, part) > 0


def test_parts_that_take_turns_do_not_add_up():
    assert Estimate(1, 2, 3, 10, 20, 5).peak == 26
    assert Estimate(1, 2, 3, 10, 20, 50).peak == 53


# What is said


@pytest.fixture
def room(monkeypatch):
    """The machine has 8 GB to be had, and four cores."""
    monkeypatch.setattr(memory.beside, "at_once", lambda: 4)
    monkeypatch.setattr(memory.machine, "room", lambda: 8 * GB)


@pytest.mark.parametrize(
    ("estimate", "settings", "text"),
    [
        ((1, 0, 1, 14, 2, 0), {"batch_size": 700}, "takes 14 GB of it: lower it to 300"),
        ((1, 0, 1, 14, 2, 0), {"batch_size": 1021}, "takes 14 GB of it: lower it to 437"),
        ((1, 0, 1, 2, 14, 0), {"samples_per_step": 70}, "samples_per_step=70 takes 14 GB of it"),
        ((1, 0, 14, 1, 1, 0), {"steps": 70}, "--steps=70 takes 14 GB of it: lower it to 30"),
        ((1, 0, 14, 1, 1, 0), {"epochs": 70}, "--epochs=70 takes 14 GB of it: lower it to 30"),
        ((7, 0, 10, 11, 2, 0), {}, "--batch_size=16 takes 11 GB of it: lower it"),
        ((1, 0, 1, 1, 1, 9), {}, "take a smaller --model"),
        ((9, 0, 1, 1, 1, 1), {}, "end other programs"),
    ],
)  # fmt: skip
def test_what_can_not_fit_is_refused_with_the_setting_to_lower(
    tmp_path, room, estimate, settings, text
):
    found = Estimate(*(GB * part for part in estimate))
    with pytest.raises(UserError) as error:
        memory.check_memory(found, small.config(tmp_path, **settings))
    assert text in str(error.value)
    assert "8.00 GB can be had" in str(error.value)
    assert "\n" not in str(error.value)


def test_parts_of_the_batch_that_wait_for_their_turn_take_nothing(tmp_path, room):
    found = Estimate(*(GB * part for part in (1, 0, 1, 14, 2, 0)))
    with pytest.raises(UserError, match="--batch_size=7000 takes 14 GB of it: lower it to 428 or"):
        memory.check_memory(found, small.config(tmp_path, batch_size=7000))


def test_the_setting_advised_fits(tmp_path, room):
    found = Estimate(*(GB * part for part in (1, 0, 1, 14, 2, 0)))
    fits = found._replace(real_batch=14 * GB * 300 / 700)
    assert memory.check_memory(fits, small.config(tmp_path)) == (
        "memory: about 8.00 GB of the 8.00 GB that can be had"
    )


def test_more_samples_than_fit_are_refused_before_any_is_made(tmp_path, room, monkeypatch):
    monkeypatch.setattr(experiment, "initial_samples", lambda *_, **__: pytest.fail("made some"))
    config = small.config(tmp_path, samples_per_step=10**7, steps=5)  # of 5 + 3 numbers
    with pytest.raises(UserError, match="50000000 distilled samples and 10 learning rates take"):
        experiment.new_distillation(config, small.dataset())
    config = small.config(tmp_path, epochs=10**9)
    with pytest.raises(UserError, match="and 1000000000 learning rates take about 24 GB"):
        experiment.new_distillation(config, small.dataset())


def test_without_a_known_limit_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(memory.machine, "room", lambda: None)
    memory.check_set(small.config(tmp_path, samples_per_step=10**9), small.dataset())
    found = Estimate(*[10**15] * 6)
    assert memory.check_memory(found, small.config(tmp_path)).endswith(" GB")


def test_on_a_device_the_program_is_elsewhere(tmp_path, room, monkeypatch):
    monkeypatch.setattr(memory.beside, "on_gpu", lambda: True)
    found = Estimate(5 * GB, 0, 0, 9 * GB, 0, 0)
    assert (
        memory.check_memory(found, small.config(tmp_path)) == "memory: about 9.00 GB on the device"
    )


def test_the_program_prints_the_parts_and_makes_nothing(cli, tmp_path):
    folder = tmp_path / "run"
    outcome = cli("--mode=estimate", "--dataset=toy_questions", f"--run_dir={folder}")
    assert (outcome.status, outcome.err) == (0, "")
    assert "a real batch of" in outcome.out
    assert outcome.out.splitlines()[-1].startswith("memory: about ")
    assert not folder.exists()


def test_a_run_says_what_it_takes_or_leaves_its_folder_to_other_settings(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(memory.machine, "room", lambda: 10**6)
    with pytest.raises(UserError, match="can be had"):
        run.run(small.config(tmp_path))
    assert not (tmp_path / "checkpoints").exists() or not list((tmp_path / "checkpoints").iterdir())
    monkeypatch.undo()
    assert run.run(small.config(tmp_path, batch_size=8))["outer_steps"] == 4
    assert "memory: about " in capsys.readouterr().out
