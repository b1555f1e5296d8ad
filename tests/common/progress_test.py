"""What a person sees, on a terminal and elsewhere."""

import functools
import os
import sys

import pytest

from tf_distill.common import progress
from tf_distill.common.progress import Progress

STEPS = [(1, 2.0), (2, 1.5), (3, 1.25)]


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by 20 seconds each time that it is read."""
    now = [0.0]

    def tick():
        now[0] += 20.0
        return now[0]

    monkeypatch.setattr(progress.time, "monotonic", tick)


def test_elsewhere_a_line_now_and_then_with_the_newest_accuracy(capsys, clock):
    bar = Progress(4, 0)
    for step, _ in bar.steps([*STEPS, (4, 1.0)]):
        if step == 2:
            bar.accuracy(0.5)
    assert capsys.readouterr().out.splitlines() == [
        "outer step 2 of 4: loss 1.5000, accuracy 0.5000",
        "outer step 4 of 4: loss 1.0000, accuracy 0.5000",
    ]


def terminal(monkeypatch):
    """Has 80 columns, and draws a bar at each step, however quick it is."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setattr(progress.tqdm, "__init__", functools.partialmethod(
        progress.tqdm.__init__, mininterval=0))  # fmt: skip


def test_a_terminal_has_a_bar_that_goes_on_where_the_run_does(capsys, monkeypatch):
    terminal(monkeypatch)
    bar = Progress(10_005, 10_002)
    for step, _ in bar.steps([(10_002 + step, loss) for step, loss in STEPS]):
        if step == 10_004:
            bar.accuracy(0.689)
    out, err = capsys.readouterr()
    assert out == "outer step 10004 of 10005: loss 1.5000, accuracy 0.6890\n"
    last = err.rstrip().splitlines()[-1].split("\r")[-1]
    assert last.count("\u2588") > 5
    assert last.startswith("distilling |")
    assert last.endswith("| 10005/10005 [00:00<00:00], loss 1.25, acc 68.9%")
    assert len(last) <= 80


def states(err):
    """The states of a bar one after the other; nothing of it is left in the end."""
    assert err.endswith("\r")
    return [text.strip() for text in err.split("\r") if text.strip()]


def test_a_terminal_sees_how_many_items_are_done_and_which_one_is_not(capsys, monkeypatch):
    terminal(monkeypatch)
    assert list(progress.counted("abc", 3, "tested {} of {} letters")) == list("abc")
    out, err = capsys.readouterr()
    assert out == ""
    shown = [text[: text.index(" [")] for text in states(err)]
    assert shown == [f"tested {n} of 3 letters" for n in range(4)]
    for letter in progress.named("ab", "measured {} of {} letters", str.upper):
        progress.say(f"{letter} is done")
    out, err = capsys.readouterr()
    assert out == "a is done\nb is done\n"
    for n, letter in enumerate("AB"):
        begin, end = f"measured {n} of 2 letters [", f", now {letter}"
        assert any(text.startswith(begin) and text.endswith(end) for text in states(err))


def test_without_a_terminal_items_are_counted_now_and_then(capsys, request):
    assert list(progress.counted("abc", 3, "{} of {}")) == list("abc")  # quick
    progress.say(os.fsdecode(b"folder \xff"))  # a name of bytes that are no text
    assert capsys.readouterr().out == "folder ?\n"
    request.getfixturevalue("clock")
    assert list(progress.counted("abcde", 5, "{} of {} letters")) == list("abcde")
    assert list(progress.named("abcde", "measured {} of {} letters")) == list("abcde")
    assert capsys.readouterr().out == "1 of 5 letters\n3 of 5 letters\n"
