"""Files of a run's folder: a damaged or foreign one is one line that names the file."""

import json

import pytest

from tf_distill.common import schemas
from tf_distill.common.errors import UserError

ROW = {"name": "a", "group": "baseline", "title": "A", "mean": 0.5}
DAMAGE = {
    "comparison.json": [
        *({"rows": rows} for rows in ("abc", None, [{}], [5], [{**ROW, "group": "other"}],
                                      [{**ROW, "accuracies": 5}], [{**ROW, "accuracies": ["a"]}])),
        *({"original": original} for original in (5, {}, {"accuracy": "x"})),
        {"curve": {"step": [0, 1], "mean": 0.1, "std": [0, 0]}},
        [],
        [[1, 2]],
    ],
    "ranking.json": [{}, {"variants": [{"name": "a"}]}, {"variants": [], "spearman": "x"}],
    "sweep.json": [{}, {"sizes": [{"samples": 0.5, "mean": 1}]}],
    "results.json": [{}, {"distilled_samples": 1, "seconds": 1, "accuracy": {}}],
    "inputs.json": [{"train": "many"}, {"data": 3}, {"weights": 5}],
    "config.json": [{"dataset": 3}, {"dataset": "a"}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *((name, json.dumps(value)) for name, values in DAMAGE.items() for value in values),
        *(("comparison.json", text) for text in ("", '{"rows"', "\ufeff")),
    ],
)
def test_damage_is_one_line(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(UserError, match="is damaged") as error:
        schemas.read_checked(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_fault_is_told_with_its_place(tmp_path):
    path = tmp_path / "comparison.json"
    path.write_text(json.dumps({"rows": [ROW, ROW | {"mean": "high"}]}))
    with pytest.raises(UserError, match=r"\(\['rows'\]\[1\]\['mean'\] is 'high', expected int \|"):
        schemas.read_checked(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("comparison.json", {"rows": [ROW | {"ratio": None}], "original": {"accuracy": 1}}),
        ("sweep.json", {"sizes": [{"samples": 3, "mean": 0.5}]}),
        ("ranking.json", {"variants": [], "spearman": None}),
    ],
)
def test_sound_content_comes_back(tmp_path, name, value):
    path = tmp_path / name
    assert schemas.read_checked(path) == {}
    path.write_text(json.dumps(value))
    assert schemas.read_checked(path) == value


def test_metrics_are_lines_of_numbers_with_a_step(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert schemas.read_metrics(path) == []
    path.write_bytes(b'{"step": 1, "a": 0.5}\n\xff\n[1]\n{"step":\n{"a": 1}\n'
                     b'{"step": 2, "a": "x"}\n{"step": 2}\n{"step": 3}')  # fmt: skip
    assert schemas.read_metrics(path) == [{"step": 1, "a": 0.5}, {"step": 2}]
