"""Files are written whole or not at all, damage is one line, and a folder has one process."""

import contextlib
import errno
import gzip
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import small
import tensorflow as tf
from places import ROOT

from tf_distill.common import files
from tf_distill.common.errors import UserError


class BrokenError(Exception):
    """Raised by the tests in the middle of writing."""


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
    value = {"b": [[1, 2.5], [-1e-9, 2]], "c": ["[\n1\n]"], "d": [], "e": [None, 1]}
    files.write_json(tmp_path / "a.json", value)
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text) == value
    assert "    [1, 2.5],\n    [-1e-09, 2]\n" in text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "a.txt"]
    with pytest.raises(TypeError):
        files.write_json(tmp_path / "a.json", object())
    assert files.read_json(tmp_path / "a.json") == value


def test_an_exception_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    for there in ([], [path]):
        with pytest.raises(BrokenError):
            fail_in_the_middle(path, lambda part: part.write_text("half"))
        assert list(tmp_path.iterdir()) == there
        assert not there or path.read_text() == "old"
        path.write_text("old")


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


def test_nobody_sees_a_file_before_it_is_whole_and_the_rest_of_a_crash_goes(tmp_path):
    path = tmp_path / "set"
    with files.whole(path) as part:
        assert part.parent == path.parent  # of one file system, so that renaming is atomic
        part.mkdir()
        assert not path.exists()
    part.mkdir()
    (part / "half.txt").touch()
    with files.whole(path) as part:
        assert not part.exists()
        part.mkdir()
    assert list(tmp_path.iterdir()) == [path]
    assert list(path.iterdir()) == []


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
def test_the_advice_on_a_failed_write_follows_its_reason(number, told):
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


def test_lines_are_unpacked_by_the_ending_of_the_name(tmp_path):
    for name, content in {"a.txt": b"a\nb", "a.gz": gzip.compress(b"a\nb")}.items():
        (tmp_path / name).write_bytes(content)
        assert list(files.read_lines(tmp_path / name)) == [b"a\n", b"b"]


def test_arrays_of_an_archive(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, a=[1, 2], b=["x"])
    found = files.read_npz_arrays(path, ("b", "c", "a"), required=("b",))
    assert {name: array.tolist() for name, array in found.items()} == {"b": ["x"], "a": [1, 2]}
    assert list(found) == ["b", "a"]
    with pytest.raises(UserError, match="has no array 'c', expected c, a; it has a, b"):
        files.read_npz_arrays(path, ("c", "a"), required=("c",))


def test_damaged_files_are_one_line(tmp_path):
    whole = gzip.compress(b"text\n" * 999)
    (tmp_path / "cut.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.gz").write_text("text")
    np.savez(tmp_path / "objects.npz", a=np.array([{}], object))
    np.save(tmp_path / "alone.npy", np.zeros(3))
    np.savez_compressed(tmp_path / "cut.npz", a=np.arange(99))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "cut.npz").read_bytes()[:-30])
    for name, content in {"empty": b"", "garbage": b"garbage" * 50, "zip": b"PK\3\4 cut"}.items():
        (tmp_path / f"{name}.npz").write_bytes(content)
    readers = {
        lambda path: list(files.read_lines(path)): ("cut.gz", "text.gz", "none.gz", "."),
        lambda path: files.read_npz_arrays(path, ("a",)): (
            "objects.npz", "alone.npy", "cut.npz", "empty.npz", "garbage.npz", "zip.npz", "none.npz"
        ),
        files.read_json: ("none.json", "."),
    }  # fmt: skip
    for reader, names in readers.items():
        for name in names:
            with pytest.raises(UserError, match=f"can't read {tmp_path / name}") as error:
                reader(tmp_path / name)
            assert "\n" not in str(error.value)


HOLD = """
import pathlib, sys, time
from tf_distill.common import folder_lock
with folder_lock(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the folder."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_until_the_first_is_dead(tmp_path, holder):
    refused = pytest.raises(UserError, match=f"another process is at work in {tmp_path}; ")
    with refused as error, files.folder_lock(tmp_path):
        pytest.fail("both hold it")
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="another process is at work"):
        small.carry_out(small.config(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [files.LOCK_NAME]
    holder.kill()
    holder.wait()
    with files.folder_lock(tmp_path):
        pass


def test_who_waits_gets_the_lock_even_if_the_folder_is_deleted(tmp_path, holder, capsys):
    def end():
        files.remove(tmp_path)
        holder.kill()

    threading.Timer(0.3, end).start()
    with files.folder_lock(tmp_path, seconds=None):
        holder.wait()
    said = capsys.readouterr().out
    assert said == f"another process is at work in {tmp_path}; waiting until it ends\n"


def test_a_thread_may_lock_again_and_another_one_not(tmp_path):
    def refused():
        try:
            with files.folder_lock(tmp_path):
                return False
        except UserError:
            return True

    with ThreadPoolExecutor(1) as thread, files.folder_lock(tmp_path):
        with contextlib.suppress(BrokenError), files.folder_lock(tmp_path):
            assert thread.submit(refused).result()
            raise BrokenError
        assert thread.submit(refused).result()
    with ThreadPoolExecutor(1) as thread:
        assert not thread.submit(refused).result()
