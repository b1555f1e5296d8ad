"""What all programs share: the order of flags and flag files, and how a program ends."""

import subprocess
import sys

import pytest
from main_test import assert_one_line
from places import ROOT

from tf_distill.common.cli import Whole, with_dashes


@pytest.mark.parametrize("file", [["--flagfile={}"], ["--flagfile", "{}"]])
def test_a_setting_that_a_later_flag_file_would_override_is_refused(cli, tmp_path, file):
    path = tmp_path / "f.flags"
    path.write_text("--outer_steps=5\n--nodeterministic\n--seed=0\n")
    file = [part.format(path) for part in file]
    rest = ["--outer_lr=nan"]  # never run
    text = f"--outer_steps=2 stands before {' '.join(file)}, which sets it too; put it after"
    assert_one_line(cli("--outer_steps", "2", *file, *rest), text)
    assert_one_line(cli("--deterministic", *file, *rest), "--deterministic stands before")
    for sound in (
        ["--steps=2", "--seed=0", *file],
        [*file, "--outer_steps=2"],
        ["--outer_steps=2", *file, "--outer_steps=3"],
    ):
        assert_one_line(cli(*sound, *rest), "--outer_lr=nan, expected")


NAMES = ("seed", "model", "inner_lr", "inner_lr_2", "text_column", "data_dir", "?")


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("got seed=3, lower inner_lr or model=a", "got --seed=3, lower --inner_lr or --model=a"),
        ("seed= has no number", "--seed= has no number"),
        ("inner_lr=0.1, inner_lr; inner_lr_2", "--inner_lr=0.1, --inner_lr; --inner_lr_2"),
        ("unknown text_column 'x' (data_dir=a/b)", "unknown --text_column 'x' (--data_dir=a/b)"),
        *((text, text) for text in (
            "a model of this seed",
            "--seed=3 and --inner_lr",
            "my_inner_lr=3, no-seed=3, inner_lr_3",
            "runs/inner_lr, inner_lr/x, inner_lr.json, a.seed=3",
            "column 'inner_lr' or \"inner_lr\"",
            'run: python -c "make(\'a\', data_dir=\'/b\')"',
            "from_csv(text_column=name)",
        )),
    ],
)  # fmt: skip
def test_flags_in_messages_get_their_dashes(text, printed):
    assert with_dashes(text, NAMES) == printed
    assert with_dashes(f"seed=1 has {text}", NAMES, ["seed=1"]) == f"seed=1 has {printed}"


@pytest.mark.parametrize(("text", "number"), [("7", 7), ("1e3", 1000), ("1.5e1", 15)])
def test_whole_numbers_may_have_an_exponent(text, number):
    assert Whole().parse(text) == number


@pytest.mark.parametrize("text", ["1.5", "1.55e1", "e", "1e"])
def test_other_numbers_are_not_whole(text):
    with pytest.raises(ValueError, match=text):
        Whole().parse(text)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--help", "own"], ["--version"]])
def test_a_closed_pipe_is_no_error_and_nothing_needs_tensorflow(arguments, monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    program = (
        "import sys; from absl import flags; from tf_distill.common import cli\n"
        "assert 'tensorflow' not in sys.modules\n"
        "version = flags.DEFINE_bool('version', False, 'Prints the version.')\n"
        "cli.run(lambda _: print('here'), 'program', version, str if 'own' in sys.argv else None)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        process.stdout.close()
        err = process.stderr.read()
    assert (process.returncode, err) == (141, "")
