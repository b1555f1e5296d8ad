"""Original accuracies from Python, also of a network that has no name."""

import json

import keras
import numpy as np
import own_models
import pytest
import small
import tensorflow as tf
from own_run import PROTOCOL, QUICK, build, distilled, frozen

import tf_distill as td
from tf_distill.core.learner import Learner
from tf_distill.evaluation import comparison, original
from tf_distill.networks import choice, registry
from tf_distill.networks.choice import choose
from tf_distill.runs import run


def ratios(found):
    """Those of the rows, by the original accuracy that they are to."""
    return {round(row["mean"] / row["ratio"], 6) for row in found["rows"] if row["ratio"]}


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("kept", [True, False])
def test_all_ratios_are_to_the_last_original_accuracy(tmp_path, monkeypatch, kept):
    path, less = tmp_path / "run", QUICK._replace(epochs=1)
    result = distilled(path if kept else None)
    first = result.original(QUICK)
    with monkeypatch.context() as patch:
        for module in (original, comparison):
            patch.setattr(module, "original_accuracy", lambda *_: pytest.fail("trained again"))
        found = result.compare(**PROTOCOL)
    assert ratios(found) == {round(first.accuracy, 6)}
    assert found["original"]["settings"] == QUICK._asdict()
    other = result.original(less)
    assert other.accuracy != first.accuracy
    assert result.results["ratio"] == result.accuracy.mean / other.accuracy
    again = distilled(path) if kept else result
    assert ratios(again.compare(**PROTOCOL)) == {round(other.accuracy, 6)}
    assert again.results["original"]["settings"] == less._asdict()


@pytest.mark.usefixtures("undrawn")
def test_what_another_result_has_found_counts(tmp_path):
    first, second = (distilled(tmp_path / "run") for _ in range(2))
    first.original(QUICK)
    less = second.original(QUICK._replace(epochs=1))
    assert first.compare(**PROTOCOL)["original"]["accuracy"] == less.accuracy
    assert first.results["ratio"] == first.accuracy.mean / less.accuracy


def test_what_was_trained_under_another_version_is_kept(folder):
    path, result = folder
    told = json.loads((path / "results.json").read_text())
    before = told["original"]["network"]
    told["original"]["network"] = {k.replace("keras", "keras 1.0"): "old" for k in before}
    (path / "results.json").write_text(json.dumps(told))
    now = result._choice.training_fingerprint(result._experiment.learner)
    assert comparison.known(now, told) == told["original"]
    told["original"]["network"] = {**before, next(iter(before)): "another"}
    assert comparison.known(now, told) is None


def test_damaged_files_are_left_as_they_are(folder):
    path, _ = folder
    before = (path / "results.json").read_text()
    (path / "comparison.json").write_text("{")
    with pytest.raises(td.UserError, match=r"comparison\.json"):
        run.set_original(path, {"accuracy": 0.123})
    assert (path / "results.json").read_text() == before
    (path / "comparison.json").unlink()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of a run whose network was trained on all of the data, beside its result."""
    path = tmp_path_factory.mktemp("original") / "run"
    result = distilled(path)
    result.original(QUICK)
    return path, result


@pytest.mark.usefixtures("undrawn")
def test_the_accuracy_of_another_network_is_not_taken(tmp_path):
    def make():
        return keras.Sequential(
            [
                keras.Input([small.FEATURES]),
                keras.layers.Dropout(rate),
                keras.layers.Dense(small.CLASSES),
            ]
        )

    rate, longer = 0.0, QUICK._replace(lr=0.1, epochs=20)
    first = distilled(tmp_path / "run", make).original(longer)
    rate = 0.999  # in the run itself dropout drops nothing, so it is the same
    again = distilled(tmp_path / "run", make)
    assert again.original(longer).accuracy < first.accuracy


@pytest.mark.usefixtures("undrawn")
def test_a_folder_is_found_from_elsewhere_unless_it_is_gone(tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    result = distilled("run")
    monkeypatch.chdir(tmp_path / "there")
    result.original(QUICK)
    assert "ratio" in json.loads((tmp_path / "run" / "results.json").read_text())
    (tmp_path / "run").rename(tmp_path / "moved")
    for call in (result.original, result.compare):
        with pytest.raises(td.UserError, match="run holds no finished run any more; put it back"):
            call()
    assert sorted(p.name for p in tmp_path.iterdir()) == [".originals", "moved", "there"]


def test_full_training_beyond_bounds_is_no_accuracy(tmp_path):
    class Logarithm(keras.layers.Layer):
        def call(self, x, training=False):
            return keras.ops.log(-keras.ops.abs(x)) if training else x

    def model():
        dense = keras.layers.Dense(small.CLASSES)
        return keras.Sequential([keras.Input([small.FEATURES]), Logarithm(), dense])

    result = distilled(tmp_path / "run", model)
    with pytest.raises(td.Diverged, match="the loss is no number after step 1 of 9; lower"):
        result.original(QUICK)
    assert not [*(tmp_path / ".originals").iterdir()]
    assert "ratio" not in result.results


def test_full_training_leaves_the_result_as_it_was():
    result = distilled()
    before = result.evaluate(1)
    trained = result.original(QUICK._replace(lr=0.1, epochs=20))
    assert trained.accuracy > 0.6 > before.mean
    assert result.evaluate(1) == before


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    "model",
    [build, own_models.Subclassed, frozen],
    ids=["named", "subclassed", "frozen"],
)
def test_networks_of_one_name_have_accuracies_of_their_own(tmp_path, model):
    """Also where they are unbuilt, or have frozen layers; the second time nothing is trained."""

    def make():
        return model()

    accuracies = [distilled(tmp_path / "run", make).original(QUICK).accuracy for _ in range(2)]
    assert accuracies[0] == accuracies[1]
    (kept,) = (tmp_path / ".originals").glob("original_vectors_make_*.json")

    def make():
        return keras.Sequential([keras.Input([small.FEATURES]), keras.layers.Dense(3)])

    distilled(tmp_path / "other", make).original(QUICK)
    assert len(list(kept.parent.glob("*.json"))) == 2


@pytest.mark.parametrize(
    "change",
    [{"rate": 0.1}, {"penalty": keras.regularizers.L2(0.1)}, {"own": 0.5}],
    ids=["rate", "penalty", "own"],
)
def test_what_plays_a_part_in_full_training_alone_tells_networks_apart(change):
    class Own(keras.Model):
        """Whose dropout no layer tells of."""

        def __init__(self, rate, *parts):
            super().__init__()
            self.rate, self.parts = rate, parts

        def call(self, x, training=False):
            """The parts one after the other."""
            for part in self.parts:
                x = part(x, training=training)
            return tf.nn.dropout(x, self.rate) if training else x

    def told(rate=0.5, penalty=None, own=0.1):
        layers = keras.layers
        parts = [layers.Dense(4, kernel_regularizer=penalty), layers.Dropout(rate)]
        inner = keras.Sequential([keras.Input([small.FEATURES]), *parts])
        model = Own(own, inner, layers.Dense(3))
        return choice.fingerprint_training(Learner(model, (small.FEATURES,)), (small.FEATURES,))

    assert told() == told() != told(**change)


@pytest.mark.parametrize(("examples", "epochs"), [(120, 1000), (6400, 20), (10**6, 20)])
def test_few_examples_are_gone_through_more_often(examples, epochs):
    training = choose(build, small.dataset()).training(examples)
    assert training.epochs == epochs
    assert np.ceil(2000 / 64) <= training.length(examples) <= 20_000


def test_a_network_with_a_name_is_trained_as_the_command_line_does():
    digits = td.datasets.from_arrays(np.zeros((40, 28, 28, 1), np.uint8), np.arange(40) % 4)
    choice = choose("lenet", digits)
    assert choice.training(40) == registry.NETWORKS["lenet"].training
    assert choice.fingerprint(choice.learner()) == {}
