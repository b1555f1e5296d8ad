"""The datasets: those without files, what they share, and how images are changed."""

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import small
import tensorflow as tf

from tf_distill.common.errors import UserError
from tf_distill.datasets import DATASETS, hold_out
from tf_distill.datasets.images import ImageEncoding, crop_and_flip
from tf_distill.datasets.toy_questions import GRAMMAR
from tf_distill.datasets.words import PADDING, UNKNOWN
from tf_distill.networks.registry import NETWORKS


def load(name: str, data_dir: Path = Path("nowhere")):
    return DATASETS[name].load(data_dir, None)


def test_registry_names_networks_of_the_same_kind():
    for entry in DATASETS.values():
        assert NETWORKS[entry.model].kind == entry.kind


@pytest.mark.parametrize("name", ["digits", "toy_questions"])
def test_is_what_the_registry_says(name):
    entry, dataset = DATASETS[name], load(name)
    assert dataset.name == name
    assert len(dataset.classes) == entry.classes == dataset.outputs
    for x, y in ((dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test)):
        assert len(x) == len(y)
        assert y.dtype == np.int32
        assert set(y) == set(range(entry.classes))
        embedded = dataset.encoding(tf.constant(x[:3]))
        assert embedded.shape == (3, *dataset.encoding.shape)
        assert embedded.dtype == tf.float32
    again = load(name)
    np.testing.assert_array_equal(dataset.x_train, again.x_train)
    np.testing.assert_array_equal(dataset.x_test, again.x_test)


def test_digits_are_the_real_ones():
    from sklearn.datasets import load_digits

    dataset = load("digits")
    assert len(dataset.y_train) + len(dataset.y_test) == 1797
    assert len(dataset.y_test) == 360
    assert dataset.x_train.shape[1:] == (28, 28, 1)
    assert dataset.x_train.dtype == np.uint8
    counts = Counter(load_digits().target)
    assert Counter(dataset.y_train) + Counter(dataset.y_test) == counts
    for digit, count in Counter(dataset.y_test).items():  # stratified
        assert abs(count - counts[digit] / 5) <= 1
    images = {image.tobytes() for image in dataset.x_train}
    assert sum(image.tobytes() in images for image in dataset.x_test) == 0


def test_digits_keep_their_pixels_when_scaled():
    """The mean over 28x28 is that over 8x8, and the range is all of a byte."""
    from sklearn.datasets import load_digits

    dataset = load("digits")
    whole = np.concatenate([dataset.x_train, dataset.x_test])
    assert (whole.min(), whole.max()) == (0, 255)
    assert whole.mean() == pytest.approx(load_digits().images.mean() * 255 / 16, rel=0.02)


def test_digits_are_normalised_over_the_training_split():
    dataset = load("digits")
    x = dataset.encoding(tf.constant(dataset.x_train)).numpy()
    assert x.mean() == pytest.approx(0, abs=1e-4)
    assert x.std() == pytest.approx(1, abs=1e-4)


def test_questions_are_balanced_distinct_and_all_words_known():
    dataset = load("toy_questions")
    raw = [*dataset.raw_train, *dataset.raw_test]
    assert len(raw) == len(set(raw)) == 780
    labels = Counter([*dataset.y_train, *dataset.y_test])
    verbs = [len(verbs) for _, verbs in GRAMMAR.values()]
    assert labels == {i: 60 * n for i, n in enumerate(verbs)}
    assert len(dataset.y_test) == 195
    assert max(labels.values()) <= 1.3 * min(labels.values())
    for x in (dataset.x_train, dataset.x_test):
        assert not np.any(x == UNKNOWN)
        assert np.all(x[:, 0] != PADDING)


def test_questions_are_numbered_as_they_read():
    dataset = load("toy_questions")
    for raw, x, y in zip(dataset.raw_test, dataset.x_test, dataset.y_test, strict=True):
        words = [dataset.encoding.words[n - 2] for n in x if n != PADDING]
        assert " ".join(words) == raw.decode()
        assert raw.decode().startswith(GRAMMAR[dataset.classes[y]][0])


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
    dataset = load("toy_questions")
    held = hold_out(dataset, seed=0)
    for raw, x in ((held.raw_train, held.x_train), (held.raw_test, held.x_test)):
        np.testing.assert_array_equal(dataset.encoding.number(raw), x)


def test_image_encoding_by_hand():
    encoding = ImageEncoding((1, 2, 2), mean=(0.5, 0.0), std=(0.25, 2.0))
    x = encoding(tf.constant([[[[255, 255], [0, 51]]]], tf.uint8))
    np.testing.assert_allclose(x, [[[[2.0, 0.5], [-2.0, 0.1]]]], rtol=1e-6)
    assert encoding.metadata()["mean"] == (0.5, 0.0)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_crop_and_flip_gives_exact_windows_of_the_padded_image(dtype):
    padding, size, batch = 2, 5, 60
    x = (1 + np.arange(batch * size * size * 2) % 250).reshape(batch, size, size, 2).astype(dtype)
    got = crop_and_flip(tf.constant(x), tf.constant([1, 2]), padding).numpy()
    assert got.dtype == dtype
    padded = np.pad(x, [(0, 0), (padding, padding), (padding, padding), (0, 0)])
    seen = set()
    for before, after in zip(padded, got, strict=True):
        found = [
            (i, j, flip)
            for i in range(2 * padding + 1)
            for j in range(2 * padding + 1)
            for flip in (1, -1)
            if np.array_equal(before[i : i + size, j : j + size][:, ::flip], after)
        ]
        assert len(found) == 1
        seen |= set(found)
    assert {i for i, _, _ in seen} == {j for _, j, _ in seen} == set(range(2 * padding + 1))
    assert {flip for _, _, flip in seen} == {1, -1}


def test_crop_and_flip_follows_its_seed():
    x = tf.random.stateless_uniform([8, 6, 6, 3], [0, 0])
    one, again, other = (crop_and_flip(x, tf.constant(s)).numpy() for s in ([1, 2], [1, 2], [1, 3]))
    np.testing.assert_array_equal(one, again)
    assert np.any(one != other)


@pytest.mark.parametrize("name", ["mnist", "cifar10", "imdb", "trec6", "trec50", "sst5"])
def test_a_missing_dataset_ends_at_once_with_what_to_do(name, tmp_path):
    with pytest.raises(UserError) as error:
        load(name, tmp_path)
    assert f"is not in {tmp_path}" in str(error.value)
    assert "--data_dir" in str(error.value)
    assert ("download_and_prepare" in str(error.value)) or name == "sst5"
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "folder"), [("mnist", "mnist/3.0.1"), ("sst5", "sst5/1.0.0")])
def test_a_damaged_description_is_one_line(name, folder, tmp_path):
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "dataset_info.json").write_text("{")
    with pytest.raises(UserError, match=r"is not in .*, or damaged; delete .* and ") as error:
        load(name, tmp_path)
    assert "\n" not in str(error.value)
