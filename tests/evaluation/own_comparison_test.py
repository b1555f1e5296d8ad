"""Baselines from Python, for data and a network that have no name."""

import json

import pytest
from own_run import PROTOCOL, QUICK, distilled

import tf_distill as td
from tf_distill.evaluation import baselines, comparison, controls, original
from tf_distill.report import report


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of a run that was compared, beside what the call gave."""
    path = tmp_path_factory.mktemp("own") / "run"
    result = distilled(path)
    return path, result, result.compare(**PROTOCOL, training=QUICK)


def test_every_row_is_measured_and_kept(folder):
    path, result, found = folder
    rows = {row["name"]: row for row in found["rows"]}
    text = ("decoded_words", "decoded_words_hard")
    expected = [row.name for row in (*baselines.ROWS, *controls.ROWS)]
    assert list(rows) == [name for name in expected if name not in text]
    assert json.loads((path / comparison.NAME).read_text()) == found
    assert rows["distilled"]["mean"] == result.accuracy.mean
    assert found["curve"]["mean"][-1] == result.accuracy.mean
    results = json.loads((path / "results.json").read_text())
    for told in (results, result.results):
        assert told["original_accuracy"] == found["original"]["accuracy"]
        assert told["ratio"] == result.accuracy.mean / told["original_accuracy"]
    assert "random real, learned labels" in (path / "report.html").read_text()
    assert (path / "figures" / "comparison.png").is_file()


@pytest.mark.usefixtures("undrawn")
def test_another_call_goes_on_and_measures_nothing_twice(folder, monkeypatch, capsys):
    path, _, found = folder
    monkeypatch.setattr(comparison, "measure", lambda *_: pytest.fail("measured again"))
    monkeypatch.setattr(original, "original_accuracy", lambda *_: pytest.fail("trained again"))
    again = distilled(path)
    assert again.compare(training=QUICK) == again.compare() == found
    assert again.original(QUICK).accuracy == found["original"]["accuracy"]
    assert "average real" in capsys.readouterr().out


@pytest.mark.usefixtures("undrawn")
def test_one_that_was_stopped_goes_on_to_the_same_numbers(folder):
    path, _, found = folder
    kept = {**found, "rows": found["rows"][:-2]}
    (path / comparison.NAME).write_text(json.dumps(kept))
    result = distilled(path)
    accuracies = [[row["accuracies"] for row in c["rows"]] for c in (result.compare(), found)]
    assert accuracies[0] == accuracies[1]


def test_other_settings_than_before_are_refused(folder):
    path, *_ = folder
    with pytest.raises(td.UserError, match="sgd_epochs was 2, now 3; leave that out") as error:
        distilled(path).compare(sgd_epochs=3)
    assert str(path / comparison.NAME) in str(error.value)


@pytest.mark.usefixtures("undrawn")
def test_what_was_measured_before_a_stop_is_kept_in_memory_too(monkeypatch):
    result, measure = distilled(), comparison.measure

    def stopped(row, *rest):
        if row.name == "sgd":
            raise KeyboardInterrupt
        return measure(row, *rest)

    monkeypatch.setattr(comparison, "measure", stopped)
    with pytest.raises(KeyboardInterrupt):
        result.compare(**PROTOCOL, training=QUICK)
    measured = []
    monkeypatch.setattr(
        comparison,
        "measure",
        lambda row, *rest: (measured.append(row.name), measure(row, *rest))[1],
    )
    found = result.compare(**PROTOCOL)
    assert measured[0] == "sgd"
    assert len(found["rows"]) == len(found["expected"])


def test_a_report_of_python_names_calls_of_python(folder):
    path, _, found = folder
    (path / comparison.NAME).write_text(json.dumps({**found, "rows": found["rows"][:-2]}))
    page = report.write(path).read_text()
    assert "compare()" in page
    assert "--mode=baselines" not in page
    assert "Adam from 0.01, batches of 16, 3 epochs." in page
    (path / comparison.NAME).write_text(json.dumps(found))


@pytest.fixture(scope="module")
def result():
    return distilled()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"baseline_sets": 0}, "baseline_sets must be at least 1, got 0"),
        ({"sgd_epochs": "many"}, "sgd_epochs must be a whole number, got 'many'"),
        ({"training": 0.9}, "training is of type float, expected a tf_distill.Training, such as"),
        (
            {"training": QUICK._replace(lr=0.0)},
            "training.lr must be above 0 and finite, got 0.0",
        ),
        ({"training": QUICK._replace(lr=None)}, "training.lr must be a number, got None"),
        (
            {"training": QUICK._replace(epochs=0.5)},
            "epochs must be a whole number, got 0.5",
        ),
        (
            {"training": QUICK._replace(epochs=2**31)},
            "training.epochs must be below 2147483648",
        ),
        ({"training": QUICK._replace(dropout=0.5)}, "put layers of dropout into your own"),
    ],
)
def test_mistakes_are_told_in_a_line_of_python(result, wrong, told):
    with pytest.raises(td.UserError) as error:
        result.compare(**wrong)
    assert told in str(error.value)
    assert "--" not in str(error.value)
    assert "\n" not in str(error.value)


def test_without_a_folder_all_is_in_memory(result, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = result.compare(**PROTOCOL, training=QUICK)
    assert not list(tmp_path.iterdir())
    assert "comparison" in {path.stem for path in result.figures("drawn")}
    more = result.compare(**PROTOCOL | {"baseline_sets": 4}, training=QUICK)
    counts = [{r["name"]: r["networks"] for r in c["rows"]}["random_real"] for c in (found, more)]
    assert counts == [3, 4]
