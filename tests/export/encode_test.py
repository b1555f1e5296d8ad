"""Raw inputs are encoded by a loaded set as by the dataset that it was distilled from."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tf_distill as td
from tf_distill.common import UserError
from tf_distill.core import Samples
from tf_distill.datasets import DATASETS
from tf_distill.export import LoadedSet, load, word_vectors

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 12, 14, 3), dtype=np.uint8)
NUMBERS = RNG.normal(3, 2, (6, 4, 2)).astype("f4")
TWICE = np.arange(6) % 2


def set_of(data, tmp_path):
    """A set of a dataset, as another program loads it."""
    described = data.encoding.metadata()
    samples = Samples(tf.zeros((1, 2, *described["shape"])), tf.ones((1, 2, data.outputs)), [0.1])
    metadata = {"dataset": data.name, "network": "lenet", "seed": 0, "classes": data.classes,
                "input": described}  # fmt: skip
    made = LoadedSet(samples, [], metadata, vectors=word_vectors(data.encoding))
    return load(td.save_distilled(made, tmp_path / "set"))


def expected(data):
    return np.asarray(data.encoding(data.x_test))


def test_texts(tmp_path):
    data = DATASETS["toy_questions"].load(None, None)
    distilled = set_of(data, tmp_path)
    texts = [text.decode() for text in data.raw_test]
    np.testing.assert_array_equal(distilled.encode(texts), expected(data))
    np.testing.assert_array_equal(distilled.encode(texts[0]), expected(data)[:1])


@pytest.mark.parametrize("given", [lambda x: x, lambda x: x / 255, list, lambda x: x.astype(int)])
def test_images_as_arrays(given, tmp_path):
    data = td.datasets.from_arrays(PIXELS, TWICE, PIXELS, TWICE)
    found = set_of(data, tmp_path).encode(given(PIXELS))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected(data))


def test_images_of_another_size_or_without_channels(tmp_path):
    grey = PIXELS[..., 0]
    data = td.datasets.from_arrays(grey, TWICE, grey, TWICE)
    distilled = set_of(data, tmp_path)
    np.testing.assert_array_equal(distilled.encode(grey), expected(data))
    large = np.repeat(np.repeat(grey, 2, 1), 2, 2)
    assert distilled.encode(large).shape == (6, 12, 14, 1)
    assert np.abs(distilled.encode(large) - expected(data)).mean() < 0.5


def test_images_in_files(tmp_path):
    files = []
    for i, size in enumerate([(20, 20), (20, 20), (20, 20), (13, 40)]):
        folder = tmp_path / "pictures" / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        files.append(folder / f"{i}.png")
        Image.fromarray(RNG.integers(0, 256, (*size, 3), dtype=np.uint8)).save(files[-1])
    data = td.datasets.from_directory(tmp_path / "pictures", test=tmp_path / "pictures")
    distilled = set_of(data, tmp_path)
    np.testing.assert_array_equal(distilled.encode(sorted(files)), expected(data))
    np.testing.assert_array_equal(distilled.encode(str(files[0])), expected(data)[:1])
    files[1].write_bytes(b"\x89PNG")
    with pytest.raises(UserError, match=r"can't read 1 of 4 images: .*1.png \(is cut off\); exp"):
        distilled.encode(files)


def test_numbers(tmp_path):
    data = td.datasets.from_arrays(NUMBERS, TWICE, NUMBERS, TWICE)
    np.testing.assert_array_equal(set_of(data, tmp_path).encode(NUMBERS), expected(data))


@pytest.mark.parametrize(
    ("data", "inputs", "told"),
    [
        ("texts", [3], "got 3, expected texts: a list of strings"),
        ("texts", 3, "got 3, expected texts"),
        ("images", PIXELS[0], r"one image of \(12, 14, 3\), expected a list of images: \[image\]"),
        ("images", PIXELS - 0.5, "expected images .* whole numbers from 0 to 255"),
        ("images", [PIXELS[0], PIXELS[0, 1:]], "images: inputs are no array .*, expected one shap"),
        ("images", ["none.png"], r"can't read 1 of 1 images: none.png \(No such file"),
        ("numbers", NUMBERS[0], r"got inputs of shape \(4, 2\), expected \['N', 4, 2\]"),
        ("numbers", NUMBERS * np.nan, "inputs: input 0 has a NaN"),
    ],
)
def test_other_inputs_are_one_line(data, inputs, told, tmp_path):
    made = {
        "texts": lambda: DATASETS["toy_questions"].load(None, None),
        "images": lambda: td.datasets.from_arrays(PIXELS, TWICE),
        "numbers": lambda: td.datasets.from_arrays(NUMBERS, TWICE),
    }[data]()
    with pytest.raises(UserError, match=told) as error:
        set_of(made, tmp_path).encode(inputs)
    assert "\n" not in str(error.value)


def test_texts_need_the_vectors_of_their_words(tmp_path):
    set_of(DATASETS["toy_questions"].load(None, None), tmp_path)
    (tmp_path / "set" / "vectors.npz").unlink()
    with pytest.raises(UserError, match=r"put vectors.npz back into the folder"):
        load(tmp_path / "set").encode(["who"])
