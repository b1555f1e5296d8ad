"""Arrays: images among them, the scale of numbers, archives, and refusals."""

import numpy as np
import pytest
import tensorflow as tf

from tf_distill.common.errors import UserError
from tf_distill.datasets import arrays, from_arrays, from_dataset, images
from tf_distill.datasets.arrays import ArrayEncoding
from tf_distill.datasets.images import ImageEncoding

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (20, 12, 14), dtype=np.uint8)
Y = np.arange(20) % 4


@pytest.mark.parametrize(
    "x",
    [PIXELS, PIXELS[..., None], PIXELS[..., None] / 255, (PIXELS[..., None] / 255).astype("f4")],
)
def test_pixels_are_images_also_as_exact_floats(x):
    dataset = from_arrays(x, Y, x[:8], Y[:8])
    assert isinstance(dataset.encoding, ImageEncoding)
    np.testing.assert_array_equal(dataset.x_train, PIXELS[..., None])
    np.testing.assert_array_equal(dataset.y_test, Y[:8])
    embedded = dataset.encoding(tf.constant(dataset.x_train)).numpy()
    np.testing.assert_allclose((embedded.mean(), embedded.std()), (0, 1), atol=1e-4)


def test_a_fourth_channel_says_how_opaque_an_image_on_white_is(tmp_path, capsys):
    icons = RNG.integers(0, 256, (20, 12, 14, 4), dtype=np.uint8)
    icons[0, 0, 0], icons[0, 0, 1] = (9, 9, 9, 0), (9, 9, 9, 255)
    opaque = icons[..., 3:] / 255
    expected = np.round(icons[..., :3] * opaque + 255 * (1 - opaque))
    dataset = from_arrays(icons, Y, icons, Y)
    for x in (dataset.x_train, dataset.x_test):
        np.testing.assert_array_equal(x, expected)
    assert dataset.x_train[0, 0, :2].tolist() == [[255] * 3, [9] * 3]
    assert "laid on white; give images of four colours to" in capsys.readouterr().out
    assert from_arrays(icons.astype("f4"), Y).encoding.kind == "array"  # as it advises
    np.savez(tmp_path / "a.npz", x_train=icons / 255, y_train=Y)
    assert arrays.read_npz(tmp_path / "a.npz", (16, 12)).x_test.shape == (4, 16, 12, 3)
    pairs = tf.data.Dataset.from_tensor_slices((icons.astype("f4"), Y))  # as Keras reads files
    np.testing.assert_array_equal(from_dataset(pairs, pairs).x_test, expected)
    np.testing.assert_array_equal(images.scale_images([*icons], (12, 14), 3), expected)


@pytest.mark.parametrize(
    ("x", "kind"),
    [
        (PIXELS.astype("f4"), "image"),
        (PIXELS.astype("i4"), "image"),
        (PIXELS / 255, "image"),
        (PIXELS - 0.5, "array"),  # as the line advises
        (PIXELS // 2.0, "array"),  # such as counts
        (PIXELS.astype("f4")[:, :11], "array"),  # too small for a network of images
        (PIXELS + 0.1, "array"),
        (PIXELS // 128.0, "array"),  # one-hot
    ],
)
def test_pixels_without_a_channel_are_grey_images_and_a_line_says_so(x, kind, capsys):
    dark = x[:8] * (PIXELS[:8, : x.shape[1]] < 100)
    dataset = from_arrays(x, Y, dark, Y[:8])
    assert dataset.encoding.kind == kind
    assert ("give x - 0.5" in capsys.readouterr().out) == (kind == "image")
    if kind == "image":
        np.testing.assert_array_equal(dataset.x_train, PIXELS[..., None])


@pytest.mark.parametrize("shape", [(5,), (7, 5), (6, 6, 3), (2, 3, 4, 5)])
def test_floats_are_standardised_by_the_last_axis(shape):
    x = RNG.normal(3, 2, (20, *shape)) * np.arange(1, shape[-1] + 1)
    dataset = from_arrays(x, Y, x[:8], Y[:8])
    assert isinstance(dataset.encoding, ArrayEncoding)
    assert dataset.encoding.shape == shape
    embedded = dataset.encoding(tf.constant(dataset.x_train)).numpy().reshape(-1, shape[-1])
    np.testing.assert_allclose(embedded.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(embedded.std(0), 1, rtol=1e-4)


def test_as_is_leaves_floats_alone_and_a_constant_feature_stays_finite():
    x = np.stack([np.arange(20.0), np.full(20, 7.0)], 1)
    plain = from_arrays(x, Y, x, Y, encoding="as_is")
    np.testing.assert_array_equal(plain.encoding(tf.constant(plain.x_train)), x.astype("f4"))
    scaled = from_arrays(x, Y, x, Y)
    np.testing.assert_array_equal(scaled.encoding(tf.constant(scaled.x_train))[:, 1], np.zeros(20))
    x[:, 1] = np.where(Y > 1, 0.1 + 0.2, 0.3)  # constant but for the rounding of float64
    np.testing.assert_allclose(from_arrays(x, Y).encoding(tf.constant(x))[:, 1], 0, atol=1e-6)
    about = from_arrays(PIXELS, Y, encoding="as_is").encoding.metadata()
    assert about == {"kind": "image", "shape": (12, 14, 1), "mean": (0.0,), "std": (1.0,)}


@pytest.mark.parametrize("scale", [1e-9, 1e-30, 1e30])
def test_a_feature_of_any_scale_is_standardised(scale):
    x = RNG.normal(3, 2, (20, 2)) * scale
    dataset = from_arrays(x, Y, x, Y)
    embedded = dataset.encoding(tf.constant(dataset.x_train)).numpy()
    np.testing.assert_allclose(embedded, (x - x.mean(0)) / x.std(0), atol=1e-4)


NAN = np.where(np.arange(20)[:, None] == 3, np.nan, np.ones((20, 4)))
REFUSED = [
    ((NAN, Y), {}, "x_train, y_train: input 3 has a NaN"),
    ((NAN - 1 + 1e300, Y), {}, "input 0 has .* beyond float32"),
    ((np.ones((20, 4)), Y, NAN, Y), {}, "x_test, y_test: input 3 has a NaN"),
    ((np.array([["a"]] * 20), Y), {}, "inputs are of type <U1, expected numbers"),
    ((tf.data.Dataset.range(3), None), {}, "x_train is a tf.data.Dataset; make a dataset of it by"),
    (([[1], [1, 2]], Y), {}, "x_train, y_train: inputs are"),
    (
        ((PIXELS, Y), (PIXELS, Y)),
        {},
        r"take them apart: from_arrays\(x_train, y_train, x_test, y_te",
    ),
    ((np.ones(20), Y), {}, r"inputs have shape \(20,\)"),
    ((np.ones((20, 4)), Y[:5]), {}, "got 20 inputs and 5 labels"),
    ((np.ones((20, 4)), Y + 0.5), {"task": "classes"}, "label 0 is 0.5"),
    ((np.ones((20, 4)), Y, np.ones((20, 5)), Y), {}, r"shape \(5,\), expected \(4,\)"),
    ((np.ones((20, 4)), Y, np.ones((20, 4))), {}, "one of x_test and y_test"),
    ((np.ones((20, 4)), Y), {"encoding": "none"}, "expected one of standardise, as_is"),
    ((np.ones((20, 4)), Y), {"classes": ["a"]}, "a number from 0 to 0"),
]


@pytest.mark.parametrize(("given", "settings", "text"), REFUSED)
def test_refuses(given, settings, text):
    with pytest.raises(UserError, match=text) as error:
        from_arrays(*given, **settings)
    assert "\n" not in str(error.value)


def test_an_archive_as_keras_has_it(tmp_path):
    colour = RNG.integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    path = tmp_path / "a.npz"
    np.savez(path, x_train=colour, y_train=Y[:, None], x_test=colour[:4], y_test=Y[:4, None],
             classes=list("wxyz"))  # fmt: skip
    parts = arrays.read_npz(path)
    assert parts.classes == tuple("wxyz")
    np.testing.assert_array_equal(parts.x_train, colour)
    np.testing.assert_array_equal(parts.y_test, Y[:4])
    assert arrays.read_npz(path, (20, 12)).x_test.shape == (4, 20, 12, 3)


@pytest.mark.parametrize("x", [PIXELS / 255, PIXELS.astype(np.int64), PIXELS.astype(np.float32)])
def test_pixels_of_other_types(tmp_path, x):
    np.savez(tmp_path / "a.npz", x_train=x, y_train=Y, x_test=x, y_test=Y)
    parts = arrays.read_npz(tmp_path / "a.npz")
    np.testing.assert_array_equal(parts.x_train, PIXELS[..., None])
    assert len(parts.y_test) == 20


@pytest.mark.parametrize(
    ("kept", "text"),
    [
        ({"x": PIXELS, "y": Y}, "has no array 'x_train', expected x_train, .*; it has x, y"),
        ({"x_train": PIXELS.astype(object), "y_train": Y}, "read .*, expected an .npz of numbers"),
        ({"x_train": PIXELS[:, 0], "y_train": Y}, r"inputs of shape \(14,\), expected images"),
        ({"x_train": PIXELS - 300.0, "y_train": Y}, "pixels from -300.0 to -45.0"),
        ({"x_train": PIXELS * np.nan, "y_train": Y}, "input 0 has a NaN"),
        ({"x_train": PIXELS.astype(complex), "y_train": Y}, "type complex128, expected numbers"),
        ({"x_train": PIXELS, "y_train": Y, "x_test": PIXELS}, "one of x_test and y_test"),
    ],
)
def test_refuses_archives(tmp_path, kept, text):
    np.savez(tmp_path / "a.npz", **kept)
    with pytest.raises(UserError, match=text) as error:
        arrays.read_npz(tmp_path / "a.npz")
    assert "\n" not in str(error.value)


def test_each_split_of_an_archive_has_its_own_scale(tmp_path):
    x = PIXELS.astype("f4")
    np.savez(tmp_path / "a.npz", x_train=x, y_train=Y, x_test=x / 255, y_test=Y)
    parts = arrays.read_npz(tmp_path / "a.npz")
    np.testing.assert_array_equal(parts.x_test, parts.x_train)


def test_pixels_with_fractions_are_told_and_the_advice_makes_images(capsys):
    x = PIXELS[..., None] * 0.99
    from_arrays(x, Y)
    assert "look like pixels" in capsys.readouterr().out
    assert from_arrays(x.round().astype("uint8"), Y).encoding.kind == "image"
    from_arrays(x / 9, Y)
    assert "look like pixels" not in capsys.readouterr().out


def test_a_test_split_of_another_scale_is_told(capsys):
    x = PIXELS / 127.5 - 1
    from_arrays(x, Y, PIXELS + 0.5, Y)
    assert "scale both alike" in capsys.readouterr().out
    from_arrays(x, Y, x[::-1], Y)
    assert "scale both alike" not in capsys.readouterr().out
