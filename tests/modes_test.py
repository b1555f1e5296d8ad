"""The modes of the program, as a user calls them one after the other on one folder."""

import contextlib
import csv
import dataclasses
import json
import shutil

import evaluated
import pytest
import small

from tf_distill.common.errors import UserError
from tf_distill.evaluation import comparison, sweep
from tf_distill.networks.registry import NETWORKS
from tf_distill.report import report, table
from tf_distill.runs.run import configure, only_resumes, recall

NO_MEMORY = "tf_distill: error: not enough memory"
QUICK = ("--baseline_sets=2", "--sgd_epochs=2", "--control_steps=2")


def test_a_run_by_its_folder_alone_has_its_settings(tmp_path):
    config = small.config(tmp_path / "run", seed=7, inner_lr=0.3)
    small.begun(config)
    alone = {"run_dir": str(tmp_path / "run"), "seed": None}
    assert recall(alone) == config
    assert only_resumes(alone)
    assert not only_resumes({"run_dir": str(tmp_path / "other")})
    assert not only_resumes(alone | {"seed": 7})
    with pytest.raises(UserError, match=r"seed=8 \(it was 7\)"):
        recall({"run_dir": str(tmp_path / "run"), "seed": 8})
    with pytest.raises(UserError, match="there is no run in"):
        recall({"run_dir": str(tmp_path / "other"), "data_dir": "x"})
    settings = {"dataset": "toy_questions", "run_dir": str(tmp_path / "other")}
    assert recall(settings) == configure(settings)


def test_a_run_from_before_a_setting_keeps_what_was_the_case_then(tmp_path):
    config = small.config(tmp_path, model="textconvnet", init="random", networks=1, eval_networks=1)
    then = dataclasses.replace(config, outer_momentum=0.5, sample_init="normal")
    assert then != config
    kept = {k: v for k, v in dataclasses.asdict(then).items() if getattr(config, k) == v}
    small.begun(config)
    (tmp_path / "config.json").write_text(json.dumps(kept))
    assert recall({"run_dir": str(tmp_path)}) == then


@pytest.mark.parametrize(
    ("name", "model", "lacking"),
    [
        ("vectors", "python:Own", "data and network"),
        ("vectors", "lenet", "data"),
        ("digits", "python:Own", "network"),
        ("digits", "lenet", None),
    ],
)
def test_only_python_has_data_and_networks_of_python(tmp_path, name, model, lacking):
    config = small.config(tmp_path, dataset="digits", model="lenet")
    small.begun(dataclasses.replace(config, dataset=name, model=model))
    with pytest.raises(UserError) if lacking else contextlib.nullcontext() as error:
        assert recall({"run_dir": str(tmp_path)}) == config
    if lacking:
        assert f"and only Python has its {lacking}; call compare()" in str(error.value)
        assert "such as dataset=csv:FILE" in str(error.value)


def test_report_draws_anew_what_was_deleted(cli, text_run, tmp_path):
    folder = shutil.copytree(text_run, tmp_path / "run")
    report = folder / "report.html"
    before = report.read_bytes()
    report.unlink()
    shutil.rmtree(folder / "figures")
    outcome = cli("--mode=report", f"--run_dir={folder}")
    assert (outcome.status, outcome.err) == (0, "")
    assert str(report) in outcome.out
    assert len(report.read_bytes()) == pytest.approx(len(before), rel=0.05)
    assert (folder / "figures" / "history.png").exists()


def test_compare_puts_runs_in_one_table(cli, text_run, image_run, tmp_path):
    out = tmp_path / "table.csv"
    outcome = cli("--mode=compare", f"--out={out}", str(text_run), str(image_run), str(tmp_path))
    assert outcome.status == 0
    assert "left out" in outcome.err
    assert outcome.err.count("\n") == 1
    rows = list(csv.DictReader(out.open()))
    assert [row["dataset"] for row in rows] == ["toy_questions", "digits"]
    for row, finished in zip(rows, (text_run, image_run), strict=True):
        mean = json.loads((finished / "results.json").read_text())["accuracy"]["mean"]
        assert float(row["mean"]) == mean
        assert f"{100 * mean:.2f}" in outcome.out


def test_the_original_accuracy_comes_with_the_ratio(cli, text_run, tmp_path, monkeypatch):
    folder = shutil.copytree(text_run, tmp_path / "runs" / "one")
    model = recall({"run_dir": str(folder)}).model
    shorter = NETWORKS[model]
    shorter = shorter._replace(training=shorter.training._replace(epochs=2))
    monkeypatch.setitem(NETWORKS, model, shorter)
    outcome = cli("--mode=original", f"--run_dir={folder}")
    assert outcome.status == 0
    results = json.loads((folder / "results.json").read_text())
    original = results["original"]["accuracy"]
    assert f"accuracy {original:.4f} on 195 test examples" in outcome.out
    assert original > 0.5
    expected = results["accuracy"]["mean"] / original
    report = folder / "report.html"
    assert f"\nratio {100 * expected:.1f} %, also in {report}\n" in outcome.out
    assert f"<dd>{100 * expected:.1f} %</dd>" in report.read_text(encoding="utf-8")
    (row,) = table.compare([folder])
    assert row["ratio"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("error", "mode", "told"),
    [
        (KeyboardInterrupt(), "baselines", "stopped; the same command continues from there"),
        (KeyboardInterrupt(), "report", "tf_distill: stopped"),
        (MemoryError(), "baselines", f"{NO_MEMORY}; lower the sizes in the settings"),
        (MemoryError(), "report", f"{NO_MEMORY}; free some memory and call again"),
    ],
)
def test_only_a_mode_that_goes_on_says_so(cli, text_run, monkeypatch, error, mode, told):
    def fail(*_):
        raise error

    monkeypatch.setattr(report, "write", fail)
    monkeypatch.setattr(comparison, "compare", fail)
    outcome = cli(f"--mode={mode}", f"--run_dir={text_run}")
    assert outcome.status == (2 if isinstance(error, MemoryError) else 130)
    assert outcome.err == f"{told}\n"


def test_stopped_baselines_tell_how_far_they_are(cli, text_run, tmp_path, monkeypatch):
    folder = shutil.copytree(text_run, tmp_path / "run")

    def stop(*_):
        rows = evaluated.comparison()["rows"]
        titles = [row["title"] for row in rows]
        evaluated.write(folder, comparison={"rows": rows[:5], "expected": titles})
        raise KeyboardInterrupt

    monkeypatch.setattr(comparison, "compare", stop)
    outcome = cli("--mode=baselines", f"--run_dir={folder}")
    assert outcome.status == 130
    told = "stopped with 5 of 13 rows measured, for --mode=report to show; the same command"
    assert outcome.err == f"{told} continues from there\n"


@pytest.mark.long
def test_a_sweep_has_a_folder_of_its_own(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sweep, "original_of", lambda run: {"accuracy": 0.9})
    outcome = cli(
        "--mode=sweep", "--sizes=2,3", "--dataset=toy_questions", "--outer_steps=2", "--epochs=1"
    )
    assert outcome.status == 0
    assert "d_50" in outcome.out or "none reached" in outcome.out
    folder = tmp_path / "runs" / "toy_questions_textconvnet_sweep"
    assert {p.name for p in folder.iterdir()} >= {"size_2", "size_3", "sweep.json", "report.html"}
