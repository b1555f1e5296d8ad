"""Containers of other libraries give the same dataset as their arrays."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_distill.common.errors import UserError
from tf_distill.datasets import from_arrays, from_dataset
from tf_distill.datasets.images import ImageEncoding

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (24, 12, 12, 3), dtype=np.uint8)
Y = np.arange(24) % 3
TEXTS = np.array([f"word {i} of {y}" for i, y in enumerate(Y)])


def pairs(x, y):
    return tf.data.Dataset.from_tensor_slices((x, y))


@pytest.mark.parametrize(
    ("x", "y"),
    [(X, Y), (X.astype("f4"), np.eye(3, dtype="f4")[Y]), (X, Y[:, None])],
    ids=["pixels", "one-hot", "column"],
)
@pytest.mark.parametrize("batch", [None, 7])
def test_pairs_are_as_their_arrays(x, y, batch):
    data = pairs(x, y)
    found = from_dataset(data if batch is None else data.batch(batch), seed=1)
    expected = from_arrays(X, Y, seed=1)
    assert isinstance(found.encoding, ImageEncoding)
    for name in ("x_train", "y_train", "x_test", "y_test"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert found.classes == expected.classes


def test_texts_are_texts():
    found = from_dataset(pairs(TEXTS, Y).batch(5), pairs(TEXTS[:6], Y[:6]))
    assert found.raw_train.tolist() == [text.encode() for text in TEXTS]
    assert found.y_test.tolist() == Y[:6].tolist()


def test_keras_s_folder_of_images_keeps_its_class_names(tmp_path):
    for i, y in enumerate(Y):
        folder = tmp_path / "abc"[y]
        folder.mkdir(exist_ok=True)
        keras.utils.save_img(folder / f"{i}.png", X[i], scale=False)
    data = keras.utils.image_dataset_from_directory(
        tmp_path, image_size=(14, 14), batch_size=7, verbose=False, label_mode="categorical"
    )
    found = from_dataset(data)
    assert found.classes == ("a", "b", "c")
    assert found.x_train.dtype == np.uint8
    assert found.x_train.shape[1:] == (14, 14, 3)


def test_hugging_face_s_splits_and_class_names(capsys):
    pytest.importorskip("datasets.arrow_dataset", reason="needs Hugging Face's datasets")
    import datasets as hugging_face

    features = hugging_face.Features(
        {
            "img": hugging_face.Image(),
            "label": hugging_face.ClassLabel(names=["cat", "dog", "owl"]),
        }
    )
    from PIL import Image

    def split(n):
        rows = {"img": list(map(Image.fromarray, X[:n])), "label": Y[:n]}
        return hugging_face.Dataset.from_dict(rows, features=features)

    found = from_dataset(hugging_face.DatasetDict(train=split(24), validation=split(6)))
    assert found.classes == ("cat", "dog", "owl")
    np.testing.assert_array_equal(found.x_train, X)
    np.testing.assert_array_equal(found.y_test, Y[:6])
    assert "the split validation is the test data" in capsys.readouterr().out
    table = hugging_face.Dataset.from_dict({"id": Y, "text": TEXTS, "label": Y})
    with pytest.raises(UserError, match=r"the columns are id, text, label, expected two; .*column"):
        from_dataset(table)
    assert from_dataset(table, columns=("text", "label")).raw_train is not None


def test_tensors_and_series_are_labels():
    pandas = pytest.importorskip("pandas")
    for labels in (tf.constant(Y), pandas.Series(Y, index=Y + 5)):
        found = from_arrays(X, labels, X[:6], labels[:6])
        assert found.y_train.tolist() == Y.tolist()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (X, "data is of type ndarray, expected a tf.data.Dataset or a datasets.Dataset"),
        ({"test": X}, "the splits are test, expected one called train"),
        (tf.data.Dataset.from_tensor_slices(X), "expected pairs"),
        (pairs(X, Y).repeat(), "has no end; leave its repeat"),
        (pairs(X, Y).take(0), "has no examples"),
    ],
)
def test_what_can_t_be_read_is_one_line(data, text):
    with pytest.raises(UserError, match=text):
        from_dataset(data)


def test_images_of_several_sizes_are_refused():
    data = tf.data.Dataset.from_generator(
        lambda: ((np.zeros((n, 3)), 1) for n in (4, 5)),
        output_signature=(tf.TensorSpec([None, 3]), tf.TensorSpec([], tf.int32)),
    )
    with pytest.raises(UserError, match=r"several shapes, such as \(4, 3\) and \(5, 3\)"):
        from_dataset(data)
