"""A dataset whatever it holds: its outputs, held-out data, and a run on the worst inputs."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest
import small

import tf_distill as td
from tf_distill.common import UserError
from tf_distill.datasets import DATASETS, fingerprint, hold_out

OLD = "eaf23f8f747d4b87"
"""The fingerprint of small.dataset() in the folders of older versions."""


def test_a_binary_task_has_one_output():
    two = dataclasses.replace(small.dataset(), classes=("no", "yes"))
    assert (two.outputs, small.dataset().outputs) == (1, 3)


def test_hold_out_parts_the_training_data_and_drops_the_test_data():
    dataset = small.dataset(train=97, test=20)
    held = hold_out(dataset, seed=0)
    assert (len(held.y_train), len(held.y_test)) == (88, 9)
    rows = np.concatenate([held.x_train, held.x_test])
    assert sorted(map(tuple, rows)) == sorted(map(tuple, dataset.x_train))
    rule = rows[:, :3].argmax(1)
    np.testing.assert_array_equal(rule, np.concatenate([held.y_train, held.y_test]))
    np.testing.assert_array_equal(held.x_test, hold_out(dataset, seed=0).x_test)
    assert np.any(held.x_test != hold_out(dataset, seed=1).x_test)


def test_hold_out_takes_the_raw_texts_along():
    dataset = DATASETS["toy_questions"].load(Path("nowhere"), None)
    held = hold_out(dataset, seed=0)
    for raw, x in ((held.raw_train, held.x_train), (held.raw_test, held.x_test)):
        np.testing.assert_array_equal(dataset.encoding.number(raw), x)


def test_a_fingerprint_is_of_types_shapes_and_values():
    data = small.dataset()
    x = data.x_train
    same, *others = (dataclasses.replace(data, x_train=other) for other in (
        np.asfortranarray(x), x[:, ::-1], x.T, x.astype("f8"), x.reshape(-1)))  # fmt: skip
    others.append(dataclasses.replace(data, classes=("a", "b", "d")))
    assert len({fingerprint(one) for one in (data, *others)}) == 6
    assert fingerprint(same) == fingerprint(data) == OLD


@pytest.mark.usefixtures("untried")
@pytest.mark.parametrize(("change", "ends"), [(np.ones_like, True), (lambda x: x * np.nan, False)])
def test_a_run_on_constant_or_nan_inputs_ends_in_a_set_or_in_one_line(change, ends):
    data = small.dataset()
    data = dataclasses.replace(data, x_train=change(data.x_train), x_test=change(data.x_test))
    dense = keras.layers.Dense(small.CLASSES)
    network = lambda: keras.Sequential([keras.Input([small.FEATURES]), dense])  # noqa: E731
    settings = {"outer_steps": 6, "eval_every": 6, "batch_size": 16, "epochs": 1}
    if ends:
        result = td.distill(data, network, **settings)
        assert all(np.isfinite(v.numpy()).all() for v in result.distilled.samples)
        assert np.isfinite(result.accuracy.mean)
        return
    with pytest.raises(UserError, match="NaN or an infinite number") as error:
        td.distill(data, network, **settings)
    assert "\n" not in str(error.value)
    with pytest.raises(td.Diverged) as error:
        td.distill(data, network, sample_init="real", **settings)
    assert "\n" not in str(error.value)
