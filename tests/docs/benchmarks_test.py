"""What the benchmark writes and how it counts and times, without PyTorch."""

import dataclasses
import sys

import numpy as np
import pytest
import small
from places import ROOT

sys.path.insert(0, str(ROOT))

from benchmarks import cases, folds, tables, time_to_number, timing
from tf_distill.datasets.words import UNKNOWN, TextEncoding

ROW = {"network": "LeNet", "inner_steps": 3, "samples_per_step": 10, "batch": 64, "ours_s": 0.01234,
       "torch_s": 0.05, "ratio": 4.05, "cpu_ratio": 4.0, "share_of_peak": 0.256,
       "first_call_s": 2.5, "peak_mb": 812.4}  # fmt: skip


def test_report_has_a_table_for_each_part():
    machine = {"cores": 2, "threads": 2, "peak_gflops": 120.4}
    text = tables.report({"machine": machine, "rows": [ROW], "growth": [ROW], "evaluation": None})
    first, rows, growth = text.split("\n\n")
    assert first == "2 cores, 2 threads, 120 GFLOP/s in float32 products"
    assert "| LeNet | 3 | 10 | 64 | 0.0123 | 0.05 | 4.05 | 4 | 26% | 2.5 | 812 |" in rows
    assert growth.splitlines()[-1] == "| LeNet | 3 | 2.5 | - | 812 |"


def test_functions_take_turns_after_one_call_to_warm_up_and_a_peak_is_positive():
    calls = []
    seconds = timing.interleaved([lambda: calls.append("a"), lambda: calls.append("b")], 2)
    assert "".join(calls) == "ababab"
    assert len(seconds) == 2
    assert all(s.wall >= 0 for s in seconds)
    a = np.ones((64, 64))
    assert 0 < timing.peak_gflops(lambda: a @ a, 64) < 1e5


@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: case.name)
def test_problems_fit_their_networks(case):
    network = cases.learner(case)
    small = case._replace(batch=4)
    given = cases.problem(small, [])
    assert given.x.shape == (case.steps, case.samples, *case.shape)
    assert given.y.shape == (case.steps, case.samples, case.outputs)
    assert given.lr.shape == (case.inner_steps,)
    assert network.outputs == case.outputs == given.real_y.shape[1]
    work = cases.operations(case, network.shapes)
    real_alone = cases.operations(case._replace(epochs=0), network.shapes)
    assert work > real_alone > cases.operations(small._replace(epochs=0), network.shapes)


def test_lenets_operations_by_hand():
    case = cases.CASES[0]._replace(batch=1, epochs=0)
    forward = 2 * (784 * 25 * 6 + 100 * 150 * 16 + 400 * 120 + 120 * 84 + 84 * 10)
    assert cases.operations(case, cases.learner(case).shapes) == 3 * forward
    more = cases.with_steps(cases.CASES[1], 300)  # more inner steps are more epochs
    assert (more.steps, more.epochs, more.inner_steps) == (10, 30, 300)


def test_folds_have_each_training_example_once_and_no_other():
    data = small.dataset(train=23, test=7)
    parts = [folds.fold(data, number) for number in range(folds.PARTS)]
    tested = np.concatenate([part.x_test for part in parts])
    np.testing.assert_array_equal(np.unique(tested, axis=0), np.unique(data.x_train, axis=0))
    for part in parts:
        assert len(part.y_train) + len(part.y_test) == 23
        assert not {x.tobytes() for x in part.x_train} & {x.tobytes() for x in part.x_test}


def test_words_that_a_fold_alone_has_are_unknown():
    encoding = TextEncoding([f"w{i}" for i in range(11)], np.ones((11, 1)), length=2)
    x = np.array([[2, 3 + i] for i in range(10)], np.int32)
    data = dataclasses.replace(small.dataset(train=10), x_train=x, encoding=encoding)
    part = folds.fold(data, 0)
    np.testing.assert_array_equal(part.x_test, [[2, UNKNOWN]] * 2)
    assert UNKNOWN not in part.x_train


def test_a_row_is_as_fast_as_its_first_evaluation_above_the_paper():
    end = {"outer_steps": 30, "seconds": 9.0, "accuracy": {"mean": 0.9}}
    seen = {"step": [10, 20, 30], "seconds": [4.0, 6.0, 9.0], "accuracy": [0.5, 0.8, 0.7]}
    passed, never = time_to_number.passed, time_to_number.NEVER
    assert passed(end | {"evaluations": seen}, 0.6) == (20, 6.0)
    assert passed(end | {"evaluations": seen}, 0.8) == never
    assert passed(end, 0.8) == (30, 9.0)
    assert passed(end, 0.9) == never
    assert time_to_number.median([never, time_to_number.Passed(20, 6.0), never]) == never


def test_the_page_has_the_time_to_the_number_of_the_kept_results():
    text = time_to_number.README.read_text(encoding="utf-8")
    assert time_to_number.put(text) == text
