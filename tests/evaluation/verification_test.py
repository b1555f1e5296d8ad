"""A set is verified: its files, and the accuracy that it gives here."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import small
from made_sets import TEXT, made

import tf_distill as td
from tf_distill.common import UserError
from tf_distill.core import Accuracy, evaluate, evaluator, fixed_network
from tf_distill.datasets import DATASETS
from tf_distill.datasets.base import hold_out
from tf_distill.evaluation import verification
from tf_distill.evaluation.verification import Verification
from tf_distill.export import LoadedSet

METADATA = {"dataset": "vectors", "network": "python:small", "seed": 3, "init": "random",
            "classes": ["a", "b", "c"], "input": {"kind": "vector", "shape": [small.FEATURES]},
            "use": "replay", "inner_optimizer": "sgd", "augment": "none"}  # fmt: skip


def network():
    return small.learner().model


def accuracy(data, weights):
    return evaluator(small.learner(), data)(small.samples(), weights).accuracy


def written(tmp_path, weights=(), **more):
    made = LoadedSet(small.samples(), [*weights], {**METADATA, **more})
    return td.save_distilled(made, tmp_path / "set")


def test_the_first_networks_of_the_stored_ones_are_measured(tmp_path):
    data = small.dataset(test=200)
    many = [*evaluate.test_networks(small.learner(), "random", 6, 3)]
    stored = accuracy(data, many)
    folder = written(tmp_path, accuracy=stored._asdict(), eval_split="test")
    found = td.verify(folder, data, model=network, networks=2)
    assert found == (stored, accuracy(data, many[:2]), 200)
    assert found.tolerance == max(0.005, 2 * stored.std)
    assert td.verify(folder, data, model=network).measured.networks == 5


def test_a_fixed_network_and_held_out_data_are_those_of_the_set(tmp_path):
    data = small.dataset(train=300)
    held_out = hold_out(data, METADATA["seed"])
    start = fixed_network(small.learner(), 8)
    stored = accuracy(held_out, [start])
    more = {"accuracy": stored._asdict(), "eval_split": "held_out", "init": "fixed"}
    found = td.verify(written(tmp_path, start, **more), data, model=network)
    assert found == (stored, stored, 30)
    assert found.holds


@pytest.mark.parametrize(
    ("stored", "measured", "holds"),
    [
        (Accuracy(0.9, 0.0, 1), 0.896, True),
        (Accuracy(0.9, 0.0, 1), 0.906, False),
        (Accuracy(0.9, 0.01, 20), 0.881, True),
        (Accuracy(0.9, 0.01, 20), 0.879, False),
        (None, 0.1, True),
    ],
)
def test_half_a_point_or_twice_the_spread(stored, measured, holds):
    found = Verification(stored, Accuracy(measured, 0.0, 1), 1000)
    assert found.holds == holds
    assert f"measured {measured:.4f}, on 1000 test examples" in str(found)


def test_one_of_a_few_test_examples_may_differ():
    stored = Accuracy(0.8, 0.0, 2)
    assert Verification(stored, Accuracy(24 / 30 + 1 / 30, 0.0, 2), 30).holds
    assert not Verification(stored, Accuracy(24 / 30 + 2 / 30, 0.0, 2), 30).holds


def test_no_more_networks_are_measured_than_the_stored_ones(tmp_path):
    data = small.dataset(test=30)
    stored = accuracy(data, [*evaluate.test_networks(small.learner(), "random", 2, 3)])
    folder = written(tmp_path, accuracy=stored._asdict(), eval_split="test")
    assert td.verify(folder, data, model=network).measured == stored


def test_classes_in_another_order_are_numbered_as_in_the_set(tmp_path):
    data, order = small.dataset(test=60), [2, 0, 1]
    other = dataclasses.replace(
        data,
        classes=tuple(data.classes[i] for i in order),
        **{n: np.argsort(order)[getattr(data, n)] for n in ("y_train", "y_test")},
    )
    folder = written(tmp_path)
    found = [td.verify(folder, given, model=network).measured for given in (data, other)]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("change", "model", "told"),
    [
        ({}, None, "for a network of your own, small; in Python, give the function that makes it"),
        ({"network": "os:abort"}, None, "for a network of your own, os:abort; in"),  # no import
        ({"classes": ["a", "b", "d"]}, network, r"classes \['a', 'b', 'd'\], but vectors has"),
        ({"input": {"kind": "image", "shape": [small.FEATURES]}}, network,
         "inputs of vectors have another kind than those of the set: 'vector', expected 'image'"),
        ({"seed": -1}, network, "seed of the set=-1, expected a whole number from 0"),
    ],
)  # fmt: skip
def test_data_and_networks_that_do_not_fit_are_one_line(tmp_path, change, model, told):
    folder = written(tmp_path)
    loaded = td.load_distilled(folder)
    loaded = dataclasses.replace(loaded, metadata=loaded.metadata | change)
    if "image" in str(change):
        loaded.metadata["input"] |= {"mean": [0], "std": [1]}
    folder = td.save_distilled(loaded, tmp_path / "changed")
    with pytest.raises(UserError, match=told) as error:
        td.verify(folder, small.dataset(), model=model)
    assert "\n" not in str(error.value)


def test_data_of_python_must_be_given(tmp_path):
    with pytest.raises(UserError, match="the set is of 'vectors', data that only Python has"):
        td.verify(written(tmp_path), model=network)


def test_texts_are_read_in_the_words_of_the_set(text_run, tmp_path):
    data = DATASETS["toy_questions"].load(None, None)
    own = dataclasses.replace(
        data, x_test=np.zeros_like(data.x_test), encoding=small.Identity()
    )  # its numbers and vectors do not count
    assert td.verify(text_run / "set" / "1", own).holds
    without = dataclasses.replace(td.load_distilled(text_run), vectors=None)
    folder = td.save_distilled(without, tmp_path / "set")
    assert td.verify(folder).holds
    for other in (other_vectors(data), shorter_vectors(data)):
        with pytest.raises(UserError, match=r"word vectors of toy_.* not .*vectors.npz back into"):
            td.verify(folder, other)


@pytest.mark.parametrize("measure", [td.verify, td.audit], ids=["verify", "audit"])
def test_a_set_with_its_word_vectors_needs_no_other_file_of_them(measure, tmp_path, monkeypatch):
    rows = "".join(f"{'a c' if i % 2 else 'c'},{'yes' if i % 2 else 'no'}\n" for i in range(20))
    (tmp_path / "texts.csv").write_text(f"text,label\n{rows}")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))  # has no GloVe
    about = {"dataset": f"csv:{tmp_path / 'texts.csv'}", "classes": ["no", "yes"]}
    distilled = made(TEXT, about=about, vectors=np.eye(3, dtype="f4"))
    folder = td.save_distilled(distilled, tmp_path / "set")
    layers = [keras.layers.Flatten(), keras.layers.Dense(1)]
    assert measure(folder, model=lambda: keras.Sequential(layers))


@pytest.mark.parametrize("inside", ["", "set/1"])
def test_data_are_read_as_the_run_says_but_another_machine_s_folder_does_not_count(
    tmp_path, monkeypatch, inside
):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    run = {"dataset": "csv:a.csv", "model": "mlp", "init": "random", "labels": "hard"}
    run["test_data"] = "b.csv"
    loaded, seen = made(), []
    monkeypatch.setattr(verification, "load_data", seen.append)
    for place in ("/nowhere/theirs", str(tmp_path / "here")):
        (tmp_path / "here").mkdir(exist_ok=True)
        (tmp_path / "config.json").write_text(json.dumps(run | {"data_dir": place}))
        verification.named_data(loaded, tmp_path / inside, {})
    assert [settings["data_dir"] for settings in seen] == [str(tmp_path), str(tmp_path / "here")]
    assert {settings["test_data"] for settings in seen} == {"b.csv"}


def with_vectors(data, vectors):
    encoding = type(data.encoding)(data.encoding.words, vectors, data.encoding.length)
    return dataclasses.replace(data, encoding=encoding)


def other_vectors(data):
    return with_vectors(data, 2 * data.encoding.vectors.numpy()[2:])


def shorter_vectors(data):
    return with_vectors(data, data.encoding.vectors.numpy()[2:, :-1])


def changed_card(folder, **parts):
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps(card | parts))


def flip_a_byte(folder):
    with np.load(folder / "set.npz") as arrays:
        place = (folder / "set.npz").read_bytes().index(arrays["y"].tobytes())
    data = bytearray((folder / "set.npz").read_bytes())
    data[place] ^= 1
    (folder / "set.npz").write_bytes(data)


def change_a_rate(folder):
    with np.load(folder / "set.npz") as arrays:
        np.savez(folder / "set.npz", **{**arrays, "lr": arrays["lr"] * 2})


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (flip_a_byte, "file 'y.npy'"),
        (change_a_rate, "(lr has been changed"),
        (lambda f: changed_card(f, classes=["b", "a", "c"]), "(classes in card.json has been ch"),
        (lambda f: changed_card(f, input={"kind": "vector", "shape": [small.FEATURES + 1]}),
         "(input in card.json has been changed"),
    ],
)  # fmt: skip
def test_what_was_changed_is_named(tmp_path, cli, damage, named):
    folder = written(tmp_path)
    damage(folder)
    found = cli("--mode=verify", str(folder))
    assert found.status == 2
    assert named in found.err
    assert found.err.count("\n") == 1


def test_the_command_line_says_it_by_its_status(cli, image_run, tmp_path):
    found = cli("--mode=verify", str(image_run))
    assert found.status == 0
    stored = json.loads((image_run / "results.json").read_text())["accuracy"]["mean"]
    assert f"stored   {stored:.4f}\nmeasured {stored:.4f}, on 360 test examples\n" in found.out

    loaded = td.load_distilled(image_run)
    wrong = {**loaded.metadata, "accuracy": {"mean": 0.99, "std": 0.0, "networks": 1}}
    folder = td.save_distilled(dataclasses.replace(loaded, metadata=wrong), tmp_path / "wrong")
    found = cli("--mode=verify", str(folder))
    assert found.status == 1
    assert found.err.startswith(f"tf_distill: error: {folder}: stored   0.9900; measured ")
    assert found.err.count("\n") == 1

    (folder / "card.json").write_text("{}")
    assert cli("--mode=verify", str(folder)).status == 2
    assert "needs a set; give the folder of one" in cli("--mode=verify").err
    assert "got 2 arguments, expected one folder of a" in cli("--mode=verify", "a", "b").err
