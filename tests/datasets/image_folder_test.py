"""Folders of images: their classes, sizes and colours, and damaged files."""

import io
import re

import numpy as np
import pytest
import tensorflow as tf
from pictures import fill, write
from PIL import Image, ImageOps
from places import case

from tf_distill.common.errors import UserError
from tf_distill.datasets import from_directory, picture_files


def test_a_folder_a_class_and_other_files_are_passed_over_and_counted(tmp_path, capsys):
    fill(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "cat" / "notes.txt").touch()
    for place in (".hidden", "@eaDir", "__MACOSX/cat", "cat/.ipynb_checkpoints", "dog/@eaDir"):
        write(tmp_path / place / "1.png")
    write(tmp_path / "cat" / "._1.png")
    dataset = from_directory(tmp_path)
    out = capsys.readouterr().out
    assert "passed over 1 file that is no picture (1 .txt)" in out
    assert "8 training and 2 test images of 16x16x1" in out
    assert "2 classes: cat 5, dog 5" in out
    assert "empty has no images" in out
    assert (dataset.classes, dataset.name) == (("cat", "dog"), tmp_path.name)
    assert dataset.x_train.shape == (8, 16, 16, 1)
    assert dataset.encoding.shape == (16, 16, 1)
    assert sorted(dataset.y_test) == [0, 1]
    seen = [f for name in dataset.classes for f in (tmp_path / name).glob("[0-9].png")]
    of = {np.asarray(Image.open(f)).tobytes(): f.parent.name for f in seen}
    for x, y in zip(dataset.x_train, dataset.y_train, strict=True):
        assert of[x.tobytes()] == dataset.classes[y]
    encoded = dataset.encoding(tf.constant(dataset.x_train)).numpy()
    np.testing.assert_allclose((encoded.mean(), encoded.std()), (0, 1), atol=1e-4)


SPLITS = [
    ("train", "test"), ("Training", "Testing"), ("training_set", "test_set"), ("TRAIN", "valid"),
    ("train set", "val"), ("seg_train", "seg_test"), ("trainset", "Validation"),
    ("train-data", "dev"),
]  # fmt: skip


@pytest.mark.parametrize("names", SPLITS)
def test_splits_are_known_by_many_names(tmp_path, capsys, names):
    fill(tmp_path / "all" / names[0] / names[0], each=3)
    fill(tmp_path / "all" / names[1], each=1)
    dataset = from_directory(tmp_path)
    assert (dataset.classes, len(dataset.y_train), len(dataset.y_test)) == (("cat", "dog"), 6, 2)
    assert f"trained on '{names[0]}', tested on '{names[1]}'" in capsys.readouterr().out


def test_a_line_says_what_three_splits_are_taken_for(tmp_path, capsys):
    for name, each in {"train": 3, "val": 2, "test": 1, "pred": 4}.items():
        fill(tmp_path / name, each=each)
    dataset = from_directory(tmp_path)
    assert (len(dataset.y_train), len(dataset.y_test)) == (6, 2)
    assert "trained on 'train', tested on 'test'; 'val', 'pred' not used" in capsys.readouterr().out
    assert len(from_directory(tmp_path, test=tmp_path / "val").y_test) == 4


@pytest.mark.parametrize("test", ["test", "test1"])
def test_a_test_without_labels_is_told_and_not_used(tmp_path, capsys, test):
    fill(tmp_path / "train", each=5)
    fill(tmp_path, classes=(test,), each=4)
    dataset = from_directory(tmp_path)
    assert (dataset.classes, len(dataset.y_train), len(dataset.y_test)) == (("cat", "dog"), 8, 2)
    out = capsys.readouterr().out
    assert "trained on 'train', tested on a part of it" in out
    assert f"{tmp_path / test}: passed over 4 pictures in no folder of a class" in out


@pytest.mark.parametrize("test", [("test1",), ("test/cat", "test/dog"), ()])
def test_a_train_without_folders_of_classes_is_one_line(tmp_path, test):
    fill(tmp_path, classes=("train", *test), each=4)
    told = r"in .*'train' itself, expected a folder for each class in it, such as .*/train/cat$"
    with pytest.raises(UserError, match=told):
        from_directory(tmp_path)


def test_classes_may_have_the_names_of_splits(tmp_path):
    fill(tmp_path, classes=("train", "bus", "test"))
    assert from_directory(tmp_path).classes == ("bus", "test", "train")
    fill(tmp_path / "kinds", classes=("train/steam", "train/tram", "bus"))
    assert from_directory(tmp_path / "kinds").classes == ("bus", "train")


def test_unclear_splits_are_refused_with_a_way_out(tmp_path):
    for names, told in {
        ("valid", "test"): "'test', 'valid' and no split for training",
        ("train", "Training", "test"): "has 'Training', 'train' are one split",
    }.items():
        folder = tmp_path / names[0]
        for name in names:
            fill(folder / name, each=3)
        with pytest.raises(UserError, match=f"{told}; name the folders") as error:
            from_directory(folder)
        train, test = re.findall(r"(?:folder:|test_data=)(\S+)", str(error.value))
        assert len(from_directory(train, test=test).y_test) == 6


def test_classes_are_found_in_folders_that_are_alone(tmp_path, capsys):
    fill(tmp_path / "data" / "pets" / "more", each=3)
    write(tmp_path / "data" / "preview.png")
    dataset = from_directory(tmp_path)
    assert (dataset.classes, len(dataset.y_train) + len(dataset.y_test)) == (("cat", "dog"), 6)
    out = capsys.readouterr().out
    assert "pets has only the folder 'more': the classes are sought in it" in out
    assert "passed over 1 picture in no folder of a class" in out


SMOOTH = np.stack([*np.meshgrid(np.arange(16) * 15, np.arange(20) * 9), np.full((20, 16), 90)], -1)
BEST = {"lossless": True, "quality": 100, "subsampling": 0}
KINDS = {"jpg": "JPEG", "jfif": "JPEG"}


@pytest.mark.parametrize("ending", ["png", "bmp", "gif", "webp", "jpg", "JPEG", "jfif"])
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA"])
def test_every_format_is_read_as_it_looks_and_served_so(tmp_path, ending, mode):
    kind = KINDS.get(ending, ending)
    image = Image.fromarray(SMOOTH.astype(np.uint8)).convert(mode)
    if mode == "RGBA" and kind in ("png", "webp"):  # the others have no transparent parts
        image.putalpha(Image.fromarray(SMOOTH[..., 0].astype(np.uint8)))
    elif mode in ("P", "RGBA") and (kind.upper() == "JPEG" or mode == "RGBA"):
        image = image.convert("RGB")
    for place in ("a/1", "a/2", "b/1", "b/2"):
        path = tmp_path / f"{place}.{ending}"
        path.parent.mkdir(exist_ok=True)
        image.save(path, kind, **({} if kind == "png" else BEST))
    with Image.open(path) as opened:
        seen = opened.convert("RGBA")
    white = Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")
    dataset = from_directory(tmp_path)
    assert dataset.x_train.shape[1:] == (
        20,
        16,
        1 if mode == "L" and kind not in ("webp", "gif") else 3,
    )
    error = np.abs(dataset.x_train[0] - np.asarray(white, int)[..., : dataset.x_train.shape[-1]])
    assert error.max() <= (2 if kind.upper() == "JPEG" else 1)
    served = dataset.encoding.read(tf.constant(path.read_bytes()))
    given = dataset.encoding(tf.constant(dataset.x_test[:1]))
    np.testing.assert_allclose(served, given[0], atol=0.03)  # of whole numbers


def test_bits_and_palettes_that_tensorflow_alone_misreads(tmp_path):
    grid = Image.fromarray((np.indices((16, 16)).sum(0) % 2 * 255).astype(np.uint8))
    red = grid.convert("P")
    red.putpalette([200, 10, 20] * 256)
    for place, image in {"a/1.png": grid.convert("1"), "b/1.bmp": red}.items():
        (tmp_path / place).parent.mkdir()
        image.save(tmp_path / place)
        image.save((tmp_path / place).with_stem("2"))
    dataset = from_directory(tmp_path)
    x = dict(zip(dataset.y_train.tolist(), dataset.x_train, strict=True))
    np.testing.assert_array_equal(x[0], np.repeat(np.asarray(grid)[..., None], 3, -1))
    np.testing.assert_array_equal(x[1], np.broadcast_to([200, 10, 20], (16, 16, 3)))


def test_16_bits_are_scaled_by_their_largest_value(tmp_path, capsys):
    twelve = np.arange(256, dtype=np.uint16).reshape(16, 16) * 15
    for i, place in enumerate(("a/1", "a/2", "b/1", "b/2")):
        path = tmp_path / f"{place}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(twelve + np.uint16(i)).save(path)
    dataset = from_directory(tmp_path)
    assert dataset.encoding.metadata()["white"] == 255 * 15 + 3
    assert "4 images have 16 bits: the value 3828 is white" in capsys.readouterr().out
    assert len(np.unique(dataset.x_train[0])) > 250
    served = dataset.encoding.read(tf.constant((tmp_path / "a/1.png").read_bytes())).numpy()
    mean, std = (dataset.encoding.mean[0], dataset.encoding.std[0])
    np.testing.assert_allclose(served[..., 0], (twelve / 3828 - mean) / std, atol=1e-4)


@pytest.mark.parametrize("order", ["little", "big"])
def test_photos_are_turned_as_their_notes_say(order):
    for turn in range(1, 9):
        exif = Image.Exif()
        exif.endian = {"little": "<", "big": ">"}[order]
        exif[0x0112], exif[0x010F] = turn, "maker"
        file = io.BytesIO()
        Image.fromarray(SMOOTH.astype(np.uint8)).save(file, "jpeg", exif=exif, **BEST)
        upright = np.asarray(ImageOps.exif_transpose(Image.open(file)))
        read = picture_files.read_picture(tf.constant(file.getvalue()), upright.shape)
        np.testing.assert_allclose(read, upright / 255, atol=0.03)


@pytest.mark.parametrize(
    "notes", [b"\xff\xe1", b"\xff\xe1\0\x10Exif\0\0II*\0\xff\xff\xff\xff", b"\xff\xe1\xff\xffExif"]
)
def test_damaged_notes_turn_nothing(notes):
    assert picture_files.orientation(tf.constant(b"\xff\xd8" + notes)) == 1


def animation(kind):
    more = {"save_all": True, "append_images": [Image.new("RGB", (16, 16))], "lossless": True}
    return bytes_of(Image.new("RGB", (16, 16), (250, 0, 0)), kind, **more)


def test_a_gif_counts_by_its_first_picture():
    read = picture_files.read_picture(tf.constant(animation("gif")), (16, 16, 3))
    np.testing.assert_allclose(read[8, 8], [250 / 255, 0, 0], atol=0.01)


def test_an_animated_webp_is_refused_where_tensorflow_alone_ends_the_process():
    with pytest.raises(tf.errors.InvalidArgumentError, match="animated WebP"):
        picture_files.read_picture(tf.constant(animation("webp")), (16, 16, 3))


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


def bytes_of(image, kind, **settings):
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def test_all_bad_files_are_told_with_their_cause_or_left_out(tmp_path, capsys):
    fill(tmp_path, size=(64, 64), each=6)
    png = (tmp_path / "cat" / "1.png").read_bytes()
    noise = Image.open(tmp_path / "cat" / "1.png")
    jpeg, bmp = bytes_of(noise, "jpeg"), bytes_of(noise.convert("RGB"), "bmp")
    hole = Image.new("RGBA", (20, 20))
    hole.paste("red", (0, 0, 9, 9))
    bad = {
        "0 bytes": b"", "is HTML": b"\n<!DOCTYPE html><html>", "is TIFF": bytes_of(noise, "tiff"),
        "is cut off": jpeg[: len(jpeg) // 2], "is a GIF with transparent": bytes_of(hole, "gif"),
        "its format is not known": b"text", "is damaged": png[:60] + bytes(40) + png[100:],
        "is a BMP of a rare form": bytes_of(noise.convert("1"), "bmp"),
        "is damaged or cut off": bmp[:100], "is an animated WebP": animation("webp"),
    }  # fmt: skip
    for i, content in enumerate(bad.values()):
        (tmp_path / "cat" / f"bad{i}.png").write_bytes(content)
    (tmp_path / "cat" / "bad.heic").write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(UserError, match="can't read 11 of 23 images: ") as error:
        from_directory(tmp_path)
    for i, cause in enumerate(bad):
        assert re.search(rf"cat/bad{i}\.png \({cause}", str(error.value))
    assert "cat/bad.heic (is HEIC)" in str(error.value)
    assert "skip_bad=True" in str(error.value)
    dataset = from_directory(tmp_path, skip_bad=True)
    assert len(dataset.y_train) + len(dataset.y_test) == 12
    assert "is HEIC" in capsys.readouterr().out


def test_many_bad_files_are_counted(tmp_path):
    fill(tmp_path, each=13)
    for path in tmp_path.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(UserError, match=r"can't read 26 of 26 images: .* and 6 more; expected"):
        from_directory(tmp_path)


@pytest.mark.parametrize("keep", [0, 40], ids=["header", "pixels"])
@pytest.mark.parametrize("skip_bad", [False, True])
def test_where_all_files_are_bad_none_can_be_left_out(tmp_path, keep, skip_bad):
    fill(tmp_path, each=2)
    for path in tmp_path.rglob("*.png"):
        path.write_bytes(path.read_bytes()[:keep] or bytes_of(Image.new("L", (16, 16)), "tiff"))
    with pytest.raises(UserError, match="can't read 4 of 4 images") as error:
        from_directory(tmp_path, skip_bad=skip_bad)
    assert "convert other formats to PNG" in str(error.value)
    assert "skip_bad" not in str(error.value)


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


def test_inputs_as_people_have_them(capsys):
    def read(*names, **settings):
        return from_directory(case(*names), **settings)

    hidden = read("folders", "pets_with_hidden_folders")
    assert (hidden.classes, len(hidden.y_train) + len(hidden.y_test)) == (("cats", "dogs"), 40)
    brain = read("folders", "brain_Training_Testing")
    assert (brain.classes, len(brain.y_train)) == (("glioma", "no tumor"), 40)
    assert read("folders", "nested").classes == brain.classes
    with pytest.raises(UserError) as error:
        read("pictures", "six_bad_files")
    for told in (
        r"666.jpg \(0 bytes",
        r"11702.jpg \(0 bytes",
        r"web.jpg \(is HTML",
        r"cut.jpg \(is cut",
    ):
        assert re.search(told, str(error.value))
    sound = read("pictures", "six_bad_files", skip_bad=True)
    assert len(sound.y_train) + len(sound.y_test) == 42
    for name in ("bmp", "xray_12_bit_in_16", "transparent_icons"):
        data = read("pictures", name)
        levels = [len(np.unique(x)) for x in data.x_train]
        assert min(levels) > (1 if name == "transparent_icons" else 50)
        for file in case("pictures", name).rglob("*.*"):
            served = data.encoding.read(tf.constant(file.read_bytes())).numpy()
            stored = np.concatenate([data.x_train, data.x_test])
            known = data.encoding(tf.constant(stored)).numpy()
            assert np.abs(known - served).max((1, 2, 3)).min() < 0.02
