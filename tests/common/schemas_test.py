"""Files of a run's folder: what is damaged is one line that names the file."""

import json

import pytest

from tf_distill.common import schemas
from tf_distill.common.errors import UserError

ROW = {"name": "a", "group": "baseline", "title": "A", "mean": 0.5}
DAMAGE = {
    "comparison.json": [
        {"rows": "abc"},
        {"rows": None},
        {"rows": [{}]},
        {"rows": [{**ROW, "group": "other"}]},
        {"rows": [{**ROW, "accuracies": 5}]},
        {"rows": [{**ROW, "accuracies": ["a"]}]},
        {"original": 5},
        {"original": {}},
        {"original": {"accuracy": "x"}},
        {"curve": {"step": [0, 1], "mean": [0.1], "std": [0, 0]}},
    ],
    "ranking.json": [{}, {"variants": [{"name": "a"}]}, {"variants": [], "spearman": "x"}],
    "sweep.json": [{}, {"sizes": []}, {"sizes": [{"samples": 0, "mean": 1}]}],
    "results.json": [{}, {"distilled_samples": 1, "seconds": 1, "accuracy": {}}],
    "inputs.json": [{"train": "many"}, {"data": 3}, {"weights": 5}],
    "data.json": [{}, {"fingerprint": 1}],
    "config.json": [{"dataset": 3}, {"dataset": "a"}],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in DAMAGE.items() for value in values]
)
def test_damage_is_one_line(tmp_path, name, value):
    path = tmp_path / name
    path.write_text(json.dumps(value))
    with pytest.raises(UserError, match="is damaged") as error:
        schemas.read_checked(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (
            "comparison.json",
            {"rows": [ROW | {"ratio": None, "more": [1]}], "original": {"accuracy": 1}},
        ),
        ("sweep.json", {"sizes": [{"samples": 3, "mean": 0.5}]}),
        ("ranking.json", {"variants": [], "spearman": None}),
    ],
)
def test_what_is_sound_comes_back(tmp_path, name, value):
    path = tmp_path / name
    assert schemas.read_checked(path) == {}
    path.write_text(json.dumps(value))
    assert schemas.read_checked(path) == value


@pytest.mark.parametrize("text", ["", "[]", "[[1, 2]]", '{"rows"'])
def test_what_is_no_object_is_damaged(tmp_path, text):
    path = tmp_path / "comparison.json"
    path.write_text(text)
    with pytest.raises(UserError, match="is damaged"):
        schemas.read_checked(path)
