"""Files are written whole or not at all."""

import errno
import json
import os
import subprocess
import sys

import pytest
import tensorflow as tf

from tf_distill.common import files
from tf_distill.common.errors import UserError


class BrokenError(Exception):
    """What the tests raise in the middle of writing."""


def fail_in_the_middle(path, write):
    with files.whole(path) as part:
        write(part)
        raise BrokenError


def test_write_text_and_json(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "caf\u00e9\n")
    assert path.read_bytes() == b"caf\xc3\xa9\n"
    files.write_text(path, "new")
    assert path.read_text() == "new"
    files.write_json(tmp_path / "a.json", {"b": [1, 2]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"b": [1, 2]}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "a.txt"]


def test_a_value_that_json_does_not_know_leaves_the_old_file(tmp_path):
    files.write_json(tmp_path / "a.json", 1)
    with pytest.raises(TypeError):
        files.write_json(tmp_path / "a.json", object())
    assert (tmp_path / "a.json").read_text() == "1\n"


@pytest.mark.parametrize("there", [True, False])
def test_an_exception_leaves_what_was_there(tmp_path, there):
    path = tmp_path / "a.txt"
    if there:
        path.write_text("old")
    with pytest.raises(BrokenError):
        fail_in_the_middle(path, lambda part: part.write_text("half"))
    assert [p.name for p in tmp_path.iterdir()] == (["a.txt"] if there else [])
    assert not there or path.read_text() == "old"


def test_folders_too(tmp_path):
    path = tmp_path / "set"
    for number in (1, 2):
        with files.whole(path) as part:
            part.mkdir()
            (part / f"{number}.txt").touch()
    assert [p.name for p in path.iterdir()] == ["2.txt"]
    with pytest.raises(BrokenError):
        fail_in_the_middle(path, lambda part: (part.mkdir(), (part / "3.txt").touch()))
    assert [p.name for p in path.iterdir()] == ["2.txt"]
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_crash_left_is_cleared_away(tmp_path):
    path = tmp_path / "set"
    with files.whole(path) as part:
        name = part.name
        part.mkdir()
    (tmp_path / name).mkdir()
    (tmp_path / name / "half.txt").touch()
    with files.whole(path) as part:
        assert not part.exists()
        part.mkdir()
    assert list(tmp_path.iterdir()) == [path]
    assert list(path.iterdir()) == []


def test_nobody_sees_the_file_before_it_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    with files.whole(path) as part:
        part.write_text("new")
        assert not path.exists()
        assert part.parent == path.parent  # of one file system, so that renaming is atomic
    assert path.read_text() == "new"


def test_json_lines_are_read_less_what_a_crash_has_cut(tmp_path):
    path = tmp_path / "lines.jsonl"
    assert files.read_json_lines(path) == []
    path.write_bytes(b'{"a": 1}\n\xff\n[1]\n{"b":\n{"c": 2}\n{"d": 3}')
    assert files.read_json_lines(path) == [{"a": 1}, {"c": 2}]
    files.write_bytes(path, b"\x00")
    assert path.read_bytes() == b"\x00"


def test_clearing_leaves_what_a_living_process_writes(tmp_path):
    (tmp_path / "deep").mkdir()
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    left = tmp_path / "deep" / f".a.json.{dead.stdout.strip()}.part"
    ours = tmp_path / "deep" / f".b.json.{os.getpid()}.part"
    for path in (left, ours, tmp_path / ".c.part", tmp_path / "d.part"):
        path.touch()
    files.clear_parts(tmp_path)
    assert {p.name for p in tmp_path.rglob("*")} == {"deep", ours.name, "d.part"}
    files.write_text(tmp_path / "c", "written")  # beside a name without a process


@pytest.mark.parametrize(
    ("number", "told"),
    [(errno.EACCES, "elsewhere"), (errno.ENOSPC, "make room there and call again")],
)
def test_the_advice_on_what_can_not_be_written_goes_by_the_reason(number, told):
    with pytest.raises(UserError) as error, files.writing_to("a", "elsewhere"):
        raise OSError(number, "why")
    assert str(error.value) == f"can't write to a: why; {told}"


def test_errors_of_tensorflow_in_writing_are_os_errors(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file/below") as error, files.os_errors(tmp_path):
        tf.io.write_file(str(tmp_path / "file" / "below"), "text")
    assert error.value.filename == str(tmp_path)
    assert "\n" not in error.value.strerror
    for other in (ValueError, KeyboardInterrupt):
        with pytest.raises(other), files.os_errors(tmp_path):
            raise other
