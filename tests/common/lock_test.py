"""A folder has one process at a time, and a dead one keeps nobody out."""

import signal
import subprocess
import sys
import threading

import pytest
import small
from places import ROOT

from tf_distill.common import files
from tf_distill.common.errors import UserError
from tf_distill.runs import run

HOLD = """
import pathlib, sys, time
from tf_distill import lock
with lock.held(pathlib.Path(sys.argv[1])):
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


def test_a_second_process_is_refused_in_one_line_until_the_first_is_dead(tmp_path, holder):
    refused = pytest.raises(UserError, match=f"another process is at work in {tmp_path}; ")
    with refused as error, files.folder_lock(tmp_path):
        pytest.fail("both hold it")
    assert "\n" not in str(error.value)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with files.folder_lock(tmp_path):
        pass


def test_who_waits_gets_it_also_where_the_folder_is_deleted_first(tmp_path, holder, capsys):
    def end():
        files.remove(tmp_path)
        holder.kill()

    threading.Timer(0.3, end).start()
    with files.folder_lock(tmp_path, seconds=None):
        holder.wait()
    said = capsys.readouterr().out
    assert said == f"another process is at work in {tmp_path}; waiting till it ends\n"


def test_a_run_is_refused_and_changes_nothing(tmp_path, holder):
    with pytest.raises(UserError, match="another process is at work"):
        run.run(small.config(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [files.LOCK_NAME]


def test_a_thread_may_take_it_again_and_another_one_not(tmp_path):
    refused = []

    def other():
        try:
            with files.folder_lock(tmp_path):
                refused.append(False)
        except UserError:
            refused.append(True)

    def ask():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()

    with files.folder_lock(tmp_path):
        with files.folder_lock(tmp_path):
            ask()
        ask()
    ask()
    assert refused == [True, True, False]


def test_an_error_inside_passes_and_lets_go(tmp_path):
    with pytest.raises(ZeroDivisionError), files.folder_lock(tmp_path):
        1 / 0  # noqa: B018
    with files.folder_lock(tmp_path):
        pass
