"""Numbers in words."""

import pytest

from tf_distill.common import wording


@pytest.mark.parametrize(
    ("mean", "std", "networks", "expected"),
    [(0.96754, 0.0, 1, "96.75"), (0.5, 0.0123, 20, "50.00 ± 1.23"), (1.0, 0.0, 2, "100.00 ± 0.00")],
)
def test_spread_has_a_deviation_where_several_networks_were_trained(mean, std, networks, expected):
    assert wording.spread(mean, std, networks) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(None, ""), (0.4, "0 s"), (119, "119 s"), (150, "2 min")]
)
def test_minutes(seconds, expected):
    assert wording.minutes(seconds) == expected
    assert wording.percent(None) == ""
    assert wording.percent(0.5, 1) == "50.0"


def test_one_of_a_kind_is_one():
    told = [wording.count(n, "class", "classes") for n in (0, 1, 2)]
    assert told == ["0 classes", "1 class", "2 classes"]
    assert wording.size_of_set((1, 3, 5), 2) == "3 samples of (5,) in 1 step, 2 epochs"
    assert wording.size_of_set((2, 3, 4, 4), 2) == "6 samples of (4, 4) in 2 steps, 1 epoch"


def test_a_part_is_told_only_where_something_is_left_out():
    assert wording.shown_part(10, 12, "steps") == "the first 10 of 12 steps"
    assert wording.shown_part(12, 12, "steps") == wording.shown_part(20, 12, "steps") == ""


def test_full_training_tells_what_is_known_of_it():
    settings = {"lr": 0.001, "batch_size": 64, "dropout": 0.5, "weight_decay": 2.0}
    assert wording.full_training({"settings": settings, "epochs": 20.0}) == (
        "Adam from 0.001, batches of 64, 20 epochs, dropout 0.5, weight decay 2"
    )
    of_old = {"lr": 0.001, "batch_size": 64, "dropout": 0.0}
    assert wording.full_training({"settings": of_old}) == "Adam from 0.001, batches of 64"
    assert wording.full_training({}) == ""
