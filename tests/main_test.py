"""The command line: help, and every mistake of a user as one line with exit status 2."""

import configparser
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
import small
from absl import flags
from places import ROOT

from tf_distill import __version__, main, modes
from tf_distill.config import Config

TINY = (
    "--dataset=toy_questions",
    "--model=tiny",
    "--outer_steps=2",
    "--batch_size=8",
    "--epochs=1",
)


pytestmark = pytest.mark.usefixtures("tiny")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tf_distill.main", *arguments]


def environment() -> dict[str, str]:
    """As a user has it: without the settings by which the tests silence TensorFlow."""
    ours = ("TF_CPP_MIN_LOG_LEVEL", "CUDA_VISIBLE_DEVICES")
    return {k: v for k, v in os.environ.items() if k not in ours}


@pytest.fixture
def sentiment(tmp_path):
    """A data folder with a tiny SST-5 and no word vectors."""
    trees = tmp_path / "data" / "sst" / "trees"
    trees.mkdir(parents=True)
    for name, text in small.TREES.items():
        (trees / f"{name}.txt").write_text(text, encoding="utf-8")
    return tmp_path / "data"


def assert_one_line(outcome, *texts: str):
    assert outcome.status == 2
    lines = outcome.err.splitlines()
    assert len(lines) == 1, outcome.err
    assert lines[0].startswith("tf_distill: error: ")
    for text in texts:
        assert text in lines[0]


MISTAKES = [
    (["--dataset=minst"], ["unknown dataset 'minst'", "did you mean mnist?", "digits"]),
    (["--dataset=csv"], ["unknown dataset 'csv'; known: ", "; or your own data: csv:FILE"]),
    (["--model=lenett"], ["unknown model 'lenett'", "did you mean lenet", "bilstm"]),
    (["--model=convnet-x"], ["--model=convnet-x, expected convnet-WIDTH or convnet-WIDTH-DEPTH"]),
    (["--dataste=mnist"], ["dataste", "dataset", "--help"]),
    (["--steps=two"], ["steps", "two", "--help"]),
    (["mnist"], ["got 'mnist', expected only flags", "--help"]),
    (["--init=fix"], ["unknown init 'fix'", "fixed, random"]),
    (["--dataset=digits", "--model=bilstm"], ["--model=bilstm takes texts", "convnet-16, lenet"]),
    (["--dataset=trec6", "--model=lenet"], ["--model=lenet takes images", "bilstm"]),
    *(
        ([f"--{name}=0"], [f"--{name}=0, expected a whole number from 1 to"])
        for name in ("samples_per_step", "steps", "epochs", "outer_steps", "batch_size",
                     "networks", "eval_networks", "eval_every")
    ),
    (["--inner_lr=-1"], ["--inner_lr=-1.0, expected a finite number above 0"]),
    (["--outer_lr=nan"], ["--outer_lr=nan, expected a finite number above 0"]),
    (["--seed=-3"], ["--seed=-3, expected a whole number from 0 to"]),
    (["--labels=hard", "--label_init=random"], ["so --label_init must be one_hot"]),
    (["--networks=3"], ["--init=fixed has one network", "--init=random"]),
    (["--flagfile=nowhere.flags"], ["there is no flag file nowhere.flags; expected some, such as"]),
    (["--mode=baseline"], ["unknown mode 'baseline'", "did you mean baselines?", "sweep"]),
    *(
        ([f"--{name}={value}", f"--mode={mode}"], [f"--{name} is for --mode={others}, got", mode])
        for name, value, mode, others in (
            ("seeds", "3,4", "distill", "each"),
            ("sizes", "7", "distill", "sweep"),
            ("sgd_epochs", "4", "ranking", "baselines"),
            ("shard", "1/2", "compare", "sweep or --mode=each"),
            ("out", "foo.csv", "each", "compare"),
        )
    ),
    (["--mode=sweep", "--sizes=1,x"], ["--sizes=1,x", "--sizes=1,2,5,10"]),
    (["--mode=sweep", "--sizes=0"], ["0, expected positive multiples of --steps=1"]),
    (["--mode=baselines", "--baseline_sets=0"], ["--baseline_sets=0, expected a whole number"]),
    *(
        ([f"--mode={mode}", "--run_dir=nowhere"], ["there is no run in nowhere", "--run_dir"])
        for mode in ("baselines", "ranking")
    ),
    (["--mode=sweep", "--start=x"], ["--start=", "/x has a set of one size", "--mode=sweep"]),
    (["--mode=report", "--run_dir=nowhere"], ["nowhere holds no finished run"]),
    (["--mode=compare"], ["--mode=compare got no folder", "runs/*"]),
    (["--mode=compare", "--out=table.pdf", "nowhere"], ["table.pdf", ".csv, .html, .txt"]),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "texts"), MISTAKES, ids=[" ".join(a) for a, _ in MISTAKES])
def test_a_mistake_is_one_line(cli, tmp_path, monkeypatch, arguments, texts):
    monkeypatch.chdir(tmp_path)
    assert_one_line(cli(*arguments), *texts)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["mnist", "trec6"])
def test_a_missing_dataset_is_one_line_at_once(cli, tmp_path, name):
    started = time.monotonic()
    outcome = cli(f"--dataset={name}", f"--data_dir={tmp_path}", f"--run_dir={tmp_path}/run")
    assert time.monotonic() - started < 20
    assert_one_line(outcome, f"is not in {tmp_path}", "download_and_prepare", "--data_dir")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("vectors", "text"),
    [
        ("film 1 2\ngreat 3 x\n", "line 2: got 'x', expected a word and 2 numbers"),
        ("film 1 2\ngreat 3\n", "line 2: got 1 numbers, expected a word and 2 numbers"),
        ("film 1 2\ngreat 3 4 5\n", "line 2: got 3 numbers, expected a word and 2 numbers"),
        (None, "there is no file"),
    ],
)
def test_broken_word_vectors_are_one_line(cli, tmp_path, sentiment, vectors, text):
    path = tmp_path / "vectors.txt"
    if vectors:
        path.write_text(vectors)
    arguments = [f"--data_dir={sentiment}", f"--embeddings={path}", f"--run_dir={tmp_path}/run"]
    assert_one_line(cli("--dataset=sst5", *arguments), str(path), text)
    assert not (tmp_path / "run").exists()


def test_a_folder_has_one_run_and_tells_how_to_get_back_what_is_gone(cli, tmp_path):
    run = tmp_path / "run"
    command = (*TINY, "--samples_per_step=1", f"--run_dir={run}")
    first = cli(*command)
    assert first.status == 0
    told = r"accuracy 0\.\d{4} on 195 test examples \(.*\), 1 distilled sample, "
    assert re.search(told, first.out)
    assert "1 distilled sample with" in (run / "report.html").read_text()
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    other = cli(*command, "--seed=1", "--outer_lr=0.5")
    texts = "--seed=1 (it was 0)", "--outer_lr=0.5 (it was ", "name another --run_dir"
    assert_one_line(other, *texts)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    again = cli(*command)
    assert again.status == 0
    assert "is finished" in again.out
    assert "model/1 (the network that it trains) are in" in again.out

    shutil.rmtree(run / "model" / "1")
    shutil.rmtree(run / "distilled" / "1")
    told = f"{run} no longer has distilled/1 and model/1; put that back, or delete results.json"
    assert_one_line(cli(*command), told)
    accuracy = json.loads((run / "results.json").read_text())["accuracy"]
    (run / "results.json").unlink()
    assert cli(*command).status == 0
    assert json.loads((run / "results.json").read_text())["accuracy"] == accuracy
    assert (run / "model" / "1").is_dir()


def test_a_folder_that_can_not_be_written_is_one_line(cli, tmp_path):
    (tmp_path / "file").write_text("kept")
    outcome = cli(*TINY, f"--run_dir={tmp_path}/file/run")
    assert_one_line(outcome, f"can't write to --run_dir={tmp_path}/file/run")
    assert (tmp_path / "file").read_text() == "kept"


def test_a_run_that_diverges_is_one_line_with_a_status_of_its_own(cli, tmp_path):
    outcome = cli(*TINY, f"--run_dir={tmp_path}/run", "--inner_lr=1e38")
    assert outcome.status == 3
    assert len(outcome.err.splitlines()) == 1
    assert "lower --inner_lr (now 1e+38) or --outer_lr (now " in outcome.err
    assert not (tmp_path / "run" / "results.json").exists()


def test_help_ends_well_and_names_every_setting():
    done = subprocess.run(
        command("--help"), cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    for name in Config.__dataclass_fields__:
        assert f"--{name}: " in done.stdout


def test_every_mode_and_every_flag_that_is_no_setting_is_in_the_table():
    assert {*main.MODES} == {*modes.MODES, "compare", "each"}
    own = {flag.name for flag in flags.FLAGS.flags_by_module_dict()[main.__name__]}
    assert own - {*Config.__dataclass_fields__} - {"mode", "version"} == {
        name for names in main.MODES.values() for name in names
    }


def test_a_mistake_in_a_process_of_its_own_shows_no_noise():
    done = subprocess.run(
        command("--dataset=minst"),
        cwd=ROOT, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("tf_distill: error: unknown dataset 'minst'")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_outside_of_the_outer_loop_is_one_line(number):
    program = (
        "import time\nfrom tf_distill.common import cli\n"
        "cli.run(lambda _: print('here', flush=True) or time.sleep(60), 'program')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "here\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "program: stopped\n"


@pytest.mark.parametrize("how", [["-m", "tf_distill"], ["-c", "{module} as m; m.{function}()"]])
def test_the_package_and_the_installed_command_are_the_program(how):
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    name, place = settings["options.entry_points"]["console_scripts"].strip().split(" = ")
    module, function = place.split(":")
    how = [part.format(module=f"import {module}", function=function) for part in how]

    def said(*arguments: str) -> str:
        called = [sys.executable, *how, *arguments]
        return subprocess.run(called, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert said("--version") == f"{name} {__version__}\n"
    assert "--dataset: Name: digits, mnist" in said("--help")
