"""Distilled sets made to do harm: their graphs never run, their values are checked."""

import json
import random
import shutil
import struct

import foreign
import numpy as np
import pytest
import tensorflow as tf

import tf_distill
from tf_distill.common.errors import UserError
from tf_distill.export import distilled_set


def test_the_graph_of_a_distilled_set_never_runs(tmp_path):
    """A SavedModel is a program; a set from elsewhere is read as data."""

    class Harmful(distilled_set.SavedSet):
        @tf.function(input_signature=[])
        def metadata_json(self):
            with tf.control_dependencies([tf.io.write_file(str(tmp_path / "harm"), "harm")]):
                return tf.io.read_file(self.metadata.asset_path)

        distilled = initial_weights = metadata_json

    sound = distilled_set.load(foreign.SET)
    asset = foreign.SET / "assets" / "metadata.json"
    tf.saved_model.save(Harmful(sound.samples, [], asset), str(tmp_path / "set"))
    loaded = distilled_set.load(tmp_path / "set")
    np.testing.assert_array_equal(loaded.samples.x, sound.samples.x)
    assert not (tmp_path / "harm").exists()
    tf.saved_model.load(str(tmp_path / "set")).metadata_json()
    assert (tmp_path / "harm").exists()  # what it would have done


def changed_set(folder, **values):
    """A set with other values, beside the old metadata."""
    sound = distilled_set.load(foreign.SET)
    samples = sound.samples._replace(**{k: v for k, v in values.items() if k in ("x", "y", "lr")})
    path = folder / "set"
    distilled_set.save(path, samples, values.get("weights", []), sound.metadata)
    return path


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"x": np.zeros((2, 3, 8, 16), "f4")}, "shapes of x, y and lr"),
        ({"x": np.zeros((1, 3, 8, 17), "f4")}, "metadata of [8, 16]"),
        ({"x": np.zeros((0, 3, 8, 16), "f4"), "y": np.zeros((0, 3, 3), "f4")}, "shapes of x"),
        ({"x": np.full((1, 3, 8, 16), np.nan, "f4")}, "not finite"),
        ({"x": np.zeros((1, 3, 8, 16), "i4")}, "x has a type that is none of"),
        ({"y": np.zeros((1, 3, 4), "f4")}, "labels of 4 numbers for 3 classes"),
        ({"lr": np.zeros((0,), "f4")}, "shapes of x"),
    ],
)
def test_sets_of_values_that_do_not_fit(tmp_path, values, words):
    foreign.refused(
        distilled_set.load, changed_set(tmp_path, **values), "is no sound distilled set", words
    )


def test_arrays_want_a_mean_and_a_std_of_their_numbers(tmp_path):
    path = changed_set(tmp_path)
    file = path / "assets" / "metadata.json"
    metadata = json.loads(file.read_text())
    for wrong in ({}, {"mean": [0, 0], "std": [1, 1]}):
        given = {"kind": "array", "shape": [8, 16], **wrong}
        file.write_text(json.dumps(metadata | {"input": given}))
        foreign.refused(distilled_set.load, path, "no mean and std of 16 numbers")


def test_learning_rates_are_a_multiple_of_the_steps(tmp_path):
    two = {"x": np.zeros((2, 3, 8, 16), "f4"), "y": np.zeros((2, 3, 3), "f4")}
    path = changed_set(tmp_path, **two, lr=np.ones(3, "f4"))
    foreign.refused(distilled_set.load, path, "3 learning rates are no multiple of 2 steps")


def test_initial_weights_come_back_in_their_order(tmp_path):
    weights = [np.full((i + 1,), i, "f4") for i in range(12)]
    loaded = distilled_set.load(changed_set(tmp_path, weights=weights))
    for one, other in zip(loaded.initial_weights, weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_set_that_no_network_of_its_name_takes(tmp_path):
    loaded = distilled_set.load(foreign.SET)
    odd = loaded.samples._replace(x=tf.zeros((1, 3, 1, 1)))
    with pytest.raises(UserError, match=r"textconvnet can't take samples of shape \(1, 1\)"):
        distilled_set.LoadedSet(odd, [], loaded.metadata).network()


def test_variables_that_promise_more_than_they_hold(tmp_path):
    path = shutil.copytree(foreign.SET, tmp_path / "set")
    data = next(path.rglob("variables.data*"))
    data.write_bytes(data.read_bytes()[:100])
    foreign.refused(tf_distill.load_distilled, path, "is no sound distilled set")


def crc32c(data):
    """Castagnoli's checksum, which guards the blocks of an index."""
    crc = 2**32 - 1
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 2**32 - 1


def test_an_index_of_right_checksums_and_wrong_content(tmp_path):
    """TensorFlow's own reader of checkpoints ends the process here, without an exception."""
    path = shutil.copytree(foreign.SET, tmp_path / "set")
    index = path / "variables" / "variables.index"
    sound = index.read_bytes()
    # The block of entries goes to the one of metadata, by whose place the last 48 bytes begin.
    place = struct.unpack("BB", sound[-48:-46])
    size = (place[0] & 127 | place[1] << 7) - 5
    rng = random.Random(0)
    for _ in range(30):
        data = bytearray(sound)
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(size)] = rng.choice([0, 127, 128, 255, rng.randrange(256)])
        crc = crc32c(data[: size + 1])
        masked = (crc >> 15 | crc << 17) + 0xA282EAD8 & 2**32 - 1
        index.write_bytes(data[: size + 1] + struct.pack("<I", masked) + data[size + 5 :])
        foreign.attempt(lambda: distilled_set.load(path))
    assert crc32c(b"123456789") == 0xE3069283
