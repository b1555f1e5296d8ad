"""A run that begins with the set of another one, on digits and on small vectors."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import small

import tf_distill as td
from tf_distill import run, saved_set, starting_set
from tf_distill.errors import UserError
from tf_distill.inner import Samples

NOTHING_NEW = {"outer_steps": 1, "outer_lr": 1e-9, "batch_size": 64}
"""Settings with which the set stays as it starts."""


def results(folder):
    return json.loads((folder / "results.json").read_text())


def test_a_run_begins_where_another_has_ended(image_run, tmp_path):
    given = {"dataset": "digits", "seed": 3, "start": str(image_run)}
    run.run(run.configure({**given, "run_dir": str(tmp_path / "run"), **NOTHING_NEW}))
    before, after = (
        td.load_distilled(f / "distilled" / "1").samples for f in (image_run, tmp_path / "run")
    )
    for a, b in zip(before, after, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    expected = results(image_run)["accuracy"]["mean"]
    assert results(tmp_path / "run")["accuracy"]["mean"] == pytest.approx(expected, abs=1.01 / 360)


def test_python_goes_on_from_a_folder(tmp_path):
    def network():
        return keras.Sequential([keras.Input((small.FEATURES,)), keras.layers.Dense(small.CLASSES)])

    data, a, b = small.dataset(), tmp_path / "a", tmp_path / "b"
    first = td.distill(data, network, run_dir=a, inner_lr=0.5, outer_steps=20, batch_size=64)
    further = td.distill(data, network, run_dir=b, start=a, **NOTHING_NEW)
    assert further.accuracy == first.accuracy
    assert td.distill(data, network, run_dir=b, start=a, **NOTHING_NEW).results == further.results
    with pytest.raises(UserError, match=r"start was '.*a', now None"):
        td.distill(data, network, run_dir=b, **NOTHING_NEW)


@pytest.fixture
def of(tmp_path):
    """A function of changes to a set, and to a run's settings, to what the run begins with."""
    metadata = {
        "network": "mine", "dataset": "vectors", "seed": 0, "classes": ["a", "b", "c"],
    }  # fmt: skip

    def begin(changed=None, **settings):
        samples = small.samples()._replace(**(changed or {}))
        shape = list(samples.x.shape[2:])
        described = {**metadata, "input": {"kind": "vector", "shape": shape}}
        saved_set.save(tmp_path / "set", samples, [], described)
        config = small.config(tmp_path / "run", steps=2, samples_per_step=3)
        config = dataclasses.replace(config, start=str(tmp_path / "set"), **settings)
        return starting_set.of(config, small.dataset())

    return begin


def test_all_of_a_set_is_taken(of):
    for a, b in zip(of(), small.samples(), strict=True):
        np.testing.assert_array_equal(a, b)
    one_hot = np.eye(3, dtype=np.float32)[None].repeat(2, axis=0)
    assert isinstance(of({"y": one_hot}, labels="hard"), Samples)


@pytest.mark.parametrize(
    ("changed", "settings", "told"),
    [
        ({}, {"steps": 4, "epochs": 3}, "has --steps=2 --epochs=2, got --steps=4 --epochs=3; give"),
        ({}, {"samples_per_step": 6}, "has --samples_per_step=3, got --samples_per_step=6"),
        ({"x": np.ones((2, 3, 7), np.float32)}, {}, r"of \(7,\) with labels .* has \(5,\) and 3"),
        ({}, {"labels": "hard"}, "has soft labels, got --labels=hard"),
        ({"lr": np.zeros(4, np.float32)}, {}, "learning rates that are not above 0"),
    ],
)
def test_a_set_that_does_not_fit_is_one_line(of, changed, settings, told):
    with pytest.raises(UserError, match=told) as error:
        of(changed, **settings)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "given", [{"sample_init": "real"}, {"inner_lr": 0.1}, {"label_init": "random"}]
)
def test_what_a_set_brings_along_is_not_given_too(given, cli):
    (name, value), data = *given.items(), small.dataset()
    with pytest.raises(UserError, match=f"^start brings .* got {name}={value} too"):
        td.distill(data, small.learner, start="runs/a", **given)
    outcome = cli("--start=runs/a", f"--{name}={value}")
    assert outcome.status == 2
    assert f"--start brings samples, labels and learning rates, got --{name}=" in outcome.err


def test_what_is_no_folder_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"^start is of type int, expected a folder"):
        td.distill(small.dataset(), small.learner, start=3)
    with pytest.raises(UserError, match="is no distilled set"):
        td.distill(small.dataset(), lambda: small.learner().model, start=tmp_path)
