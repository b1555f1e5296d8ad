"""Files made to do harm: to run code, to fill the memory, to write elsewhere. All end in a line."""

import gzip
import io
import json
import os
import pickle
import shutil
import struct
import tracemalloc
import zipfile
import zlib

import evaluated
import foreign
import numpy as np
import pytest
from PIL import Image

import tf_distill
from tf_distill.common import files, progress, schemas
from tf_distill.common.errors import UserError
from tf_distill.datasets import arrays, image_folder, tables
from tf_distill.datasets.embeddings import read_vectors
from tf_distill.report import report, table

MEGABYTES = 2**20


@pytest.fixture
def little_memory():
    """The test fails where Python and numpy take more than 50 MB."""
    tracemalloc.start()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 * MEGABYTES


# Code


class Harm:
    """What pickle runs when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("read", [arrays.read_npz, lambda p: read_vectors(p, {"the"})])
def test_pickles_are_not_loaded(tmp_path, read):
    harm = np.array([Harm(tmp_path / "harm")] * 2, object)
    names = ("x_train", "y_train", "words", "vectors")
    np.savez(tmp_path / "a.npz", **dict.fromkeys(names, harm))
    foreign.refused(read, tmp_path / "a.npz", "allow_pickle")
    (tmp_path / "b.npz").write_bytes(pickle.dumps(Harm(tmp_path / "harm")))
    foreign.refused(read, tmp_path / "b.npz", "not a zip file")
    assert not (tmp_path / "harm").exists()


def test_images_are_what_they_say_by_content(tmp_path):
    """Pillow hands EPS to Ghostscript, which is an interpreter."""
    for kind in ("EPS", "TIFF", "GIF", "PPM"):
        Image.new("RGB", (20, 20)).save(tmp_path / "i.png", kind)
        foreign.refused(image_folder.header, tmp_path / "i.png", "its format is not known")


# Memory


def npy(shape, dtype="<f8", data=b""):
    """A file of numpy whose header says what it likes."""
    header = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


@pytest.mark.parametrize(
    "array",
    [
        npy((10**12,)),
        npy((10**30, 10**30)),
        npy((-1, 4)),
        npy((-4, -4), data=b"\0" * 128),
        npy((10**15,), "<U0"),
        npy((True, 2), data=b"\0" * 8),
        npy((2,), "<f8,<f8", b"\0" * 32),
        npy((0, 10**9)),
        npy((4,), "<M8[s]", b"\0" * 32),
    ],
    ids=range(9),
)
def test_arrays_that_promise_more_than_they_hold(tmp_path, array, little_memory):
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
            for name in ("x_train", "y_train", "words", "vectors"):
                archive.writestr(f"{name}.npy", array)
        foreign.refused(arrays.read_npz, tmp_path / "a.npz", "a.npz")
        foreign.refused(lambda p: read_vectors(p, {"the"}), tmp_path / "a.npz", "a.npz")


def test_archives_that_unpack_to_far_too_much(tmp_path, monkeypatch, little_memory):
    monkeypatch.setattr(files, "UNPACKED", MEGABYTES)
    zeros = npy((8 * MEGABYTES,), "|u1", bytes(8 * MEGABYTES))
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("x_train", "y_train", "words", "vectors"):
            archive.writestr(f"{name}.npy", zeros)
    foreign.refused(arrays.read_npz, tmp_path / "a.npz", "unpacks to")
    foreign.refused(lambda p: read_vectors(p, {"the"}), tmp_path / "a.npz", "unpacks to")


@pytest.mark.parametrize(
    ("line", "words"),
    [(b"a" * 1000 + b"\n", "unpacks to more than"), (b"a" * 1000, "got more than")],
)
def test_packed_text_that_unpacks_to_far_too_much(tmp_path, monkeypatch, line, words):
    monkeypatch.setattr(files, "UNPACKED", MEGABYTES)
    monkeypatch.setattr(tables, "LONGEST", MEGABYTES)
    data = gzip.compress(line * 30_000)
    for name in ("t.csv.gz", "t.jsonl.gz", "v.txt.gz"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UserError, match=words):
            list(files.bounded_lines(tmp_path / name, MEGABYTES))
    foreign.refused(tables.read, tmp_path / "t.csv.gz", "t.csv.gz")
    foreign.refused(lambda p: read_vectors(p, {"the"}), tmp_path / "v.txt.gz", "v.txt.gz")


def png(width, height):
    """The beginning of an image of this size."""

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(2**31 - 1, 2**31 - 1), (60_000, 60_000), (12_000, 12_000),
                                  (2**27 + 1, 1), (0, 5)])  # fmt: skip
def test_images_of_absurd_sizes(tmp_path, size, little_memory, recwarn):
    (tmp_path / "i.png").write_bytes(png(*size))
    foreign.refused(image_folder.header, tmp_path / "i.png", "can't read the image")
    assert not recwarn.list


@pytest.mark.parametrize("depth", [101, 10_000, 1_000_000])
def test_json_of_many_levels(tmp_path, depth):
    deep = "[" * depth + "]" * depth
    for name, read in {"results.json": schemas.read_checked, "t.json": tables.read, "t.jsonl": tables.read,
                       "metadata.json": foreign.described}.items():  # fmt: skip
        text = f'[{{"text": "a", "label": {deep}}}]' if name == "t.json" else f'{{"a": {deep}}}'
        (tmp_path / name).write_text(text)
        foreign.refused(read, tmp_path / name)
    (tmp_path / "metrics.jsonl").write_text(f'{{"a": {deep}}}\n{{"step": 1}}\n')
    assert schemas.read_metrics(tmp_path / "metrics.jsonl") == [{"step": 1}]


def test_json_of_many_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MOST_JSON", 100)
    monkeypatch.setattr(files, "MOST_LINES", 100)
    monkeypatch.setattr(tables, "MOST_ARRAY", 100)
    (tmp_path / "results.json").write_text(" " * 101)
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n' * 9)
    (tmp_path / "t.json").write_text('[{"text": "a", "label": 1},\n' * 9)
    foreign.refused(schemas.read_checked, tmp_path / "results.json", "more than 100 bytes")
    foreign.refused(schemas.read_metrics, tmp_path / "metrics.jsonl", "100 bytes")
    foreign.refused(tables.read, tmp_path / "t.json", "more than 100 characters")


@pytest.mark.parametrize("name", ["results.json", "metrics.jsonl", "t.csv", "v.txt", "t.jsonl"])
def test_a_pipe_is_no_file_to_wait_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    read = {"results.json": schemas.read_checked, "metrics.jsonl": schemas.read_metrics,
            "v.txt": lambda p: read_vectors(p, {"the"})}.get(name, tables.read)  # fmt: skip
    foreign.refused(read, tmp_path / name, name)


# Other folders, terminals and files of others


def run_folder(folder, **results):
    """A run's folder but for its distilled set."""
    folder.mkdir()
    evaluated.write(folder, config=foreign.CONFIG, results={**foreign.RESULTS, **results})
    return folder


def test_a_report_is_not_written_through_a_link(tmp_path):
    run = run_folder(tmp_path / "run")
    shutil.copytree(foreign.SET, run / "distilled" / "1")
    (tmp_path / "elsewhere").mkdir()
    (run / "figures").symlink_to(tmp_path / "elsewhere")
    foreign.refused(report.write, run, "figures leads to another folder")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_no_control_characters_reach_the_terminal(tmp_path):
    rows = table.compare([run_folder(tmp_path / "a", dataset="a\n\x1b[2Jb")])
    assert table.to_text(rows).count("\n") == 2
    assert "\x1b" not in table.to_text(rows)


@pytest.mark.parametrize("text", ['"\\ud800"', "NaN", "1e999", "-Infinity", "1" + "0" * 400])
def test_values_that_no_one_can_write_or_draw(tmp_path, text):
    folder = run_folder(tmp_path / "a")
    path = folder / "results.json"
    for name in ("dataset", "seconds"):
        path.write_text(
            json.dumps(foreign.RESULTS | {name: 5}).replace(f'"{name}": 5', f'"{name}": {text}')
        )
        foreign.refused(schemas.read_checked, path, "is damaged")


def test_folders_of_sizes_with_other_names(tmp_path):
    for name in ("size_10", "size_2", "size_x", "size_" + "9" * 100):
        run_folder(tmp_path / name)
    lines = table.describe([str(tmp_path)], None).splitlines()
    names = [line.split()[0].rsplit("/", 1)[1] for line in lines[1:-1]]
    assert names[:2] == ["size_2", "size_10"]


def test_a_name_of_bytes_that_are_no_text_can_be_said(capsys):
    progress.say(os.fsdecode(b"folder \xff"))
    assert capsys.readouterr().out == "folder ?\n"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"classes": ["a", "a"]}, "two of the classes have one name"),
        ({"y_train": np.array(3)}, "got one label, 3"),
        ({"y_train": [["a"] * 99] * 8}, "label 0 is"),
        ({"y_train": ["x" * 501] * 8}, "a string of 1 to 500 characters"),
    ],
)
def test_labels_that_are_none(given, words):
    sound = {"x_train": np.zeros((8, 3)), "y_train": np.array([0, 1] * 4)}
    with pytest.raises(UserError, match=words) as error:
        tf_distill.datasets.from_arrays(**(sound | given))
    assert len(str(error.value)) < 600


def test_halves_of_surrogate_pairs_in_a_class_become_question_marks(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"text": "a \\ud800", "label": "\\udcff"}\n' * 2)
    found = tables.read(tmp_path / "t.jsonl")
    assert (found.labels, found.texts.tolist()) == (["?", "?"], [b"a ?", b"a ?"])


def test_a_stream_of_an_image_that_is_cut(tmp_path):
    data = io.BytesIO()
    Image.new("RGB", (40, 40), "red").save(data, "PNG")
    (tmp_path / "i.png").write_bytes(data.getvalue()[:-40])
    foreign.refused(
        lambda p: image_folder.load([p], (20, 20), 3), tmp_path / "i.png", "can't read the image"
    )
