"""Folders of images: their classes, sizes and colours, and files that are none."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tf_distill.common.errors import UserError
from tf_distill.datasets import from_directory, image_folder


def write(path, size=(16, 16), mode="L", value=None, seed=0):
    """An image of noise, or of one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (*size, 3) if mode == "RGB" else size
    array = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    Image.fromarray(array if value is None else np.full(shape, value, np.uint8)).save(path)


def fill(folder, classes=("cat", "dog"), each=5, ending="png", **settings):
    for i, name in enumerate(classes):
        for j in range(each):
            write(folder / name / f"{j}.{ending}", seed=10 * i + j, **settings)


def test_a_folder_a_class(tmp_path):
    fill(tmp_path)
    (tmp_path / ".hidden").mkdir()
    dataset = from_directory(tmp_path)
    assert (dataset.classes, dataset.name) == (("cat", "dog"), tmp_path.name)
    assert dataset.x_train.shape == (8, 16, 16, 1)
    assert dataset.encoding.shape == (16, 16, 1)
    assert sorted(dataset.y_test) == [0, 1]
    of = {np.asarray(Image.open(f)).tobytes(): f.parent.name for f in tmp_path.rglob("*.png")}
    for x, y in zip(dataset.x_train, dataset.y_train, strict=True):
        assert of[x.tobytes()] == dataset.classes[y]
    encoded = dataset.encoding(tf.constant(dataset.x_train)).numpy()
    assert encoded.mean() == pytest.approx(0, abs=1e-4)
    assert encoded.std() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("names", [("train", "test"), ("training", "testing")])
def test_train_and_test_folders_are_recognised(tmp_path, names):
    fill(tmp_path / names[0], each=3)
    fill(tmp_path / names[1], each=1)
    dataset = from_directory(tmp_path)
    assert (len(dataset.y_train), len(dataset.y_test)) == (6, 2)


def test_a_test_folder_elsewhere(tmp_path):
    fill(tmp_path / "a", each=3)
    fill(tmp_path / "b", each=2)
    assert len(from_directory(tmp_path / "a", test=tmp_path / "b").y_test) == 4


@pytest.mark.parametrize("ending", ["png", "jpg", "JPEG", "bmp"])
def test_formats_in_colour(tmp_path, ending):
    fill(tmp_path, ending=ending, mode="RGB", value=200)
    dataset = from_directory(tmp_path)
    assert dataset.x_train.shape == (8, 16, 16, 3)
    assert np.abs(dataset.x_train.astype(int) - 200).max() <= 2


def test_one_image_in_colour_makes_all_so(tmp_path):
    fill(tmp_path)
    write(tmp_path / "dog" / "red.png", mode="RGB")
    assert from_directory(tmp_path).x_train.shape[1:] == (16, 16, 3)


def test_sizes_of_most_images_win_and_it_is_said(tmp_path, capsys):
    fill(tmp_path)
    write(tmp_path / "dog" / "large.png", size=(30, 40), value=90)
    parts = image_folder.read(tmp_path, None, None)
    large = [x for x in [*parts.x_train, *parts.x_test] if np.all(x == 90)]
    assert [x.shape for x in large] == [(16, 16, 1)]
    assert "10 of 11 images are 16x16, 1 have other sizes: all are brought to 16x16" in (
        capsys.readouterr().out
    )
    assert image_folder.read(tmp_path, None, (20, 24)).x_train.shape[1:] == (20, 24, 1)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((28, 28), (28, 28)), ((8, 8), (28, 28)), ((480, 640), (48, 64)), ((10, 1000), (12, 64))],
)
def test_working_size_is_bounded(size, expected):
    assert image_folder.working_size(size) == expected


def test_scaling_is_what_a_served_model_does():
    """Pillow's and TensorFlow's bilinear scaling over an area differ by a rounding."""
    image = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    ours = image_folder.pixels(Image.fromarray(image), (16, 16), 3)
    served = tf.image.resize(image, (16, 16), antialias=True).numpy()
    assert np.abs(ours - served).max() < 1.5


def test_sixteen_bits_are_scaled_not_cut():
    image = Image.fromarray(np.full((12, 12), 65535 // 2, np.uint16))
    assert set(image_folder.pixels(image, (12, 12), 1).ravel().tolist()) <= {127, 128}


def test_other_files_are_passed_over_and_counted(tmp_path, capsys):
    fill(tmp_path)
    (tmp_path / "cat" / "notes.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    assert from_directory(tmp_path).classes == ("cat", "dog")
    out = capsys.readouterr().out
    assert "1 files that are no .png" in out
    assert "empty has no images" in out


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n broken"])
def test_an_unreadable_image_is_named(tmp_path, content):
    fill(tmp_path)
    (tmp_path / "cat" / "bad.png").write_bytes(content)
    with pytest.raises(UserError, match=r"can't read the image .*cat/bad\.png"):
        from_directory(tmp_path)


def test_a_cut_image_is_named(tmp_path):
    fill(tmp_path, size=(64, 64), ending="jpg")
    whole = (tmp_path / "dog" / "1.jpg").read_bytes()
    (tmp_path / "dog" / "1.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"can't read the image .*dog/1\.jpg"):
        from_directory(tmp_path)


def test_refuses_folders_that_have_no_classes(tmp_path):
    with pytest.raises(UserError, match=r"no folder .*nowhere"):
        from_directory(tmp_path / "nowhere")
    with pytest.raises(UserError, match="has no images in folders"):
        from_directory(tmp_path)
    fill(tmp_path, classes=("cat",))
    with pytest.raises(UserError, match="has one class, 'cat'"):
        from_directory(tmp_path)
    write(tmp_path / "dog" / "1.png")
    with pytest.raises(UserError, match="class 'dog' has one example"):
        from_directory(tmp_path)
    with pytest.raises(UserError, match="image_size is 8x8, expected at least 12"):
        from_directory(tmp_path, image_size=8)


@pytest.mark.parametrize("size", ["big", 28.5, (28,), (28, "x")])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(UserError, match=r"image_size is .*, expected pixels: 28, or"):
        image_folder.checked_size(size)


def test_an_image_of_too_many_pixels_is_told_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(image_folder, "MOST_PIXELS", 1000)
    Image.new("L", (40, 30)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="it is 30x40 pixels, of which 1,000 are the most"):
        image_folder.header(tmp_path / "a.png")
