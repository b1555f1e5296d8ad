"""Datasets of tensorflow-datasets by their features, from small ones made on the spot."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_distill.common.errors import UserError
from tf_distill.datasets import from_tfds, load
from tf_distill.datasets.tfds import LICENSES, choose_features, license_of

RNG = np.random.default_rng(0)


def store(data_dir, name, features, splits):
    """Writes a dataset of tensorflow-datasets; splits: rows by feature."""
    tfds.disable_progress_bar()
    made = {split: tf.data.Dataset.from_tensor_slices(rows) for split, rows in splits.items()}
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name, version="1.0.0", features=tfds.features.FeaturesDict(features),
        split_datasets=made, data_dir=str(data_dir),
    )  # fmt: skip


def images(n, size=12):
    image = RNG.integers(0, 256, (n, size, size, 1), dtype=np.uint8)
    return {"image": image, "label": np.arange(n) % 3}


def texts(n, label=None):
    labels = np.arange(n) % 2 if label is None else np.full(n, label)
    return {"sentence": [f"word number {i}" for i in range(n)], "label": labels}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    image = {"image": tfds.features.Image(shape=(12, 12, 1)),
             "label": tfds.features.ClassLabel(names=["z", "b", "a"])}  # fmt: skip
    text = {"sentence": tfds.features.Text(),
            "label": tfds.features.ClassLabel(names=["no", "yes"])}  # fmt: skip
    store(folder, "small_images", image, {"train": images(12), "test": images(6)})
    free = {**image, "image": tfds.features.Image(shape=(None, None, 1))}
    store(folder, "free_images", free, {"train": images(12, size=9), "test": images(6, size=20)})
    coarse = {"a_coarse": text["label"], **text}
    rows = [{"a_coarse": np.full(n, -1), **texts(n)} for n in (12, 4)]
    store(folder, "coarse_texts", coarse, dict(zip(("train", "test"), rows, strict=True)))
    store(folder, "small_texts", text, {"train": texts(12), "validation": texts(4)})
    store(folder, "other_texts", text, {"train": texts(20)})
    store(folder, "numbers", {"x": tfds.features.Scalar(np.int64)}, {"train": {"x": [1, 2]}})
    whole = {"stars": tfds.features.Scalar(np.int64), "id": tfds.features.Scalar(np.int32),
             "sentence": tfds.features.Text()}  # fmt: skip
    rows = {"stars": np.arange(12) % 3 - 1, "id": np.arange(12), "sentence": texts(12)["sentence"]}
    store(folder, "stars", whole, {"train": rows, "test": rows})
    return folder


def test_the_licence_is_told_where_it_is_known(folder, monkeypatch):
    assert [license_of(n) for n in ("mnist:3.0.1", "cifar10", "fashion_mnist")] == [
        "CC-BY-SA-3.0",
        None,
        "MIT",
    ]
    assert from_tfds("small_images", folder).license is None
    monkeypatch.setitem(LICENSES, "small_images", "MIT")
    assert from_tfds("small_images", folder).license == "MIT"
    settings = {"dataset": "tfds:small_images:1.0.0", "data_dir": str(folder), "embeddings": None}
    assert load(settings).license == "MIT"


def test_whole_numbers_are_labels_if_there_are_no_classes(folder):
    with pytest.raises(UserError, match="label_column") as error:
        from_tfds("stars", folder, embeddings="train")
    assert "stars (Scalar)" in str(error.value)
    dataset = from_tfds("stars", folder, label_feature="stars", embeddings="train")
    assert (dataset.classes, len(dataset.y_test)) == (("-1", "0", "1"), 12)


def test_images(folder):
    dataset = from_tfds("small_images", folder)
    assert (dataset.classes, dataset.name) == (("z", "b", "a"), "small_images")
    assert (dataset.x_train.shape, dataset.x_train.dtype) == ((12, 12, 12, 1), np.uint8)
    assert sorted(dataset.y_test) == [0, 0, 1, 1, 2, 2]
    assert from_tfds("small_images", folder, image_size=(14, 16)).x_test.shape == (6, 14, 16, 1)
    dataset = from_tfds("free_images", folder)  # of any size
    assert (dataset.x_train.shape, dataset.x_test.shape) == ((12, 28, 28, 1), (6, 28, 28, 1))
    assert sorted(dataset.y_test) == [0, 0, 1, 1, 2, 2]


def test_texts_are_tested_on_validation_where_there_is_no_test(folder, capsys):
    dataset = from_tfds("small_texts", folder, embeddings="train")
    assert (dataset.classes, len(dataset.y_test)) == (("no", "yes"), 4)
    assert "tested on validation" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "train"), [("coarse_texts", 12), ("other_texts", 16)])
def test_a_test_split_has_the_label_or_the_train_split_is_parted(folder, name, train):
    dataset = from_tfds(name, folder, label_feature="label", embeddings="train")
    assert (len(dataset.y_train), len(dataset.y_test)) == (train, 4)


@pytest.mark.parametrize(
    ("name", "features", "text"),
    [
        ("numbers", {}, r"has the features x \(Scalar\), expected one image or text"),
        ("small_images", {"input_feature": "a"}, r"has no feature .a., expected one of .*image"),
        ("no_such_thing", {}, "tensorflow-datasets has no 'no_such_thing'"),
        ("mnist", {}, "'mnist' is not in .*download_and_prepare"),
    ],
)
def test_refuses(folder, name, features, text):
    with pytest.raises(UserError, match=text) as error:
        from_tfds(name, folder, **features)
    assert "\n" not in str(error.value)


def test_an_image_goes_before_the_texts_beside_it_and_one_of_several_labels_is_named():
    label = tfds.features.ClassLabel(num_classes=2)
    image, text = tfds.features.Image(shape=(4, 4, 1)), tfds.features.Text()
    features = {"id": text, "image": image, "label": label}  # as svhn_cropped has them
    assert choose_features("x", features, None, None) == ("image", "image", "label")
    assert choose_features("x", features, "id", None) == ("text", "id", "label")
    with pytest.raises(UserError, match="expected one image or text"):
        choose_features("x", {**features, "mask": image}, None, None)
    features = {"text": text, "coarse": label, "fine": label}
    told = r"coarse .*fine .*expected one image or text and one class"
    with pytest.raises(UserError, match=told):
        choose_features("trec", features, None, None)
    assert choose_features("trec", features, None, "fine") == ("text", "text", "fine")
