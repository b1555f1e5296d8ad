"""Sweeps over sizes: the runs, the table, and refusals."""

import json

import pytest
import small

from tf_distill.common.errors import UserError
from tf_distill.evaluation import sweep
from tf_distill.report import record, report
from tf_distill.runs.experiment import Finished


@pytest.fixture
def original(monkeypatch):
    monkeypatch.setattr(sweep, "original_of", lambda run: {"accuracy": 0.8})


@pytest.mark.usefixtures("tiny")
def test_each_size_is_a_run_of_its_own(tmp_path, original, capsys):
    config = small.config(tmp_path / "sweep", model="tiny", steps=2)
    sweep.sweep(config, [4, 2, 4])
    path = tmp_path / "sweep" / "sweep.json"
    found = json.loads(path.read_text())
    assert [e["samples"] for e in found["sizes"]] == [2, 4]
    for entry in found["sizes"]:
        folder = tmp_path / "sweep" / entry["run_dir"]
        results = json.loads((folder / "results.json").read_text())
        assert results["samples_per_step"] == entry["samples"] // 2
        assert entry["mean"] == results["accuracy"]["mean"]
        assert results["original"] == found["original"] == {"accuracy": 0.8}
        assert record.read(folder).ratio == entry["mean"] / 0.8
    words = sweep.describe(tmp_path / "sweep")
    assert f"{found['sizes'][0]['mean']:.4f}" in words
    assert f"{100 * found['sizes'][0]['mean'] / 0.8:.1f}%" in words
    path.unlink()
    sweep.sweep(config, [4, 2])
    assert json.loads(path.read_text()) == found
    assert capsys.readouterr().out.count("is finished") == 2


@pytest.fixture
def at_once(original, monkeypatch):
    """Runs leave their settings, and the name of a checkpoint."""
    results = {"accuracy": {"mean": 0.5, "std": 0.0, "networks": 1}, "seconds": 1.0}

    def instead(run):
        small.begun(run.config)
        return Finished(None, {**results, "distilled_samples": run.config.samples_per_step}, [])

    monkeypatch.setattr(sweep, "carry_out", instead)


def swept(folder):
    """The samples of the sizes in a sweep's table."""
    return [e["samples"] for e in json.loads((folder / "sweep.json").read_text())["sizes"]]


def test_shards_enter_their_sizes_into_one_table(tmp_path, at_once):
    config = small.config(tmp_path)
    sweep.sweep(config, [3, 1, 2], mine=[1, 3])
    assert swept(tmp_path) == [1, 3]
    sweep.sweep(config, [3, 1, 2], mine=[2])
    assert swept(tmp_path) == [1, 2, 3]


OTHERS = [
    {"outer_lr": 5.0},
    {"batch_size": 8},
    {"inner_lr": 0.7},
    {"seed": 1},
    {"label_init": "random"},
    {"eval_split": "held_out"},
    {"steps": 2},
]


@pytest.mark.parametrize("other", OTHERS, ids=str)
def test_other_settings_are_refused_and_nothing_is_lost(tmp_path, at_once, other):
    sweep.sweep(small.config(tmp_path), [1, 2])
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(UserError) as error:
        sweep.sweep(small.config(tmp_path, **other), [4])
    [name] = other
    assert f"{name}=" in str(error.value)
    assert "\n" not in str(error.value)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_sizes_are_added_to_a_sweep(tmp_path, at_once):
    config = small.config(tmp_path)
    sweep.sweep(config, [1, 2])
    assert report.write(tmp_path).exists()
    sweep.sweep(config, [4])
    assert swept(tmp_path) == [1, 2, 4]


def test_a_size_that_can_not_be_cut_into_the_minibatches_is_a_single_one(tmp_path):
    config = small.config(tmp_path, use="training", steps=4, samples_per_step=3, epochs=5)
    sized = [sweep.of_size(config, size) for size in (8, 6)]
    assert [(c.steps, c.samples_per_step, c.epochs) for c in sized] == [(4, 2, 5), (1, 6, 20)]


@pytest.mark.parametrize("sizes", [[3], [0], [-2], [2, 5]])
def test_sizes_that_can_not_be_are_refused_before_anything_runs(tmp_path, original, sizes):
    config = small.config(tmp_path / "sweep", steps=2)
    with pytest.raises(UserError, match=f"sizes={sizes[-1]}, expected positive multiples"):
        sweep.sweep(config, sizes)
    assert not (tmp_path / "sweep").exists()
