"""Folders of images: their classes, sizes and colours, and damaged files."""

import numpy as np
import pytest
import tensorflow as tf
from pictures import fill, write
from PIL import Image

from tf_distill.common.errors import UserError
from tf_distill.datasets import from_directory


def test_a_folder_a_class_and_other_files_are_passed_over_and_counted(tmp_path, capsys):
    fill(tmp_path)
    for name in (".hidden", "empty"):
        (tmp_path / name).mkdir()
    (tmp_path / "cat" / "notes.txt").touch()
    dataset = from_directory(tmp_path)
    out = capsys.readouterr().out
    assert "1 files that are no .png" in out
    assert "empty has no images" in out
    assert (dataset.classes, dataset.name) == (("cat", "dog"), tmp_path.name)
    assert dataset.x_train.shape == (8, 16, 16, 1)
    assert dataset.encoding.shape == (16, 16, 1)
    assert sorted(dataset.y_test) == [0, 1]
    of = {np.asarray(Image.open(f)).tobytes(): f.parent.name for f in tmp_path.rglob("*.png")}
    for x, y in zip(dataset.x_train, dataset.y_train, strict=True):
        assert of[x.tobytes()] == dataset.classes[y]
    encoded = dataset.encoding(tf.constant(dataset.x_train)).numpy()
    np.testing.assert_allclose((encoded.mean(), encoded.std()), (0, 1), atol=1e-4)


def test_train_and_test_folders_are_recognised_or_named(tmp_path):
    for names in (("train", "test"), ("training", "testing")):
        fill(tmp_path / names[0] / names[0], each=3)
        fill(tmp_path / names[0] / names[1], each=1)
        dataset = from_directory(tmp_path / names[0])
        assert (len(dataset.y_train), len(dataset.y_test)) == (6, 2)
    fill(tmp_path / "more", each=2)
    assert len(from_directory(tmp_path / "train", test=tmp_path / "more").y_test) == 4


@pytest.mark.parametrize("ending", ["png", "jpg", "JPEG", "bmp"])
def test_formats_in_colour(tmp_path, ending):
    fill(tmp_path, ending=ending, mode="RGB", value=200)
    dataset = from_directory(tmp_path)
    assert dataset.x_train.shape == (8, 16, 16, 3)
    assert np.abs(dataset.x_train.astype(int) - 200).max() <= 2


def test_sizes_of_most_images_win_and_it_is_said(tmp_path, capsys):
    fill(tmp_path)
    write(tmp_path / "dog" / "large.png", size=(30, 40), value=90)
    data = from_directory(tmp_path)
    large = [x for x in [*data.x_train, *data.x_test] if np.all(x == 90)]
    assert [x.shape for x in large] == [(16, 16, 1)]
    out = capsys.readouterr().out
    assert "10 of 11 images are 16x16, 1 have other sizes: all are scaled to 16x16" in out
    assert from_directory(tmp_path, image_size=(20, 24)).encoding.shape == (20, 24, 1)
    write(tmp_path / "dog" / "red.png", mode="RGB")  # and makes all so
    assert from_directory(tmp_path).encoding.shape == (16, 16, 3)


def test_a_damaged_image_is_named(tmp_path):
    fill(tmp_path, size=(64, 64))
    path = tmp_path / "cat" / "1.png"
    whole = path.read_bytes()
    write(tmp_path / "a.jpg", size=(64, 64))
    Image.new("RGB", (20, 20)).save(tmp_path / "a.gif")
    jpeg, gif = ((tmp_path / f"a.{ending}").read_bytes() for ending in ("jpg", "gif"))
    for content, told in {
        b"": "its format is not known", gif: "its format is not known",
        whole[:20]: "", whole[:-40]: "", jpeg[: len(jpeg) // 2]: "truncated",
    }.items():  # fmt: skip
        path.write_bytes(content)
        with pytest.raises(UserError, match=rf"can't read the image .*cat/1\.png \(.*{told}"):
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
