"""Facts of the real datasets; each test skips where its data is not there."""

import numpy as np
import pytest

from tf_distill.datasets import DATASETS
from tf_distill.datasets.images import pixel_statistics
from tf_distill.datasets.words import PADDING, UNKNOWN


@pytest.fixture(scope="module")
def load(data_dir):
    """Loads a dataset by its name here, if the folder has what it is made of."""

    def load(name: str, source: str):
        if not (data_dir / source).is_dir():
            pytest.skip(f"real data: no {source} in the data folder")
        if DATASETS[name].kind == "text" and not (data_dir / "glove").is_dir():
            pytest.skip("real data: no glove in the data folder")
        return DATASETS[name].load(data_dir, None)

    return load


def check(dataset, train: int, test: int, classes: int):
    assert (len(dataset.y_train), len(dataset.y_test)) == (train, test)
    assert len(dataset.classes) == classes == DATASETS[dataset.name].classes
    assert set(dataset.y_train) == set(range(classes))
    assert set(dataset.y_test) <= set(range(classes))


def test_trec6(load):
    dataset = load("trec6", "trec")
    check(dataset, 5452, 500, 6)
    counts = dict(zip(dataset.classes, np.bincount(dataset.y_test).tolist(), strict=True))
    assert counts == {"ABBR": 9, "DESC": 138, "ENTY": 94, "HUM": 65, "LOC": 81, "NUM": 113}
    assert dataset.encoding.shape == (30, 100)
    words = dataset.x_train[dataset.x_train != PADDING]
    assert np.mean(words == UNKNOWN) < 0.05
    question = dataset.raw_test[0].decode()
    assert question.lower().split()[0] == dataset.encoding.words[dataset.x_test[0, 0] - 2]


def test_trec50(load):
    dataset = load("trec50", "trec")
    check(dataset, 5452, 500, 50)
    assert len(set(dataset.y_test)) == 42
    assert dataset.encoding.shape == (20, 100)
    coarse = {name.split(":")[0] for name in dataset.classes}
    assert coarse == {"ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM"}


def test_sst5(load):
    dataset = load("sst5", "sst")
    check(dataset, 8544, 2210, 5)
    np.testing.assert_array_equal(np.bincount(dataset.y_test), [279, 633, 389, 510, 399])


@pytest.mark.parametrize(("name", "train"), [("mnist", 60_000), ("cifar10", 50_000)])
def test_the_encodings_numbers_which_are_typed_are_those_of_the_images(load, name, train):
    dataset = load(name, name)
    check(dataset, train, 10_000, 10)
    mean, std = pixel_statistics(dataset.x_train)
    np.testing.assert_allclose(dataset.encoding.mean, mean, atol=1e-4)
    np.testing.assert_allclose(dataset.encoding.std, std, atol=1e-4)


@pytest.mark.long
def test_imdb(load):
    dataset = load("imdb", "imdb_reviews")
    check(dataset, 25_000, 25_000, 2)
    assert dataset.encoding.shape == (400, 100)
    for word, name in ((b"wonderful", "positive"), (b"awful", "negative")):
        has = np.array([word in text for text in dataset.raw_train])
        counts = np.bincount(dataset.y_train[has])
        assert dataset.classes[counts.argmax()] == name
