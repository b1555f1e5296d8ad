"""What all programs share: the order of flags and flag files, and how a program ends."""

import subprocess
import sys

import pytest
from main_test import ROOT, assert_one_line


@pytest.mark.parametrize("file", [["--flagfile={}"], ["--flagfile", "{}"]])
def test_a_setting_that_a_later_flag_file_would_override_is_refused(cli, tmp_path, file):
    path = tmp_path / "f.flags"
    path.write_text("--outer_steps=5\n--nodeterministic\n--seed=0\n")
    file = [part.format(path) for part in file]
    rest = ["--outer_lr=nan", "--dataset=minst"]  # never run
    text = f"--outer_steps=2 stands before {' '.join(file)}, which sets it too; put it after"
    assert_one_line(cli("--outer_steps", "2", *file, *rest), text)
    assert_one_line(cli("--deterministic", *file, *rest), "--deterministic stands before")
    for sound in (
        ["--steps=2", "--seed=0", *file],
        [*file, "--outer_steps=2"],
        ["--outer_steps=2", *file, "--outer_steps=3"],
    ):
        assert_one_line(cli(*sound, *rest), "unknown --dataset 'minst'")


@pytest.mark.parametrize("argument", ["", "--help", "--version"])
def test_a_closed_pipe_is_no_error(argument, monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    program = (
        "from tf_distill import cli, main\n"
        "cli.run(lambda _: print('here'), 'program', main._VERSION)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, argument],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        process.stdout.close()
        err = process.stderr.read()
    assert (process.returncode, err) == (141, "")
