"""Whole runs in small: what a folder holds, and how a run is stopped."""

import dataclasses
import json
import os
import signal

import numpy as np
import pytest
import small
import tensorflow as tf

from tf_distill.common.errors import Interrupted, UserError
from tf_distill.config import Config
from tf_distill.core import evaluate
from tf_distill.core.learner import fixed_network
from tf_distill.core.nonfinite import Guard
from tf_distill.export import load
from tf_distill.runs import experiment
from tf_distill.runs.run import Run, named_run, recall

pytestmark = pytest.mark.usefixtures("tiny")
KEYS = {
    "dataset", "model", "init", "labels", "distilled_samples", "steps", "epochs", "outer_steps",
    "seed", "seconds", "test_examples", "accuracy", "accuracy_before", "tensorflow", "keras",
}  # fmt: skip
RANDOM = {
    "init": "random", "labels": "hard", "networks": 2, "eval_networks": 3, "steps": 2,
    "samples_per_step": 2, "eval_split": "held_out",
}  # fmt: skip
ON_THE_WAY = 2


@pytest.fixture
def whole(text_run):
    """The configuration of a run from beginning to end, and its results."""
    return of_folder(text_run)


def of_folder(folder):
    config, results = (
        json.loads((folder / f"{name}.json").read_text()) for name in ("config", "results")
    )
    return Config(**config), results


def loaded(config):
    return load(config.run_dir)


def learned(config) -> list[bytes]:
    """The bits of x, y and lr in a run's folder."""
    return [v.numpy().tobytes() for v in loaded(config).samples]


def metrics(config) -> list[dict]:
    with open(f"{config.run_dir}/metrics.jsonl", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    ("kind", "samples", "test_examples", "drawn"),
    [
        ("text", 3, 195, {"embeddings.png", "sentences.txt"}),
        ("image", 10, 360, {"images.png"}),
        pytest.param("random", 4, 58, {"embeddings.png", "sentences.txt"}, marks=pytest.mark.long),
    ],
)
def test_a_run_leaves_its_folder(
    text_run, image_run, tmp_path, monkeypatch, kind, samples, test_examples, drawn
):
    folder = {"text": text_run, "image": image_run, "random": tmp_path / "run"}[kind]
    if kind == "random":
        monkeypatch.setitem(experiment.NETWORKS_ON_THE_WAY, "replay", ON_THE_WAY)
        told = small.carry_out(small.config(folder, **RANDOM))
        assert json.loads((folder / "results.json").read_text()) == told
    config, results = of_folder(folder)
    assert results.keys() >= KEYS
    assert results["distilled_samples"] == samples
    assert results["test_examples"] == test_examples
    for name, most in (("accuracy", 200), ("accuracy_before", ON_THE_WAY)):
        assert results[name].keys() == {"mean", "std", "networks"}
        assert 0 <= results[name]["mean"] <= 1
        assert results[name]["networks"] == min(config.eval_networks, most)
    assert {p.name for p in (folder / "figures").iterdir()} == drawn | {
        "history.png", "labels.png", "learning_rates.png", "confusion.png"
    }  # fmt: skip
    assert (folder / "report.html").exists()
    lines = metrics(config)
    steps = range(1, config.outer_steps + 1)
    assert [m["step"] for m in lines] == [*steps]
    assert [m["step"] for m in lines if "accuracy" in m] == [*steps][:: -config.eval_every][::-1]
    if config.init == "fixed":
        assert lines[-1]["accuracy"] == results["accuracy"]["mean"]
    evaluated = [m for m in lines if "accuracy" in m]
    for name, values in results["evaluations"].items():
        assert values == [m[name] for m in evaluated]
    assert results["evaluations"]["seconds"][-1] <= results["seconds"]
    assert not [p for p in folder.rglob("*") if p.name.endswith(".part")]
    assert loaded(config).samples.x.shape[:2] == (config.steps, config.samples_per_step)
    assert bool(loaded(config).initial_weights) == (config.init == "fixed")
    assert results["learned_lr"] == loaded(config).samples.lr.numpy().tolist()


def test_a_run_learns_and_keeps_the_best_set_on_held_out_data(tmp_path):
    settings = {"outer_steps": 24, "eval_every": 1, "outer_lr": 0.2, "keep": "best"}
    config = small.config(tmp_path, **settings, model="tiny", batch_size=10**5, inner_lr=0.1)
    results = small.carry_out(config)
    assert results["accuracy"]["mean"] > results["accuracy_before"]["mean"] + 0.3
    accuracies = [line["accuracy"] for line in metrics(config)]
    assert len(set(accuracies)) > 1
    assert accuracies[results["kept_step"] - 1] == max(accuracies)
    assert max(accuracies) not in accuracies[results["kept_step"] :]
    examples = len(named_run(config).dataset.y_train)
    assert results["batch_size"] == examples - round(examples / 10)


def test_the_same_command_twice_gives_the_same_results_and_leaves_the_folder(whole, capsys):
    config, first = whole
    folder = named_run(config).files.path
    times = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}
    assert small.carry_out(config) == first
    assert "is finished" in capsys.readouterr().out
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()} == times


def test_a_run_that_was_stopped_in_a_step_ends_like_one_that_was_not(tmp_path, whole, monkeypatch):
    config = dataclasses.replace(whole[0], run_dir=str(tmp_path / "stopped"))
    check = Guard.check

    def kill(guard, step, *more):
        check(guard, step, *more)
        if step == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    with monkeypatch.context() as patched:
        patched.setattr(Guard, "check", kill)
        with pytest.raises(Interrupted, match="stopped after outer step 1"):
            small.carry_out(config)
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert not named_run(config).files.read("results.json")
    small.carry_out(config)
    assert learned(config) == learned(whole[0])
    assert small.timeless(metrics(config)) == small.timeless(metrics(whole[0]))


def test_a_signal_ends_an_evaluation_at_once(tmp_path, monkeypatch):
    shown = []

    def kill(*arguments):
        for network in evaluate.test_networks(*arguments):
            shown.append(network)
            os.kill(os.getpid(), signal.SIGINT)
            yield network

    monkeypatch.setattr(experiment, "test_networks", kill)
    config = small.config(tmp_path, model="tiny", init="random", eval_networks=2)
    with pytest.raises(KeyboardInterrupt):
        small.carry_out(config)
    assert len(shown) == 1


def test_sentences_are_their_nearest_words_with_all_labels(whole):
    run, samples = named_run(whole[0]), loaded(whole[0]).samples
    lines = (run.files.path / "figures" / "sentences.txt").read_text().splitlines()
    heads, decoded = lines[::3], lines[1::3]
    assert [h.split(":")[0] for h in heads] == [f"step 1, sentence {j}" for j in (1, 2, 3)]
    for line, words, x, y in zip(heads, decoded, samples.x[0], samples.y[0], strict=True):
        assert words.split() == run.dataset.encoding.decode(x.numpy())
        for name, value in zip(run.dataset.classes, y.numpy(), strict=True):
            assert f"{name} {value:+.2f}" in line


def test_the_exported_set_trains_the_network_to_the_accuracy_of_the_run(whole):
    config, results = whole
    run = named_run(config)
    model = loaded(config).train(run.choice.build())
    logits = model(run.dataset.encoding(tf.constant(run.dataset.x_test)))
    accuracy = np.mean(np.argmax(logits, 1) == run.dataset.y_test)
    assert accuracy == pytest.approx(results["accuracy"]["mean"], abs=1e-9)


def test_the_exported_weights_are_the_fixed_network(whole):
    config, _ = whole
    own = fixed_network(named_run(config).learner, config.seed)
    for a, b in zip(loaded(config).initial_weights, own, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dataset", ["digits", "toy_questions"])
def test_word_vectors_are_refused_where_there_are_none_but_not_of_an_earlier_run(tmp_path, dataset):
    config = small.config(tmp_path, dataset=dataset)
    with pytest.raises(UserError, match=f"embeddings=train is not for dataset={dataset}, expected"):
        small.config(tmp_path, dataset=dataset, embeddings="train")
    earlier = dataclasses.replace(config, embeddings="train")
    small.begun(earlier)
    assert recall({"run_dir": str(tmp_path)}) == earlier


def test_a_run_that_another_process_has_begun_meanwhile_is_not_taken(tmp_path, monkeypatch):
    config = small.config(tmp_path / "run", model="tiny")
    check = Run.check

    def begin(run):
        check(run)
        small.begun(config)

    monkeypatch.setattr(Run, "check", begin)
    with pytest.raises(UserError, match=r"another process changed .* during start-up; run"):
        small.carry_out(config)
    assert not named_run(config).files.read("results.json")
