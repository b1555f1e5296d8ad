"""Distilled sets as directories of tensorflow-datasets, read back by tensorflow-datasets."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from made_sets import made
from served import FORMAT_1

import tf_distill
from tf_distill.common import UserError
from tf_distill.export import tfds


def test_a_directory_is_loaded_by_name_and_by_folder(image_run, tmp_path):
    datasets = pytest.importorskip("tensorflow_datasets")
    distilled = tf_distill.load_distilled(image_run / "distilled" / "1")
    distilled = dataclasses.replace(distilled, frozen_weights=[tf.ones(3), tf.constant(2)])
    paths = [tfds.write_version(distilled, tmp_path) for _ in range(2)]
    assert [p.name for p in paths] == ["1.0.0", "2.0.0"]
    named = datasets.load("digits_lenet_distilled:1.0.0", data_dir=tmp_path, split="train")
    found = datasets.builder_from_directory(paths[1]).as_dataset(split="train")
    for examples in (named, found):
        for t, one in enumerate(examples.as_numpy_iterator()):
            assert (one["step"], one["lr"]) == (t, distilled.samples.lr[t])
            for name, values in (("x", distilled.samples.x), ("y", distilled.samples.y)):
                np.testing.assert_array_equal(one[name], values[0])
        assert t == 2
    with np.load(paths[0] / "initial_weights.npz") as weights:
        for one, other in zip(weights.values(), distilled.initial_weights, strict=True):
            np.testing.assert_array_equal(one, other)
    with np.load(paths[0] / "frozen_weights.npz") as weights:
        assert [w.tolist() for w in weights.values()] == [[1, 1, 1], 2]
    assert json.loads((paths[0] / "distilled.json").read_text()) == distilled.metadata


def test_a_set_for_training_has_each_sample_once(tmp_path):
    datasets = pytest.importorskip("tensorflow_datasets")
    folder = tf_distill.save_distilled(made(use="training"), tmp_path / "set")
    distilled = tf_distill.load_distilled(folder)
    path = tfds.write_version(distilled, tmp_path / "tfds")
    found = [*datasets.builder_from_directory(path).as_dataset(split="train").as_numpy_iterator()]
    assert [set(one) for one in found] == [{"x", "y"}] * 2
    for one, x, y in zip(found, *distilled.arrays(), strict=True):
        np.testing.assert_array_equal(one["x"], x)
        np.testing.assert_array_equal(one["y"], y)


def test_a_folder_that_can_not_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"can't write to .*file.*; name a folder"):
        tfds.write_version(tf_distill.load_distilled(FORMAT_1), tmp_path / "file")
