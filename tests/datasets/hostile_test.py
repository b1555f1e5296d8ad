"""Numbers at their worst: every run ends in a result or in one clear line."""

import dataclasses

import keras
import numpy as np
import pytest
import small

import tf_distill as td
from tf_distill.core.outer import batch_indices
from tf_distill.datasets.base import Dataset
from tf_distill.runs import results

pytestmark = pytest.mark.usefixtures("undrawn")
SHORT = {"outer_steps": 12, "eval_every": 6, "batch_size": 16, "epochs": 3}


def network() -> keras.Model:
    dense = keras.layers.Dense
    return keras.Sequential([keras.Input([small.FEATURES]), dense(4, "tanh"), dense(small.CLASSES)])


def exploding() -> keras.Model:
    """A linear recurrence that grows by a factor of a thousand a step."""
    large = keras.initializers.RandomNormal(stddev=1e3)
    return keras.Sequential([
        keras.Input([small.FEATURES]),
        keras.layers.Reshape([small.FEATURES, 1]),
        keras.layers.SimpleRNN(8, activation="linear", recurrent_initializer=large),
        keras.layers.Dense(small.CLASSES),
    ])  # fmt: skip


def with_inputs(change) -> Dataset:
    data = small.dataset()
    return dataclasses.replace(data, x_train=change(data.x_train), x_test=change(data.x_test))


def with_one_label() -> Dataset:
    data = small.dataset()
    return dataclasses.replace(
        data, y_train=np.zeros_like(data.y_train), y_test=np.zeros_like(data.y_test)
    )


@pytest.mark.parametrize(
    ("data", "settings", "ends"),
    [
        (with_inputs(lambda x: np.float32(1e30) * x), {}, True),
        (with_inputs(np.ones_like), {}, True),
        (with_one_label(), {}, True),
        (small.dataset(), {"inner_lr": 1e6}, True),
        (small.dataset(), {"inner_lr": 1e38}, False),
        (small.dataset(), {"outer_lr": 1e6}, True),
        (small.dataset(), {"outer_lr": 1e38}, True),
        (small.dataset(), {"model": exploding}, False),
    ],
    ids=["1e30", "constant", "one label", "inner 1e6", "inner 1e38", "outer 1e6",
         "outer 1e38", "exploding"],
)  # fmt: skip
def test_a_run_ends_in_a_set_of_numbers_or_in_one_line(data, settings, ends):
    given = {"model": network, **SHORT, **settings}
    if ends is False:
        with pytest.raises(td.Diverged, match="lower inner_lr") as error:
            td.distill(data, **given)
        assert "\n" not in str(error.value)
        return
    result = td.distill(data, **given)
    assert all(np.isfinite(v.numpy()).all() for v in result.distilled.samples)
    assert np.isfinite(result.accuracy.mean)
    assert result.results.get("skipped_steps", 0) < SHORT["outer_steps"]


BAD = [1, 8, 15, 22]


class Crash(td.Callback):
    """Ends the process's work in the middle, as a fault would."""

    def on_outer_step_end(self, step, logs):
        """Is called after each step."""
        if step == 17:
            raise MemoryError


def test_a_run_that_goes_back_says_so_and_has_the_same_bits_after_a_crash(tmp_path, capsys):
    """Four examples of forty are infinite, and with them most batches of eight."""
    data = small.dataset()
    data.x_train[BAD] = np.inf
    settings = {**SHORT, "outer_steps": 40, "eval_every": 20, "batch_size": 8}
    rows = [batch_indices(0, step, 8, len(data.y_train)) for step in range(40)]
    bad = sum(bool(set(BAD) & set(row.tolist())) for row in rows)
    whole = td.distill(data, network, run_dir=tmp_path / "whole", **settings)
    assert whole.results["skipped_steps"] == bad
    assert whole.results["returns"] == 3
    assert "from the last good set, with 0.5 times" in capsys.readouterr().out
    assert f"{bad} outer steps were skipped" in results.describe_results(
        whole.results, small.config(tmp_path)
    )
    again = {**settings, "run_dir": tmp_path / "again", "checkpoint_minutes": 1e-9}
    with pytest.raises(MemoryError):
        td.distill(data, network, callbacks=[Crash()], **again)
    other = td.distill(data, network, **again)
    for a, b in zip(whole.distilled.samples, other.distilled.samples, strict=True):
        np.testing.assert_array_equal(a, b)
    metrics = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "again")]
    assert metrics[0] == metrics[1]
    assert "NaN" not in metrics[0]
    assert metrics[0].count('"loss"') == 40 - bad
