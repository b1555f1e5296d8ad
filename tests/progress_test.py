"""What a person sees, on a terminal and elsewhere."""

import sys

import pytest

from tf_distill import progress
from tf_distill.progress import Progress

STEPS = [(1, 2.0), (2, 1.5), (3, 1.25)]


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by 20 seconds each time that it is read."""
    now = [0.0]

    def tick():
        now[0] += 20.0
        return now[0]

    monkeypatch.setattr(progress.time, "monotonic", tick)


def test_elsewhere_a_line_at_the_end(capsys):
    assert list(Progress(3, 0).steps(STEPS)) == STEPS
    out, err = capsys.readouterr()
    assert (out, err) == ("outer step 3 of 3: loss 1.2500\n", "")


def test_elsewhere_a_line_now_and_then_with_the_newest_accuracy(capsys, clock):
    bar = Progress(4, 0)
    for step, _ in bar.steps([*STEPS, (4, 1.0)]):
        if step == 2:
            bar.accuracy(0.5)
    assert capsys.readouterr().out.splitlines() == [
        "outer step 2 of 4: loss 1.5000, accuracy 0.5000",
        "outer step 4 of 4: loss 1.0000, accuracy 0.5000",
    ]


def test_a_terminal_has_a_bar_that_goes_on_where_the_run_does(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    bar = Progress(5, 2)
    for _ in bar.steps(STEPS):
        bar.accuracy(0.75)
    out, err = capsys.readouterr()
    assert out == ""
    last = err.rstrip().splitlines()[-1].split("\r")[-1]
    assert "5/5" in last
    assert "100%" in last
    assert "loss=1.2500" in last
    assert "accuracy=0.7500" in last


def test_say_prints_a_line(capsys):
    progress.say("hello")
    assert capsys.readouterr().out == "hello\n"


def test_counted_passes_all_on_and_says_how_many_are_done(capsys, clock):
    assert list(progress.counted("abcde", 5, "{} of {} letters")) == list("abcde")
    assert capsys.readouterr().out == "1 of 5 letters\n3 of 5 letters\n"


def test_counted_is_silent_where_it_is_quick(capsys):
    assert list(progress.counted("abc", 3, "{} of {}")) == list("abc")
    assert capsys.readouterr().out == ""
