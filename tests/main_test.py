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
from pathlib import Path

import pytest
import small
from absl import flags
from places import ROOT

from tf_distill import __version__, main, modes
from tf_distill.export import distilled_set
from tf_distill.runs import run

TINY = ("--dataset=toy_questions", "--outer_steps=2", "--batch_size=8", "--epochs=1")


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
    (["--model=lenett"], ["unknown --model 'lenett'", "did you mean lenet", "bilstm"]),
    (["--dataste=mnist"], ["dataste", "dataset", "--help"]),
    (["--steps=two"], ["steps", "two", "--help"]),
    (["mnist"], ["got 'mnist', expected only flags", "--help"]),
    (["--init=fix"], ["unknown --init 'fix'", "fixed, random"]),
    (["--dataset=digits", "--model=bilstm"], ["--model=bilstm takes texts", "alexcifarnet, lenet"]),
    (["--dataset=trec6", "--model=lenet"], ["--model=lenet takes images", "bilstm"]),
    *(
        ([f"--{name}=0"], [f"--{name} must be at least 1, got 0"])
        for name in ("samples_per_step", "steps", "epochs", "outer_steps", "batch_size",
                     "networks", "eval_networks", "eval_every")
    ),
    (["--inner_lr=-1"], ["--inner_lr must be above 0 and finite, got -1.0"]),
    (["--outer_lr=nan"], ["--outer_lr must be above 0 and finite, got nan"]),
    (["--seed=-3"], ["--seed must be at least 0"]),
    (["--labels=hard", "--label_init=random"], ["--label_init must be one_hot"]),
    (["--networks=3"], ["--init=fixed has one network", "--init=random"]),
    (["--flagfile=nowhere.flags"], ["there is no flag file nowhere.flags; expected some, such as"]),
    (["--mode=baseline"], ["unknown --mode 'baseline'", "did you mean baselines?", "sweep"]),
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
    (["--mode=sweep", "--sizes=1,x"], ["--sizes=1,x is no list of whole numbers"]),
    (["--mode=sweep", "--sizes=0"], ["--sizes has 0, expected positive multiples"]),
    (["--mode=baselines", "--baseline_sets=0"], ["--baseline_sets must be at least 1, got 0"]),
    *(
        ([f"--mode={mode}", "--run_dir=nowhere"], ["there is no run in nowhere", "--run_dir"])
        for mode in ("baselines", "ranking")
    ),
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


def test_a_run_of_other_settings_is_refused_and_left_alone(cli, tmp_path):
    first = cli(*TINY, f"--run_dir={tmp_path}/run")
    assert first.status == 0
    assert re.search(r"accuracy 0\.\d{4} on 195 test examples", first.out)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    other = cli(*TINY, f"--run_dir={tmp_path}/run", "--seed=1", "--outer_lr=0.5")
    assert_one_line(other, "--seed was 0, now 1", "--outer_lr was", "name another --run_dir")
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    again = cli(*TINY, f"--run_dir={tmp_path}/run")
    assert again.status == 0
    assert "is finished" in again.out
    assert "model/1 (the network that it trains) are in" in again.out


def test_a_finished_run_that_has_lost_its_model_says_so_and_how_to_get_it_back(cli, tmp_path):
    run, model = tmp_path / "run", tmp_path / "run" / "model" / "1"
    assert cli(*TINY, f"--run_dir={run}").status == 0
    first = json.loads((run / "results.json").read_text())
    shutil.rmtree(model)
    again = cli(*TINY, f"--run_dir={run}")
    assert f"{run} no longer has model/1; without its results.json" in again.out
    (run / "results.json").unlink()
    assert cli(*TINY, f"--run_dir={run}").status == 0
    assert json.loads((run / "results.json").read_text())["accuracy"] == first["accuracy"]
    assert model.is_dir()


def test_a_folder_that_can_not_be_written_is_one_line(cli, tmp_path):
    (tmp_path / "file").write_text("kept")
    outcome = cli(*TINY, f"--run_dir={tmp_path}/file/run")
    assert_one_line(outcome, f"can't write to --run_dir={tmp_path}/file/run")
    assert (tmp_path / "file").read_text() == "kept"


def test_a_run_that_diverges_is_one_line_with_a_status_of_its_own(cli, tmp_path):
    outcome = cli(*TINY, f"--run_dir={tmp_path}/run", "--inner_lr=1e38")
    assert outcome.status == 3
    assert len(outcome.err.splitlines()) == 1
    assert "lower --inner_lr" in outcome.err


def test_help_ends_well_and_names_every_setting():
    done = subprocess.run(
        command("--help"), cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    for holder in main._SETTINGS:
        assert f"--{holder.name}:" in done.stdout or f"--[no]{holder.name}:" in done.stdout
    for field in run.Config.__dataclass_fields__:
        assert f"--{field}:" in done.stdout or f"--[no]{field}:" in done.stdout


def test_every_mode_and_every_flag_that_is_no_setting_is_in_the_table():
    assert {*main.OWN} == {*modes.MODES, "compare", "each"}
    settings = {holder.name for holder in main._SETTINGS}
    own = {flag.name for flag in flags.FLAGS.flags_by_module_dict()[main.__name__]}
    assert own - settings - {"mode", "version"} == {
        name for names in main.OWN.values() for name in names
    }


def test_a_mistake_in_a_process_of_its_own_shows_no_noise():
    done = subprocess.run(
        command("--dataset=minst"),
        cwd=ROOT, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("tf_distill: error: unknown dataset 'minst'")
    assert done.stderr.count("\n") == 1


@pytest.mark.long
def test_a_process_that_is_terminated_goes_on_to_the_same_bits(tmp_path):
    """SIGTERM comes while it distills; the same settings then end as if it had not."""
    steps = 60
    config = {"outer_steps": steps, "eval_every": steps, "batch_size": 16}
    stopped, whole = (small.config(tmp_path / name, **config) for name in ("stopped", "whole"))
    settings = json.loads(stopped.to_json())
    arguments = [f"--{name}={value}" for name, value in settings.items() if value is not None]
    metrics = tmp_path / "stopped" / "metrics.jsonl"
    process = subprocess.Popen(
        command(*arguments), cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True
    )
    try:
        while process.poll() is None and not (metrics.exists() and "\n" in metrics.read_text()):
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert re.fullmatch(
        r"stopped after outer step \d+; the same command continues from there\n", err
    )
    assert 0 < len(metrics.read_text().splitlines()) < steps
    assert not (tmp_path / "stopped" / "results.json").exists()
    values = []
    for made in (stopped, whole):
        run.run(made)
        loaded = distilled_set.load(Path(made.run_dir, "distilled", "1"))
        values.append([v.numpy().tobytes() for v in loaded.samples])
    assert values[0] == values[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_outside_of_the_outer_loop_is_one_line(number):
    program = (
        "import time\nfrom tf_distill import cli\n"
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


def test_one_sample_is_one(cli, tmp_path):
    ended = cli(*TINY, "--samples_per_step=1", f"--run_dir={tmp_path}/run")
    assert ", 1 distilled sample, " in ended.out
    assert "1 distilled sample with" in (tmp_path / "run" / "report.html").read_text()
