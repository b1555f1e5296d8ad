"""The named datasets: two without files, and the advice for one that is missing."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tf_distill.common.errors import UserError
from tf_distill.datasets import DATASETS
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


@pytest.mark.parametrize("name", ["mnist", "cifar10", "imdb", "trec6", "trec50", "sst5"])
def test_a_missing_dataset_ends_at_once_with_what_to_do(name, tmp_path):
    with pytest.raises(UserError) as error:
        load(name, tmp_path)
    assert f"is not in {tmp_path}" in str(error.value)
    assert "data_dir" in str(error.value)
    assert ("download_and_prepare" in str(error.value)) or name == "sst5"
    assert "\n" not in str(error.value)
