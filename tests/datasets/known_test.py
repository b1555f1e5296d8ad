"""The named datasets: two without files, and the advice for one that is missing."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from pictures import fill

from tf_distill.common.errors import UserError
from tf_distill.datasets import DATASETS, from_csv, from_directory, user_data
from tf_distill.datasets.toy_questions import GRAMMAR
from tf_distill.datasets.words import PADDING
from tf_distill.networks.registry import NETWORKS


def load(name: str, data_dir: Path = Path("nowhere")):
    return DATASETS[name].load(data_dir, None)


@pytest.mark.parametrize("name", ["digits", "toy_questions"])
def test_is_what_the_registry_says(name):
    assert all(NETWORKS[entry.model].kind == entry.kind for entry in DATASETS.values())
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

    real, dataset = load_digits(), load("digits")
    assert (dataset.x_train.shape, len(dataset.y_test)) == ((1437, 28, 28, 1), 360)
    counts = Counter(real.target)
    assert Counter(dataset.y_train) + Counter(dataset.y_test) == counts
    for digit, count in Counter(dataset.y_test).items():  # stratified
        assert abs(count - counts[digit] / 5) <= 1
    images = {image.tobytes() for image in dataset.x_train}
    assert sum(image.tobytes() in images for image in dataset.x_test) == 0
    whole = np.concatenate([dataset.x_train, dataset.x_test])
    assert (whole.dtype, whole.min(), whole.max()) == (np.uint8, 0, 255)
    assert whole.mean() == pytest.approx(real.images.mean() * 255 / 16, rel=0.02)
    x = dataset.encoding(tf.constant(dataset.x_train)).numpy()
    np.testing.assert_allclose((x.mean(), x.std()), (0, 1), atol=1e-4)


def test_questions_are_balanced_distinct_and_numbered_as_they_read():
    dataset = load("toy_questions")
    raw = [*dataset.raw_train, *dataset.raw_test]
    assert len(raw) == len(set(raw)) == 780
    labels = Counter([*dataset.y_train, *dataset.y_test])
    assert labels == {i: 60 * len(verbs) for i, (_, verbs) in enumerate(GRAMMAR.values())}
    assert (len(dataset.y_test), set(labels.values())) == (195, {240, 300})
    x, y = (np.concatenate([getattr(dataset, f"{a}_train"), getattr(dataset, f"{a}_test")])
            for a in "xy")  # fmt: skip
    for text, numbers, label in zip(raw, x, y, strict=True):
        words = [dataset.encoding.words[n - 2] for n in numbers if n != PADDING]
        assert " ".join(words) == text.decode()  # all are known
        assert text.decode().startswith(GRAMMAR[dataset.classes[label]][0])


@pytest.mark.parametrize("name", ["mnist", "trec50", "sst5"])
def test_a_missing_dataset_ends_at_once_with_what_to_do(name, tmp_path):
    with pytest.raises(UserError) as error:
        load(name, tmp_path)
    assert f"is not in {tmp_path}" in str(error.value)
    assert "data_dir" in str(error.value)
    assert ("download_and_prepare" in str(error.value)) or name == "sst5"
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", DATASETS)
def test_own_data_are_not_taken_for_those_of_the_registry(tmp_path, name):
    file, folder = tmp_path / f"{name}.csv", tmp_path / name
    file.write_text("text,label\n" + "a cat purrs,cat\na dog barks,dog\n" * 3)
    fill(folder, each=2, size=(12, 12))
    names = [from_csv(file).name, from_directory(folder).name]
    names += [user_data.short_name(kind, str(file)) for kind in ("csv", "table")]
    assert names == [f"own_{name}"] * 4
