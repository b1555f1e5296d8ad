"""The time of a run, from steps and tests of known lengths."""

import pytest
import small

from tf_distill.runs import duration
from tf_distill.runs.duration import Duration


@pytest.mark.parametrize(
    ("steps", "step", "test", "expected"),
    [
        # Compiling takes 7 s; a test with and without it 3 and 2 s.
        (1000, [7.5, *[0.5] * 99], [3.0, 2.0], (7.0 + 1.0, 0.5, 2.0, 10, 2)),
        (1000, [7.5, *[0.1] * 99], [3.0, 2.0], (7.4 + 1.0, 0.1, 2.0, duration.STEPS, 2)),
        (3, [7.5, 0.4, 0.6], [60.0], (7.0, 0.5, 60.0, 2, 2)),  # a long test is run once
        (1, [7.5], [3.0, 2.0], (1.0, 7.5, 2.0, 1, 2)),
    ],
)
def test_the_first_step_and_test_are_compiled_and_the_others_count(
    monkeypatch, steps, step, test, expected
):
    clock = [0.0]
    monkeypatch.setattr(duration.time, "monotonic", lambda: clock[0])

    def work(lengths):
        left = iter(lengths)
        return lambda: clock.__setitem__(0, clock[0] + next(left))

    found = duration.measure(work(step), work(test), steps, 2)
    assert found == pytest.approx(expected)


def test_all_steps_and_evaluations_are_in_the_sum():
    config = small.config("nowhere", init="random", outer_steps=1000, eval_every=300,
                          eval_networks=200)  # fmt: skip
    told = duration.describe_time(Duration(8.0, 0.1, 2.0, 20, 2), config, 20)
    rows = [" ".join(line.split()) for line in told.splitlines()]
    assert rows[:-1] == [
        "compiling, at the start 8 s",
        "1000 outer steps of 0.1 s, the mean of 20 100 s",
        "4 evaluations on the way, each of 20 networks 80 s",
        "the last one, of 200 networks 3 min",
    ]
    assert rows[-1].startswith(f"time: about {(8 + 100 + 80 + 200) / 60:.0f} min, if")
