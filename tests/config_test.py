"""Settings: defaults by dataset and network, and what is refused."""

import dataclasses
import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from tf_distill.common.errors import UserError
from tf_distill.config import (
    CHOICES,
    COUNT,
    LARGEST,
    LIMITS,
    PLACES,
    POSITIVE,
    TRUTH,
    Config,
    plain_numbers,
    shortest_command,
)
from tf_distill.datasets import DATASETS
from tf_distill.networks.registry import NETWORKS
from tf_distill.runs import run

COUNTS = [name for name, limit in LIMITS.items() if limit is COUNT]
RATES = [name for name, limit in LIMITS.items() if limit is POSITIVE]
WHOLE = [name for name, limit in LIMITS.items() if limit.kind is int]
A_COUNT = f"expected a whole number from 1 to {LARGEST}"
A_SEED = f"expected a whole number from 0 to {LARGEST}"
A_RATE = "expected a finite number above 0"


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
            assert value is None or getattr(config, setting) == value
    assert config.run_dir == str(Path("runs", f"{name}_{entry.model}"))


@pytest.mark.parametrize("name", ["digits", "trec6"])
def test_a_set_for_training_is_larger_for_random_networks_and_has_probabilities(name):
    config, replay = configure(dataset=name, use="training"), configure(dataset=name)
    assert (config.init, config.labels, config.learn) == (
        "random",
        "probabilities",
        "samples,labels",
    )
    assert config.steps == 4
    assert config.steps * config.samples_per_step >= 10 * DATASETS[name].classes
    assert config.batch_size == replay.batch_size
    expected = NETWORKS[config.model].defaults.training._asdict()
    for setting, value in expected.items():
        assert getattr(config, setting) == (200 if value is None else value)
    assert config.window < config.unroll
    assert config.eval_every == config.outer_steps // 10
    for of_replay in (replay, configure(dataset=name, use="replay")):
        assert (of_replay.use, of_replay.init, of_replay.labels) == ("replay", "fixed", "soft")
        assert (of_replay.inner_optimizer, of_replay.unroll, of_replay.window) == (
            "sgd",
            None,
            None,
        )


def test_labels_alone_are_learned_for_samples_of_matching_pursuit():
    assert configure(use="training", steps=10).samples_per_step == 10
    assert configure(use="training", learn="labels").sample_init == "matching_pursuit"
    assert configure(use="training", learn="labels", sample_init="real").sample_init == "real"
    assert configure(learn=" rates, samples").learn == "samples,rates"


def test_what_is_given_wins_and_none_is_the_default():
    config = configure(steps=3.0, inner_lr=0.7, epochs=None)  # as 3e0 is
    assert (config.steps, config.inner_lr) == (3, 0.7)
    assert config.epochs == NETWORKS["lenet"].defaults.fixed.epochs
    assert configure(init="random").eval_networks == 200
    assert [configure(outer_steps=steps).eval_every for steps in (250, 7)] == [25, 1]


def test_data_dir_follows_the_environment(monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", "somewhere")
    assert configure().data_dir == "somewhere"
    monkeypatch.delenv("TFDS_DATA_DIR")
    assert configure().data_dir == str(Path.home() / "tensorflow_datasets")


BAD = [
    *(({name: "no"}, f"{name}='no', expected True or False") for name in TRUTH),
    *(({name: value}, f"{name}={value}, {A_COUNT}") for name in COUNTS for value in (0, True)),
    *(
        ({name: value}, f"{name}={value}, {A_RATE}")
        for name in RATES
        for value in (0.0, float("nan"), float("inf"), False)
    ),
    *(({name: "fixd"}, f"unknown {name} 'fixd'") for name in CHOICES),
    *(({name: 2.5}, f"{name}=2.5, expected a whole number") for name in WHOLE),
    *(({name: 10**400}, f"{name}=1000") for name in (*COUNTS, "seed")),
    ({"seed": np.int64(-1)}, f"seed=np.int64(-1), {A_SEED}"),
    ({"seed": 2**31}, f"seed=2147483648, {A_SEED}"),
    ({"steps": -2}, f"steps=-2, {A_COUNT}"),
    ({"outer_momentum": 1.0}, "outer_momentum=1.0, expected a number from 0 to less than 1"),
    ({"weight_decay": -1}, "weight_decay=-1, expected a finite number from 0 on"),
    ({"outer_steps": -1, "inner_lr": -1.0}, "inner_lr=-1.0, expected"),  # in their order
    *(
        ({name: value}, f"{name}={value} is for use=training, got use=replay; leave one of them")
        for name, value in (("unroll", 9), ("window", 9), ("augment", "shift"))
    ),
    ({"use": "training", "unroll": 5, "window": 6}, "window=6 is longer than the run of unroll=5"),
    ({"use": "training", "init": "fixed"}, "init=fixed makes a set for one network, use=training"),
    ({"use": "training", "labels": "soft"}, "labels=soft is for use=replay, got use=training; "),
    ({"learn": "labels,rate"}, "learn=labels,rate, expected some of samples, labels, rates"),
    (
        {"labels": "hard", "learn": "labels"},
        "labels=hard keeps the labels as they start, got learn",
    ),
    ({"labels": "hard", "label_init": "random"}, "label_init must be one_hot, got random"),
    ({"early_stopping": 3}, "early_stopping=3 asks for keep=best, got keep=last"),
    ({"networks": 2}, "init=fixed has one network, got networks=2"),
    ({"eval_networks": 5}, "eval_networks=5; use init=random"),
    ({"dataset": "minst"}, "unknown dataset 'minst'; did you mean mnist?"),
    ({"model": "convnet-0"}, "model=convnet-0, expected convnet-WIDTH or convnet-WIDTH-DEPTH"),
    ({"model": "convnet-64", "dataset": "trec6"}, "model=convnet-64 takes images, but"),
    ({"model": "lnet"}, "unknown model 'lnet'; did you mean lenet"),
    ({"model": "convnet16"}, "did you mean convnet-16 or convnet"),
    (
        {"model": "bilstm"},
        "model=bilstm takes texts, but dataset=digits has images; "
        "use one of alexcifarnet, convnet, convnet-16, lenet",
    ),
    (
        {"dataset": "trec6", "model": "lenet"},
        "model=lenet takes images, but dataset=trec6 has texts; "
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
        "labels=soft (it was hard)",
        "steps=3 (it was 2)",
    ]
    shorter = {**there, "outer_steps": 7, "eval_every": 1}
    assert config.difference(shorter) == [f"outer_steps={config.outer_steps} (it was 7)"]
    assert config.difference({**there, "eval_every": 1}) == [
        f"eval_every={config.eval_every} (it was 1)"
    ]
    del changed["steps"]  # as before there was such a setting
    assert "steps=3 (it was 1)" in config.difference(changed)
    hard = configure(labels="hard")
    before = {name: v for name, v in dataclasses.asdict(hard).items() if name != "learn"}
    assert hard.difference(before) == []


@pytest.mark.parametrize(
    ("given", "flags"),
    [
        ({}, ""),
        ({"init": "random"}, " --init=random"),
        ({"labels": "hard"}, " --labels=hard"),
        ({"use": "training", "steps": 5}, " --use=training --steps=5"),
        ({"use": "training", "learn": "labels", "augment": "shift"},
         " --use=training --learn=labels --augment=shift"),
        ({"start": "/set", "sample_init": "real"}, " --start=/set"),
        ({"steps": 3, "seed": 5, "run_dir": "x"}, " --steps=3 --seed=5"),
        ({"outer_steps": 50, "networks": 9, "init": "random"},
         " --outer_steps=50 --init=random --networks=9"),
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
