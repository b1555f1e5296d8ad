"""A run whose labels are a quantity: its results, its files, and what is made of them."""

import csv
import dataclasses
import json

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import tf_distill as td
from tf_distill.common import UserError
from tf_distill.datasets import from_arrays, from_table
from tf_distill.evaluation.verification import verify_set
from tf_distill.report import table

TINY = {"outer_steps": 2, "eval_networks": 2, "epochs": 3, "samples_per_step": 2, "batch_size": 16}


def frame(rows=60):
    """A table whose price follows from its columns."""
    rng = np.random.default_rng(0)
    size, kind = rng.uniform(20, 200, rows).round(1), rng.choice(["flat", "house"], rows)
    price = 1000 * size + 5e4 * (kind == "house") + rng.normal(0, 1e4, rows)
    return pd.DataFrame({"size": size, "kind": kind, "price": price.round(2)})


@pytest.fixture(scope="module")
def data():
    return from_table(frame(), "price", name="houses")


@pytest.fixture(scope="module")
def result(data, tmp_path_factory):
    return td.distill(data, run_dir=tmp_path_factory.mktemp("regression") / "run", **TINY)


@pytest.fixture(scope="module")
def folder(result):
    return result._run.files.path


def test_the_results_are_r2_and_rmse(result, data):
    answers = np.stack([predictions(result, data, order) for order in range(2)])
    errors = np.sqrt(((answers - data.y_test) ** 2).mean(axis=1))
    assert result.rmse == pytest.approx((errors.mean(), errors.std(), 2), rel=1e-3)
    r2 = 1 - errors**2 / data.y_test.var()
    assert result.accuracy == pytest.approx((r2.mean(), r2.std(), 2), rel=1e-3)
    assert f"R2 {result.accuracy.mean:.4f}" in repr(result)
    assert result.results["labels"] == "quantities"
    assert result.results["target"]["name"] == "price"
    assert result.by_class == []


def predictions(result, data, order):
    """The answers of one of the networks that tested the set, in the units of the table."""
    from tf_distill.core import test_networks, train

    run, target = result._run, data.target
    weights = [*test_networks(run.learner, "random", 2, 0)][order]
    trained = train(run.learner, result.distilled.samples, weights, run.recipe, order)
    outputs = run.learner.apply(trained, data.encoding(tf.constant(data.x_test)))
    return outputs.numpy()[:, 0] * target.std + target.mean


def test_rows_have_the_quantity_as_the_table_has_it(result, folder, data):
    with (folder / "set" / "1" / "samples" / "rows.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert [*rows[0]] == ["size", "kind", "price"]
    y = np.asarray(result.distilled.samples.y).ravel() * data.target.std + data.target.mean
    np.testing.assert_allclose([float(row["price"]) for row in rows], y, atol=0.02)
    assert all(len(row["price"].partition(".")[2]) == 2 for row in rows)
    np.testing.assert_allclose(result.distilled.quantities(), y, rtol=1e-6)
    with pytest.raises(UserError, match="the labels are price, no classes"):
        result.distilled.label_distributions()


def test_the_card_and_the_readme_tell_the_quantity(folder, data):
    card = json.loads((folder / "set" / "1" / "card.json").read_text())
    assert card["target"] == data.target._asdict()
    assert card["classes"] == []
    assert "(output - y)^2; the quantity is output * std + mean" in card["how_to_train"]
    readme = (folder / "set" / "1" / "README.md").read_text()
    assert "the quantity price" in readme
    assert "RMSE" in readme
    loaded = td.load_distilled(folder)
    assert loaded.target == data.target
    card["target"]["mean"] = 0.0
    changed = folder.parent / "changed"
    td.save_distilled(loaded, changed)
    (changed / "card.json").write_text(json.dumps(card))
    with pytest.raises(UserError, match=r"target in card\.json has been changed"):
        td.load_distilled(changed)


def test_a_set_is_verified_on_the_data_it_was_made_of(folder, data):
    loaded = td.load_distilled(folder)
    assert verify_set(loaded, data, networks=2).holds
    with pytest.raises(UserError, match=r"the set has the target 'price', but t has 'size'"):
        verify_set(loaded, from_table(frame(), "size", name="t"))


def test_a_served_model_answers_in_units(folder, data):
    signatures = tf.saved_model.load(str(folder / "model" / "1")).signatures
    assert {*signatures} == {"serving_default", "regress"}
    rows = frame(5)
    served = signatures["serving_default"](
        size=tf.constant(rows["size"]), kind=tf.constant(rows["kind"].tolist())
    )["value"]
    examples = [
        tf.train.Example(features=tf.train.Features(feature={
            "size": tf.train.Feature(float_list=tf.train.FloatList(value=[row["size"]])),
            "kind": tf.train.Feature(bytes_list=tf.train.BytesList(value=[row["kind"].encode()])),
        })).SerializeToString()
        for _, row in rows.iterrows()
    ]  # fmt: skip
    regressed = signatures["regress"](inputs=tf.constant(examples))["outputs"]
    np.testing.assert_allclose(served, regressed, rtol=1e-5)
    assert abs(float(np.mean(served)) - data.y_train.mean()) < 3 * data.y_train.std()


def test_the_report_and_the_table_name_r2(folder, result):
    page = (folder / "report.html").read_text()
    assert "distillation R2" in page
    assert "RMSE of price" in page
    assert "accuracy, %" not in page
    (row,) = table.compare([folder])
    assert row["rmse"] == result.rmse.mean
    assert "R2, %" in table.to_text([row])


@pytest.fixture(scope="module")
def compared(result):
    rows = ["random_real", "average", "learned_labels", "ridge", "ridge_all", "decoded_rows"]
    training = td.Training(0.01, 16, 2, 10)
    return result.compare(
        rows=rows, baseline_sets=2, baseline_networks=2, control_steps=2, training=training
    )


def test_a_comparison_has_rows_for_quantities(compared, data):
    means = {row["name"]: row["mean"] for row in compared["rows"]}
    assert 0.8 < means["ridge_all"] <= 1
    assert "hard_labels" not in {row["name"] for row in compared["rows"]}
    assert "hard labels" not in compared["expected"]
    how = {row["name"]: row["how"] for row in compared["rows"]}
    assert "with their quantities" in how["random_real"]
    assert compared["original"]["accuracy"] < 1


def test_a_set_goes_on_in_the_scale_of_other_data(result, folder, data):
    from tf_distill.runs.warm_start import read_start

    shifted = frame()
    shifted["price"] += 1e5
    other = from_table(shifted, "price", name="houses")
    config = dataclasses.replace(result._run.config, start=str(folder))
    samples = read_start(config, other, result._run.learner)
    moved = 1e5 / data.target.std
    before = np.asarray(td.load_distilled(folder).samples.y)
    np.testing.assert_allclose(samples.y, before - moved, atol=1e-4)


def network():
    layers = keras.layers
    return keras.Sequential([keras.Input([3]), layers.Dense(4, "tanh"), layers.Dense(1)])


def test_a_network_of_ones_own_learns_a_quantity_of_arrays():
    x = np.random.default_rng(0).normal(size=(40, 3)).astype("f4")
    data = from_arrays(x, x.sum(axis=1) / 2)
    result = td.distill(data, network, use="replay", outer_steps=20, inner_lr=0.1, epochs=3)
    assert result.distilled.samples.y.shape == (1, 10, 1)
    assert result.history[-1]["loss"] < result.history[0]["loss"]
    assert result.rmse.mean > 0


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"labels": "probabilities"}, "labels=probabilities is for classes; leave it out"),
        ({"sample_init": "linear"}, "sample_init=linear is for classes; .* sample_init=real"),
    ],
)
def test_what_is_for_classes_alone_is_refused(data, settings, text):
    with pytest.raises(UserError, match=text):
        td.distill(data, **TINY, **settings)
