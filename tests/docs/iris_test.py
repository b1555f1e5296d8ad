"""The example of Iris: what its optimisation reaches, its pictures, and docs/neighbours.md."""

import importlib
import re

import numpy as np
import pytest
from PIL import Image
from places import ROOT
from served import program

DOCS = (ROOT / "docs" / "neighbours.md").read_text(encoding="utf-8")


@pytest.fixture
def iris(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "examples")
    return importlib.import_module("iris_points")


@pytest.fixture
def data(iris):
    return iris.flowers()


def test_two_points_learn_to_separate_three_classes(iris, data):
    history = iris.two_points(data, steps=150)
    assert iris.correct(history[0], data) == 100  # two hard labels know two classes
    assert iris.correct(history[-1], data) >= 145
    assert set(iris.classifier(history[-1]).predict(data.x)) == {0, 1, 2}
    assert history[-1].labels[:, 1].max() < 0.5  # no point is the second class's own


def test_four_ways_learn_what_they_may(iris, data):
    ways = iris.four_ways(data, steps=40)
    start = ways["selection"][0]
    learned = {way: ways[way][-1] for way in ("generation", "soft labels", "both")}
    moved = {way: (points.places != start.places).all() for way, points in learned.items()}
    assert moved == {"generation": True, "soft labels": False, "both": True}
    assert (learned["generation"].labels == np.eye(3)).all()
    assert learned["soft labels"].labels.max(1).min() < 0.9
    right = {way: iris.correct(points, data) for way, points in learned.items()}
    assert min(right["generation"], right["both"]) >= 142
    assert right["soft labels"] >= iris.correct(start, data) + 5


def test_the_learned_model_is_the_classifier(iris, data):
    points = iris.two_points(data, steps=3)[-1]
    ours = iris.probabilities(*points, data.x + 0.07).numpy()
    theirs = iris.classifier(points).predict_proba(data.x + 0.07)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_every_draw_is_counted(iris, data):
    right, chosen = iris.every_draw(data), (3, 7, 49)
    rows = np.add(chosen, [0, 50, 100])
    assert right[chosen] == iris.correct(iris.Points(data.x[rows], np.eye(3)), data)


@pytest.mark.long
def test_pictures_are_drawn(iris, data, tmp_path):
    figures = importlib.import_module("iris_figures")
    ways, two = iris.four_ways(data, steps=4), iris.two_points(data, steps=4)
    some = {way: ways[way] for way in ("selection", "both")}
    figures.draw_four_ways(some, (0, 1, 2, 4), data).savefig(tmp_path / "four.png")
    figures.draw_two_points(two, (0, 1, 2, 4), data).savefig(tmp_path / "two.png")
    figures.animate_four_ways(ways, (0, 4), data, tmp_path / "four.gif")
    figures.animate_two_points(two, (0, 2, 4), data, tmp_path / "two.gif")
    for name in ("four.png", "two.png", "four.gif", "two.gif"):
        image = Image.open(tmp_path / name).convert("RGB")
        assert image.width > 600
        assert len(image.getcolors(10**6)) > 50
    assert Image.open(tmp_path / "two.gif").n_frames == 3


def test_a_wrong_call_is_one_line():
    error = program("examples/iris.py", status=2)
    assert error.startswith("iris: error: got 0 arguments, expected one")


def test_the_docs_code_runs(capsys):
    code = re.search(r"```python\n(.*?)```", DOCS, re.DOTALL).group(1)
    exec(code, {})
    said = re.findall(r"# (\[.*\])", code)
    assert capsys.readouterr().out.splitlines() == said


def test_the_docs_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", DOCS)
    assert len(links) >= 4
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
