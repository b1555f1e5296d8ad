"""The README says what the results say."""

import dataclasses
import importlib
import json
import re
import shutil

import pytest
from places import ROOT

from tf_distill.common.errors import UserError

README = (ROOT / "README.md").read_text(encoding="utf-8")


def program(name):
    """A program of results/ as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "results")
        return importlib.import_module(name)


@pytest.fixture(scope="module")
def table():
    """The program that makes the tables."""
    return program("table")


@pytest.fixture(scope="module")
def cells():
    """The paper's experiments with their results."""
    return program("cells")


def test_pages_and_flag_files_say_what_the_results_say(table):
    stale = [path.name for path, text in table.pages().items() if path.read_text("utf-8") != text]
    assert stale == []


def test_every_result_is_of_an_experiment_and_has_its_settings(table, cells):
    for path in (ROOT / "results").glob("*.json"):
        name, seed = path.stem.rsplit("_seed", 1)
        found = json.loads(path.read_text(encoding="utf-8"))
        assert found["seed"] == int(seed)
        assert table.difference(name, found) == []
        flags = cells.FLAGS / f"{name}.flags"
        lines = flags.read_text("utf-8").splitlines() if flags.exists() else []
        asked = {line for line in lines if line.startswith("--") and "run_dir" not in line}
        told = set(table.command({**found, "seed": 0}).split()[3:])
        model = f"--model={found['model']}"  # which a dataset's default need not be told
        assert told | {model} == asked | {model} or not asked


@pytest.fixture
def kept(table, tmp_path, monkeypatch, image_run):
    """Adds a run with other settings to the table's folder; returns the files kept there."""
    monkeypatch.setattr(table, "HERE", tmp_path)
    experiment = table.cells.settings("mnist_lenet_fixed")
    del experiment["run_dir"]
    wanted = table.config.resolve(experiment, table.DATASETS, table.NETWORKS)

    def add(name="mnist_lenet_fixed_seed3", **changed):
        folder = shutil.copytree(image_run, tmp_path / "runs" / name)
        found = json.loads((folder / "results.json").read_text("utf-8"))
        found |= {**dataclasses.asdict(wanted), "seed": 3, **changed}
        (folder / "results.json").write_text(json.dumps(found), "utf-8")
        table.add(folder)
        return [path.name for path in tmp_path.glob("*.json")]

    return add


def test_a_run_of_an_experiment_is_kept(kept):
    assert kept(eval_every=10) == ["mnist_lenet_fixed_seed3.json"]


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        (
            {"outer_steps": 20},
            "is another experiment than mnist_lenet_fixed: outer_steps=24000 (it was 20)",
        ),
        ({"eval_split": "held_out"}, "eval_split=test (it was held_out)"),
        ({"name": "mnist_lenet_fixt"}, "unknown experiment 'mnist_lenet_fixt'; did you mean"),
    ],
)
def test_a_run_of_no_experiment_is_not_kept(kept, tmp_path, changed, text):
    with pytest.raises(UserError, match=re.escape(text)):
        kept(**changed)
    assert not list(tmp_path.glob("*.json"))


@pytest.mark.parametrize("words", [["foo"], ["add"]])
def test_the_table_takes_no_other_words(table, words, monkeypatch):
    monkeypatch.setattr(table, "pages", lambda: pytest.fail("something was written"))
    with pytest.raises(UserError, match="expected nothing, or add RUN_DIR"):
        table.main(["table", *words])


def test_several_seeds_or_networks_have_a_spread(cells):
    def one(mean, seed, std=0.0, networks=1):
        accuracy = {"mean": mean, "std": std, "networks": networks}
        return {"accuracy": accuracy, "seed": seed, "seconds": 60.0}

    assert cells.summarize([one(0.5, 3)]) == (0.5, None, "seed 3", 60.0)
    seeds = cells.summarize([one(0.5, 0), one(0.7, 1)])
    assert seeds[:3] == (pytest.approx(0.6), pytest.approx(0.02**0.5), "2 seeds")
    drawn = cells.summarize([one(0.5, 0, 0.02, 200), one(0.5, 1, 0.04, 200)])
    assert drawn[:3] == (0.5, pytest.approx(0.03), "200 networks, 2 seeds")


def test_a_command_leaves_out_what_is_default(table):
    path = ROOT / "results" / "trec6_bilstm_fixed_seed0.json"
    results = json.loads(path.read_text(encoding="utf-8"))
    changed = table.command({**results, "seed": 7, "eval_every": 3})
    assert changed.startswith("python -m tf_distill.main --dataset=trec6 --model=bilstm")
    assert changed.endswith(" --seed=7")
    assert "eval_every" not in changed


def test_the_page_on_evaluation_is_made_from_the_comparisons():
    comparisons = program("comparisons")
    page = comparisons.PAGE.read_text(encoding="utf-8")
    assert comparisons.put_into(page) == page
    files = {path.stem for path in (ROOT / "results" / "comparisons").glob("*.json")}
    assert files
    assert files <= comparisons.COLUMNS.keys() | comparisons.TRAINED.keys()


@pytest.mark.parametrize("target", ["docs", "export", "flags", "benchmarks"])
def test_links_lead_somewhere(target):
    links = [part.split(")")[0] for part in README.split("](") if part.startswith(target)]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
