"""Sweeps over sizes: what is run, what is kept, and the sizes that reach a ratio."""

import json

import pytest
import small

from tf_distill.common.errors import UserError
from tf_distill.evaluation import sweep
from tf_distill.jobs import Shard
from tf_distill.report import report
from tf_distill.runs import run


def entries(**ratios):
    return [{"samples": int(name[1:]), "ratio": ratio} for name, ratio in ratios.items()]


def test_distillation_sizes_are_the_fewest_samples_that_reach_a_ratio():
    sizes = sweep.distillation_sizes(entries(m1=0.3, m2=0.92, m5=0.85, m10=0.96))
    assert sizes["50"] == sizes["80"] == sizes["90"] == 2
    assert sizes["95"] == 10
    assert sizes["97"] is None


def test_an_original_network_that_gets_nothing_right_has_no_sizes():
    assert set(sweep.distillation_sizes(entries(m1=None)).values()) == {None}


@pytest.fixture
def original(monkeypatch):
    monkeypatch.setattr(run, "original_of", lambda config, dataset: {"accuracy": 0.8})


def test_each_size_is_a_run_of_its_own(tmp_path, original, capsys):
    config = small.config(tmp_path / "sweep", steps=2)
    found = sweep.sweep(config, [4, 2, 4])
    assert [e["samples"] for e in found["sizes"]] == [2, 4]
    for entry in found["sizes"]:
        folder = tmp_path / "sweep" / entry["run_dir"]
        results = json.loads((folder / "results.json").read_text())
        assert results["samples_per_step"] == entry["samples"] // 2
        assert entry["mean"] == results["accuracy"]["mean"]
        assert entry["ratio"] == entry["mean"] / 0.8
    path = tmp_path / "sweep" / "sweep.json"
    assert json.loads(path.read_text()) == found
    words = sweep.describe(found, config)
    assert f"{found['sizes'][0]['mean']:.4f}" in words
    path.unlink()
    assert sweep.sweep(config, [4, 2]) == found
    assert capsys.readouterr().out.count("is finished") == 2


@pytest.fixture
def at_once(original, monkeypatch):
    """Runs leave their settings, and the name of a checkpoint."""
    results = {"accuracy": {"mean": 0.5, "std": 0.0, "networks": 1}, "seconds": 1.0}

    def instead(config):
        small.begun(config)
        return {**results, "distilled_samples": config.samples_per_step}

    monkeypatch.setattr(run, "run", instead)
    monkeypatch.setattr(run, "set_original", lambda *_: None)


def test_shards_enter_their_sizes_into_one_table(tmp_path, at_once):
    config = small.config(tmp_path / "sweep")
    first = sweep.sweep(config, [3, 1, 2], Shard(1, 2).of([1, 2, 3]))
    assert [e["samples"] for e in first["sizes"]] == [1, 3]
    both = sweep.sweep(config, [3, 1, 2], Shard(2, 2).of([1, 2, 3]))
    assert [e["samples"] for e in both["sizes"]] == [1, 2, 3]


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
@pytest.mark.parametrize("named", [None, 3, 0])
def test_other_settings_are_refused_and_nothing_is_lost(tmp_path, at_once, other, named):
    """Also where an older version wrote sweep.json, which named fewer settings, or none."""
    sweep.sweep(small.config(tmp_path), [1, 2])
    path = tmp_path / "sweep.json"
    found = json.loads(path.read_text())
    found["settings"] = dict(list(found["settings"].items())[:named])
    path.write_text(json.dumps(found))
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(UserError) as error:
        sweep.sweep(small.config(tmp_path, **other), [4])
    [name] = other
    assert f"--{name}" in str(error.value)
    assert "\n" not in str(error.value)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_sizes_are_added_to_the_sweep_of_an_older_version(tmp_path, at_once):
    config = small.config(tmp_path)
    whole = sweep.sweep(config, [1, 2])
    assert whole["settings"].keys() == config.deciding().keys() - {"samples_per_step"}
    few = {name: whole["settings"][name] for name in ("dataset", "model", "init", "seed")}
    (tmp_path / "sweep.json").write_text(json.dumps({**whole, "settings": few}))
    assert report.write(tmp_path).exists()
    found = sweep.sweep(config, [4])
    assert [e["samples"] for e in found["sizes"]] == [1, 2, 4]
    assert found["settings"] == whole["settings"]


@pytest.mark.parametrize("sizes", [[3], [0], [-2], [2, 5]])
def test_sizes_that_can_not_be_are_refused_before_anything_runs(tmp_path, original, sizes):
    config = small.config(tmp_path / "sweep", steps=2)
    with pytest.raises(UserError, match=f"sizes={sizes[-1]}, expected positive multiples"):
        sweep.sweep(config, sizes)
    assert not (tmp_path / "sweep").exists()
