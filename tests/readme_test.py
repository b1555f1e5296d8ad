"""The README says what the results say."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def program(name):
    """A program of results/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "results" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def table():
    """The program that makes the table."""
    return program("table")


def test_the_table_is_made_from_the_results(table):
    assert table.put_into(README) == README


def test_a_command_leaves_out_what_is_default(table):
    results = json.loads((ROOT / "results" / "trec6_bilstm.json").read_text(encoding="utf-8"))
    assert table.command(results) == ("python -m tf_distill.main --dataset=trec6 --model=bilstm")
    changed = table.command({**results, "seed": 7, "eval_every": 3})
    assert changed.endswith("--model=bilstm --seed=7")


def test_the_page_on_evaluation_is_made_from_the_comparisons():
    comparisons = program("comparisons")
    page = comparisons.PAGE.read_text(encoding="utf-8")
    assert comparisons.put_into(page) == page
    files = {path.stem for path in (ROOT / "results" / "comparisons").glob("*.json")}
    assert files
    assert files <= comparisons.COLUMNS.keys()


@pytest.mark.parametrize("target", ["docs", "export", "flags"])
def test_links_lead_somewhere(target):
    links = [part.split(")")[0] for part in README.split("](") if part.startswith(target)]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
