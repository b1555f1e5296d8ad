"""Images: their encoding, their sizes, and their augmentation."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf_distill.common.errors import UserError
from tf_distill.datasets import images
from tf_distill.datasets.images import ImageEncoding, crop_and_flip


def test_image_encoding_by_hand():
    encoding = ImageEncoding((1, 2, 2), mean=(0.5, 0.0), std=(0.25, 2.0))
    x = encoding(tf.constant([[[[255, 255], [0, 51]]]], tf.uint8))
    np.testing.assert_allclose(x, [[[[2.0, 0.5], [-2.0, 0.1]]]], rtol=1e-6)
    about = {"kind": "image", "shape": (1, 2, 2), "mean": (0.5, 0.0), "std": (0.25, 2.0)}
    assert encoding.metadata() == about


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
    again, other = (crop_and_flip(x, tf.constant(s), padding).numpy() for s in ([1, 2], [1, 3]))
    np.testing.assert_array_equal(got, again)
    assert np.any(got != other)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((28, 28), (28, 28)), ((8, 8), (28, 28)), ((480, 640), (48, 64)), ((10, 1000), (12, 64))],
)
def test_working_size_is_bounded(size, expected):
    assert images.working_size(size) == expected


def test_scaling_is_what_a_served_model_does():
    """Pillow's and TensorFlow's bilinear scaling over an area differ by a rounding."""
    image = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    ours = images.scale_pixels(Image.fromarray(image), (16, 16), 3)
    served = tf.image.resize(image, (16, 16), antialias=True).numpy()
    assert np.abs(ours - served).max() < 1.5


def test_sixteen_bits_are_scaled_not_cut():
    image = Image.fromarray(np.full((12, 12), 65535 // 2, np.uint16))
    assert set(images.scale_pixels(image, (12, 12), 1).ravel().tolist()) <= {127, 128}


@pytest.mark.parametrize("size", ["big", 28.5, (28,), (28, "x")])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(UserError, match=r"image_size is .*, expected pixels: 28, or"):
        images.checked_size(size)
