"""Baselines and original accuracy from Python, for data and a network that have no name."""

import json

import keras
import numpy as np
import own_models
import pytest
import small

import tf_distill as td
from tf_distill import (
    baseline_rows,
    comparison,
    control_rows,
    models,
    network_fingerprint,
    original,
    report,
)
from tf_distill.learner import Learner
from tf_distill.network_choice import choose

SETTINGS = {"outer_steps": 3, "batch_size": 16, "epochs": 2}
PROTOCOL = {"baseline_sets": 3, "baseline_networks": 2, "sgd_epochs": 2, "control_steps": 2}
QUICK = td.Training(lr=0.01, batch_size=16, epochs=3, steps=1000)


def build():
    """A network with dropout, which full training heeds."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input([small.FEATURES]),
            layers.Dense(8, "tanh"),
            layers.Dropout(0.5),
            layers.Dense(small.CLASSES),
        ]
    )


def frozen():
    """A network whose first layer is not trained."""
    model = build()
    model.layers[0].trainable = False
    return model


def distilled(run_dir=None, model=build):
    return td.distill(small.dataset(), model, run_dir=run_dir, **SETTINGS)


@pytest.fixture
def undrawn(monkeypatch):
    """No report is drawn, which takes longer than the work itself."""
    monkeypatch.setattr(report, "write", lambda folder: folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of a run that was compared, beside what the call gave."""
    path = tmp_path_factory.mktemp("own") / "run"
    result = distilled(path)
    return path, result, result.compare(**PROTOCOL, training=QUICK)


def test_every_row_is_measured_and_kept(folder):
    path, result, found = folder
    rows = {row["name"]: row for row in found["rows"]}
    text = ("decoded_words", "decoded_words_hard")
    expected = [row.name for row in (*baseline_rows.ROWS, *control_rows.ROWS)]
    assert list(rows) == [name for name in expected if name not in text]
    assert json.loads((path / comparison.NAME).read_text()) == found
    assert rows["distilled"]["mean"] == result.accuracy.mean
    assert found["curve"]["mean"][-1] == result.accuracy.mean
    results = json.loads((path / "results.json").read_text())
    for told in (results, result.results):
        assert told["original_accuracy"] == found["original"]["accuracy"]
        assert told["ratio"] == result.accuracy.mean / told["original_accuracy"]
    assert "random real, learned labels" in (path / "report.html").read_text()
    assert (path / "figures" / "comparison.png").is_file()


@pytest.mark.usefixtures("undrawn")
def test_another_call_goes_on_and_measures_nothing_twice(folder, monkeypatch, capsys):
    path, _, found = folder
    monkeypatch.setattr(comparison, "measure", lambda *_: pytest.fail("measured again"))
    monkeypatch.setattr(original, "original_accuracy", lambda *_: pytest.fail("trained again"))
    again = distilled(path)
    assert again.compare() == found
    assert again.original(QUICK).accuracy == found["original"]["accuracy"]
    assert "average real" in capsys.readouterr().out


@pytest.mark.usefixtures("undrawn")
def test_one_that_was_stopped_goes_on_to_the_same_numbers(folder):
    path, _, found = folder
    kept = {**found, "rows": found["rows"][:-2]}
    (path / comparison.NAME).write_text(json.dumps(kept))
    result = distilled(path)
    accuracies = [[row["accuracies"] for row in c["rows"]] for c in (result.compare(), found)]
    assert accuracies[0] == accuracies[1]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"sgd_epochs": 3}, "sgd_epochs was 2, now 3; delete it"),
        ({"training": QUICK._replace(epochs=4)}, r"training was Training\(lr=0.01, .*; delete it"),
    ],
)
def test_other_settings_than_before_are_refused(folder, changed, told):
    path, *_ = folder
    with pytest.raises(td.UserError, match=told) as error:
        distilled(path).compare(**changed)
    assert str(path / comparison.NAME) in str(error.value)


@pytest.fixture(scope="module")
def result():
    return distilled()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"baseline_sets": 0}, "baseline_sets must be at least 1, got 0"),
        ({"sgd_epochs": "many"}, "sgd_epochs must be a whole number, got 'many'"),
        ({"training": 0.9}, "training is of type float, expected a tf_distill.Training("),
        ({"training": QUICK._replace(lr=0.0)}, "lr must be above 0 and finite, got 0.0"),
        ({"training": QUICK._replace(epochs=0.5)}, "epochs must be a whole number, got 0.5"),
        ({"training": QUICK._replace(dropout=0.5)}, "put layers of dropout into your own"),
    ],
)
def test_mistakes_are_told_in_a_line_of_python(result, wrong, told):
    with pytest.raises(td.UserError) as error:
        result.compare(**wrong)
    assert told in str(error.value)
    assert "--" not in str(error.value)
    assert "\n" not in str(error.value)


def test_without_a_folder_all_is_in_memory(result, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = result.compare(**PROTOCOL, training=QUICK)
    assert not list(tmp_path.iterdir())
    assert "comparison" in {path.stem for path in result.figures("drawn")}
    more = result.compare(**PROTOCOL | {"baseline_sets": 4}, training=QUICK)
    counts = [{r["name"]: r["networks"] for r in c["rows"]}["random_real"] for c in (found, more)]
    assert counts == [3, 4]


def test_full_training_leaves_the_result_as_it_was(result):
    before = result.evaluate(1)
    trained = result.original(QUICK._replace(lr=0.1, epochs=20))
    assert trained.accuracy > 0.6 > before.mean
    assert result.evaluate(1) == before


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    "model", [build, own_models.Subclassed, frozen], ids=["named", "subclassed", "frozen"]
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
    "change", [{"rate": 0.1}, {"penalty": keras.regularizers.L2(0.1)}], ids=["rate", "penalty"]
)
def test_what_plays_a_part_in_full_training_alone_tells_networks_apart(change):
    def told(rate=0.5, penalty=None):
        layers = keras.layers
        parts = [layers.Dense(4, kernel_regularizer=penalty), layers.Dropout(rate)]
        inner = keras.Sequential([keras.Input([small.FEATURES]), *parts])
        model = keras.Sequential([keras.Input([small.FEATURES]), inner, layers.Dense(3)])
        return network_fingerprint.of_training(Learner(model))

    assert told() == told() != told(**change)


@pytest.mark.parametrize(("examples", "epochs"), [(120, 1000), (6400, 20), (10**6, 20)])
def test_few_examples_are_gone_through_more_often(examples, epochs):
    training = choose(build, small.dataset()).training(examples)
    assert training.epochs == epochs
    assert np.ceil(2000 / 64) <= training.length(examples) <= 20_000


def test_a_network_with_a_name_is_trained_as_the_command_line_does():
    digits = td.datasets.from_arrays(np.zeros((40, 28, 28, 1), np.uint8), np.arange(40) % 4)
    choice = choose("lenet", digits)
    assert choice.training(40) == models.NETWORKS["lenet"].training
    assert choice.fingerprint(choice.learner()) == {}
