"""What is worked out when the files of a run are read, of this version and of earlier ones."""

import evaluated
import pytest

from tf_distill.report import record
from tf_distill.report.record import Record, distillation_sizes

ORIGINAL = {"accuracy": evaluated.ORIGINAL}
ACCURACY = {"mean": 0.6, "std": 0.0, "networks": 1}
RUN = {
    "config": {"dataset": "digits", "model": "lenet", "init": "random", "labels": "soft"},
    "results": {"distilled_samples": 10, "seconds": 1.0, "accuracy": ACCURACY},
}


def read(folder, **contents):
    evaluated.write(folder, **RUN | contents)
    return record.read_numbers(folder)


def test_ratios_are_worked_out_for_the_set_and_for_every_row(tmp_path):
    rows = evaluated.comparison()["rows"]
    found = read(
        tmp_path, comparison={"rows": rows}, results=RUN["results"] | {"original": ORIGINAL}
    )
    assert (found.original, found.ratio) == (evaluated.ORIGINAL, 0.6 / evaluated.ORIGINAL)
    assert [row["ratio"] for row in found.rows] == [r["mean"] / evaluated.ORIGINAL for r in rows]
    found = read(tmp_path, comparison={"rows": rows})  # no original accuracy
    assert {found.original, found.ratio, *(row["ratio"] for row in found.rows)} == {None}


@pytest.mark.parametrize(
    ("results", "comparison"),
    [
        ({"original_accuracy": 0.8, "ratio": 1}, {}),
        ({}, {"original": ORIGINAL}),
        ({"original": ORIGINAL}, {"original": {"accuracy": 0.1}}),  # that of results is newer
    ],
)
def test_files_of_earlier_versions_are_read(tmp_path, results, comparison):
    row = {"name": "k_means", "group": "baseline", "title": "k", "mean": 0.4, "ratio": 0.9}
    comparison = {"rows": [row], **comparison}
    found = read(tmp_path, results=RUN["results"] | results, comparison=comparison)
    assert (found.original, found.ratio) == (0.8, pytest.approx(0.75))
    assert found.rows == [{**row, "ratio": 0.5, "std": 0.0, "networks": 1, "accuracies": []}]


def test_a_comparison_that_tested_more_networks_says_the_accuracy(tmp_path):
    row = evaluated.row("distilled", "distilled", 0.7)
    assert read(tmp_path, comparison={"rows": [row]}).accuracy["mean"] == row["mean"]


NAMES = {"a": 8, "b": 8, "c": 4, "none": 2}
CONFUSION = [[6, 2, 0, 0], [3, 7, 0, 0], [0, 4, 0, 0], [0, 0, 0, 0]]  # of two networks


def judged(confusion, names=NAMES):
    numbers = {"accuracy": {"mean": 0.6, "std": 0.1, "networks": 2}, "class_examples": names}
    return Record(None, {}, numbers | {"confusion": confusion})


def test_each_class_and_the_majority_follow_from_the_confusion_matrix():
    assert judged(CONFUSION).by_class == [
        ("a", 4, 0.75, "b", 0.25, True),
        ("b", 5, 0.7, "a", 0.3, True),
        ("c", 2, 0.0, "b", 1.0, False),
        ("none", 0, None, "", 0.0, False),
    ]
    assert judged(CONFUSION).majority == ("b", 5 / 11)
    assert judged(CONFUSION).majority.words == "always 'b': 0.4545"
    older = Record(None, {}, RUN["results"])
    assert (older.by_class, older.majority, record.weakest_classes([])) == ([], None, "")


@pytest.mark.parametrize(
    ("confusion", "told"),
    [
        (CONFUSION, "never predicted: class 'c'"),
        (
            [[6, 2, 0], [3, 7, 0], [0, 1, 3]],
            "weakest classes: 'b' 0.7000, most often taken for 'a'; "
            "'a' 0.7500, most often taken for 'b'",
        ),
        ([[6, 2], [0, 8]], "weakest classes: 'a' 0.7500"),
        ([[8, 0], [0, 8]], ""),
        ([[0] * 6 + [2]] * 7, "never predicted: class '0', '1', '2', '3', '4' and 1 more"),
    ],
)
def test_the_weakest_classes_are_a_line(confusion, told):
    names = dict.fromkeys([*NAMES][: len(confusion)] if len(confusion) < 5 else map(str, range(7)))
    assert record.weakest_classes(judged(confusion, names).by_class) == told


def test_the_sizes_of_a_sweep_have_ratios_and_say_what_was_reached(tmp_path):
    older = evaluated.sweep() | {"distillation_sizes": {"50": 1}}
    older["sizes"][0]["ratio"] = 1.0
    evaluated.write(tmp_path, sweep=older)
    found = record.read(tmp_path)
    assert [s["ratio"] for s in found.sizes] == pytest.approx([0.375, 0.625, 0.875, 0.975])
    assert found.distillation_sizes == {
        "50": 2, "60": 2, "70": 5, "80": 5, "90": 20, "95": 20, "97": 20, "99": None
    }  # fmt: skip
    assert Record(tmp_path, {}, sweep={"sizes": older["sizes"]}).distillation_sizes == {}


def test_a_size_that_is_worse_than_a_smaller_one_reaches_less():
    sizes = [{"samples": n, "ratio": r} for n, r in ((1, None), (2, 0.92), (5, 0.85), (10, 0.96))]
    found = distillation_sizes(sizes)
    assert [found[a] for a in ("50", "90", "95", "97")] == [2, 2, 10, None]
