"""Classifiers beyond networks: weights of soft labels, and their rows beside a set for a table."""

import numpy as np
import pandas as pd
import pytest

import tf_distill as td
from tf_distill.evaluation.classifiers import CLASSIFIERS, REGRESSORS, Rows

TINY = {"outer_steps": 2, "unroll": 2, "window": 2, "epochs": 2, "eval_networks": 2}


def frame(rows=60):
    """A table whose class is told by a number and a category."""
    rng = np.random.default_rng(0)
    y = np.arange(rows) % 3
    return pd.DataFrame({
        "size": (10 * y + rng.normal(0, 1, rows)).round(1),
        "colour": np.array(["red", "blue"])[(rng.random(rows) < 0.5).astype(int)],
        "kind": np.array(["a", "b", "c"])[y],
    })  # fmt: skip


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_soft_labels_count_by_their_probabilities(name):
    x = np.array([[0.0], [0.1], [1.0], [1.1]] * 3)
    y = np.array([[0.9, 0, 0.1], [0.8, 0, 0.2], [0.3, 0, 0.7], [0.2, 0, 0.8]] * 3)
    predict = CLASSIFIERS[name][1](Rows(x, y), 0)
    assert predict(np.array([[0.05], [1.05]])).tolist() == [0, 2]  # no row is of class 1


@pytest.mark.parametrize("name", REGRESSORS)
def test_quantities_are_learned_as_they_are(name):
    x = np.linspace(0, 1, 20)[:, np.newaxis]
    predict = REGRESSORS[name][1](Rows(x, 300 * x[:, 0]), 0)
    np.testing.assert_allclose(predict(np.array([[0.0], [1.0]])), [0, 300], atol=60)


def test_xgboost_is_one_of_them_where_it_is_installed():
    pytest.importorskip("xgboost")
    assert "xgboost" in CLASSIFIERS.keys() & REGRESSORS.keys()


def test_rows_of_one_class_give_that_class():
    learn = CLASSIFIERS["logistic"][1]
    assert learn(Rows(np.ones((2, 1)), np.eye(3)[[2, 2]]), 0)(np.zeros((4, 1))).tolist() == [2] * 4


def test_a_comparison_has_them_for_a_table():
    result = td.distill(td.datasets.from_table(frame(), "kind"), **TINY)
    quick = td.Training(lr=0.01, batch_size=16, epochs=1, steps=10)
    names = ["decoded_rows", "nearest", "logistic_all", "forest_random_real"]
    found = result.compare(rows=names, training=quick, baseline_sets=2)["rows"]
    assert [row["name"] for row in found] == names
    assert [row["networks"] for row in found] == [2, 1, 1, 2]
    assert found[2]["mean"] == 1
    assert found[2]["title"] == "logistic regression, all data"
    rows = result.distilled.rows()
    assert [*rows[0]] == ["size", "colour", "label a", "label b", "label c"]
    assert {row["colour"] for row in rows} <= {"red", "blue"}
    assert all(len(row["size"].partition(".")[2]) == 1 for row in rows)
