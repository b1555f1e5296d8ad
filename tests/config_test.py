"""Settings: defaults by dataset and network, and what is refused."""

import dataclasses
import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from tf_distill.common.errors import UserError
from tf_distill.config import (
    AT_LEAST_ONE,
    CHOICES,
    PLACES,
    POSITIVE,
    TRUTH,
    WHOLE,
    Config,
    plain_numbers,
    shortest_command,
)
from tf_distill.datasets import DATASETS
from tf_distill.networks.registry import NETWORKS
from tf_distill.runs import run


def configure(**given) -> Config:
    return run.configure(given)


def test_nothing_given_is_digits_with_lenet():
    config = configure()
    assert (config.dataset, config.model, config.init, config.labels) == (
        "digits",
        "lenet",
        "fixed",
        "soft",
    )
    assert (config.samples_per_step, config.steps, config.networks) == (10, 1, 1)
    assert config.run_dir == str(Path("runs", "digits_lenet"))


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_every_dataset_has_complete_defaults(name):
    config, entry = configure(dataset=name), DATASETS[name]
    assert config.model == entry.model
    assert config.samples_per_step == entry.classes
    for init in ("fixed", "random"):
        config = configure(dataset=name, init=init)
        for setting, value in getattr(NETWORKS[entry.model].defaults, init)._asdict().items():
            assert getattr(config, setting) == value
    assert config.run_dir == str(Path("runs", f"{name}_{entry.model}"))


def test_random_initialization_is_evaluated_over_many_networks():
    config = configure(init="random")
    assert (config.networks, config.eval_networks) == (1, 200)


def test_evaluates_ten_times_by_default_and_at_least_every_step():
    assert configure(outer_steps=250).eval_every == 25
    assert configure(outer_steps=7).eval_every == 1


def test_what_is_given_wins_and_none_is_the_default():
    config = configure(steps=3, inner_lr=0.7, epochs=None)
    assert (config.steps, config.inner_lr) == (3, 0.7)
    assert config.epochs == NETWORKS["lenet"].defaults.fixed.epochs


def test_data_dir_follows_the_environment(monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", "somewhere")
    assert configure().data_dir == "somewhere"
    monkeypatch.delenv("TFDS_DATA_DIR")
    assert configure().data_dir == str(Path.home() / "tensorflow_datasets")


BAD = [
    *(({name: "no"}, f"--{name} must be True or False, got 'no'") for name in TRUTH),
    *(({name: 0}, f"--{name} must be at least 1, got 0") for name in AT_LEAST_ONE),
    *(({name: 0.0}, f"--{name} must be above 0 and finite, got 0.0") for name in POSITIVE),
    *(({name: float("nan")}, f"--{name} must be above 0") for name in POSITIVE),
    *(({name: float("inf")}, f"--{name} must be above 0") for name in POSITIVE),
    *(({name: "fixd"}, f"unknown --{name} 'fixd'") for name in CHOICES),
    *(({name: True}, f"--{name} must be a whole number, got True") for name in WHOLE),
    *(({name: False}, f"--{name} must be a number, got False") for name in POSITIVE),
    *(({name: 10**400}, f"--{name} must be above 0 and finite, got 1000") for name in POSITIVE),
    ({"seed": np.int64(-1)}, "--seed must be at least 0 and below 2147483648, got np.int64(-1)"),
    ({"steps": -2}, "--steps must be at least 1, got -2"),
    ({"outer_momentum": 1.0}, "--outer_momentum must be at least 0 and below 1, got 1.0"),
    ({"seed": -1}, "--seed must be at least 0 and below 2147483648, got -1"),
    ({"seed": 2**31}, "--seed must be at least 0 and below 2147483648, got 2147483648"),
    ({"seed": 10**400}, "--seed must be at least 0 and below 2147483648, got 1000"),
    ({"outer_steps": -1, "inner_lr": -1.0}, "--inner_lr must be above 0"),  # in their order
    ({"labels": "hard", "label_init": "random"}, "--label_init must be one_hot, got random"),
    ({"early_stopping": 3}, "asks for --keep=best, got --early_stopping=3 --keep=last"),
    ({"early_stopping": 0, "keep": "best"}, "--early_stopping must be at least 1"),
    ({"networks": 2}, "--init=fixed has one network, got --networks=2"),
    ({"eval_networks": 5}, "--eval_networks=5; use --init=random"),
    ({"dataset": "minst"}, "unknown dataset 'minst'; did you mean mnist?"),
    ({"model": "lnet"}, "unknown --model 'lnet'; did you mean lenet"),
    (
        {"model": "bilstm"},
        "--model=bilstm takes texts, but --dataset=digits has images; "
        "use one of alexcifarnet, lenet",
    ),
    (
        {"dataset": "trec6", "model": "lenet"},
        "--model=lenet takes images, but --dataset=trec6 has texts; "
        "use one of bilstm, birnn, textconvnet",
    ),
]


@pytest.mark.parametrize(("given", "text"), BAD, ids=str)
def test_refuses_in_one_line(given, text):
    of_a_run = given.keys() <= {field.name for field in dataclasses.fields(Config)}
    with pytest.raises(UserError) as error:  # others are of a comparison, or of full training
        configure(**given) if of_a_run else plain_numbers(given)
    assert text in str(error.value)
    assert "\n" not in str(error.value)


def test_json_holds_every_setting():
    config = configure(steps=np.int64(3), inner_lr=np.float32(0.5), outer_lr=1)
    assert (type(config.steps), type(config.inner_lr), type(config.outer_lr)) == (int, float, float)
    assert Config(**json.loads(config.to_json())) == config


def test_difference_names_what_changed_and_no_places():
    config = configure(steps=3)
    there = dataclasses.asdict(config)
    assert config.difference(there) == []
    moved = {**there, **dict.fromkeys(PLACES, "elsewhere")}
    assert config.difference(moved) == []
    changed = {**there, "steps": 2, "labels": "hard"}
    assert sorted(config.difference(changed)) == [
        "--labels was 'hard', now 'soft'",
        "--steps was 2, now 3",
    ]
    shorter = {**there, "outer_steps": 7, "eval_every": 1}
    assert config.difference(shorter) == [f"--outer_steps was 7, now {config.outer_steps}"]
    assert config.difference({**there, "eval_every": 1}) == [
        f"--eval_every was 1, now {config.eval_every}"
    ]
    del changed["steps"]
    assert "--steps was None, now 3" in config.difference(changed)


@pytest.mark.parametrize(
    ("given", "flags"),
    [
        ({}, ""),
        ({"init": "random"}, " --init=random"),
        ({"steps": 3, "seed": 5, "run_dir": "x"}, " --steps=3 --seed=5"),
        ({"outer_steps": 50, "networks": 9, "init": "random"},
         " --init=random --outer_steps=50 --networks=9"),
    ],
)  # fmt: skip
def test_the_command_has_what_differs_from_the_defaults_and_gives_the_settings_back(given, flags):
    config = configure(**given)
    text = shortest_command(dataclasses.asdict(config), DATASETS, NETWORKS)
    assert text == "python -m tf_distill.main --dataset=digits --model=lenet" + flags
    words = [word[2:].split("=") for word in shlex.split(text)[3:]]
    kinds = {f.name: f.type for f in dataclasses.fields(Config)}
    back = configure(**{k: int(v) if kinds[k] is int else v for k, v in words})
    assert config.difference(dataclasses.asdict(back)) == []


def test_the_command_is_quoted_where_a_shell_asks_for_it():
    settings = {**dataclasses.asdict(configure()), "embeddings": "a b.txt"}
    assert shortest_command(settings, DATASETS, NETWORKS).endswith(" '--embeddings=a b.txt'")


def test_the_command_of_an_unknown_network_names_every_setting():
    settings = {**dataclasses.asdict(configure()), "model": "gone"}
    text = shortest_command(settings, DATASETS, NETWORKS)
    empty = {name for name, value in settings.items() if value is None}
    named = {w[2:].split("=")[0] for w in text.split()[3:]}
    assert set(settings) - set(PLACES) == named | empty
