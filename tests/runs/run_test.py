"""Whole runs in small: what a folder holds, and that a run goes on where it was stopped."""

import dataclasses
import json
import os
import signal

import numpy as np
import pytest
import small
import tensorflow as tf

from tf_distill.common.errors import Diverged, Interrupted, UserError
from tf_distill.core import evaluate
from tf_distill.core.learner import fixed_network
from tf_distill.export import distilled_set
from tf_distill.runs import experiment, run

pytestmark = pytest.mark.usefixtures("undrawn")
KEYS = {
    "dataset", "model", "init", "labels", "distilled_samples", "steps", "epochs", "outer_steps",
    "seed", "seconds", "test_examples", "accuracy", "accuracy_before", "tensorflow", "keras",
}  # fmt: skip
RUNS = [
    ({"dataset": "digits"}, 10, 360, {"images.png"}),
    ({"dataset": "toy_questions"}, 3, 195, {"embeddings.png", "sentences.txt"}),
    (
        {"dataset": "toy_questions", "init": "random", "labels": "hard", "networks": 2,
         "eval_networks": 3, "steps": 2, "samples_per_step": 2, "eval_split": "held_out"},
        4, 58, {"embeddings.png", "sentences.txt"},
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run from beginning to end, its configuration and its results."""
    folder = tmp_path_factory.mktemp("whole")
    config = small.config(folder)
    return folder, config, run.run(config)


def learned(path) -> list[bytes]:
    """The bits of x, y and lr in a run's folder."""
    return [v.numpy().tobytes() for v in distilled_set.load(path / "distilled" / "1").samples]


@pytest.mark.draws
@pytest.mark.parametrize(("settings", "samples", "test_examples", "drawn"), RUNS)
def test_a_run_leaves_its_folder(tmp_path, settings, samples, test_examples, drawn):
    config = small.config(tmp_path / "run", **settings)
    results = run.run(config)
    folder = tmp_path / "run"
    assert json.loads((folder / "results.json").read_text()) == results
    assert results.keys() >= KEYS
    assert results["distilled_samples"] == samples
    assert results["test_examples"] == test_examples
    for name in ("accuracy", "accuracy_before"):
        assert results[name].keys() == {"mean", "std", "networks"}
        assert 0 <= results[name]["mean"] <= 1
        assert results[name]["networks"] == config.eval_networks
    assert {p.name for p in (folder / "figures").iterdir()} == drawn | {
        "history.png", "labels.png", "learning_rates.png"
    }  # fmt: skip
    assert (folder / "report.html").exists()
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [m["step"] for m in metrics] == [1, 2, 3, 4]
    assert [m["step"] for m in metrics if "accuracy" in m] == [2, 4]
    assert metrics[-1]["accuracy"] == results["accuracy"]["mean"]
    assert not [p for p in folder.rglob("*") if p.name.endswith(".part")]
    loaded = distilled_set.load(folder / "distilled" / "1")
    assert loaded.samples.x.shape[:2] == (config.steps, config.samples_per_step)
    assert bool(loaded.initial_weights) == (config.init == "fixed")
    assert results["learned_lr"] == loaded.samples.lr.numpy().tolist()


def test_results_tell_the_batch_as_it_was(tmp_path):
    config = small.config(tmp_path, batch_size=10**5, keep="best")
    examples = len(run.load_dataset(config).y_train)
    assert run.run(config)["batch_size"] == examples - round(examples / 10)


def test_only_the_result_takes_all_networks(tmp_path, monkeypatch):
    monkeypatch.setattr(experiment, "NETWORKS_ON_THE_WAY", 1)
    results = run.run(small.config(tmp_path, init="random", networks=1, eval_networks=2))
    assert results["accuracy"]["networks"] == 2
    assert results["accuracy_before"]["networks"] == 1


def test_a_run_learns(tmp_path):
    settings = {"outer_steps": 40, "eval_every": 40, "batch_size": 256, "inner_lr": 0.1}
    results = run.run(small.config(tmp_path, **settings))
    assert results["accuracy"]["mean"] > results["accuracy_before"]["mean"] + 0.3


def test_the_best_set_on_held_out_data_is_kept(tmp_path):
    settings = {"outer_steps": 8, "eval_every": 1, "outer_lr": 0.5, "keep": "best"}
    config = small.config(tmp_path, **settings)
    results = run.run(config)
    lines = (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    accuracies = [json.loads(line)["accuracy"] for line in lines]
    assert len(set(accuracies)) > 1
    assert accuracies[results["kept_step"] - 1] == max(accuracies)
    assert max(accuracies) not in accuracies[results["kept_step"] :]


def test_the_same_command_twice_gives_the_same_results_and_leaves_the_folder(whole, capsys):
    folder, config, first = whole
    times = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}
    assert run.run(config) == first
    assert "is finished" in capsys.readouterr().out
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()} == times


def test_two_runs_have_the_same_bits_and_another_seed_others(tmp_path, whole):
    for seed in (0, 1):
        run.run(small.config(tmp_path / str(seed), seed=seed))
    a, b, c = (learned(path) for path in (whole[0], tmp_path / "0", tmp_path / "1"))
    assert a == b
    assert all(one != other for one, other in zip(a, c, strict=True))


def check_same(folder, other):
    """Two runs have learned the same bits, and had the same losses and accuracies on the way."""
    assert learned(folder) == learned(other)
    assert (folder / "metrics.jsonl").read_text() == (other / "metrics.jsonl").read_text()


@pytest.mark.parametrize(("number", "stop"), [(signal.SIGINT, 1), (signal.SIGTERM, 3)])
def test_a_run_that_was_stopped_ends_like_one_that_was_not(
    tmp_path, whole, monkeypatch, number, stop
):
    config = small.config(tmp_path / "stopped")
    recover = experiment.recover

    def kill(guard, step, config):
        recover(guard, step, config)
        if step == stop:
            os.kill(os.getpid(), number)

    handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    with monkeypatch.context() as patched:
        patched.setattr(experiment, "recover", kill)
        with pytest.raises(Interrupted, match=f"stopped after outer step {stop}"):
            run.run(config)
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert not (tmp_path / "stopped" / "results.json").exists()
    run.run(config)
    check_same(tmp_path / "stopped", whole[0])


def test_a_run_that_was_stopped_in_an_evaluation_ends_like_one_that_was_not(
    tmp_path, whole, monkeypatch
):
    config = small.config(tmp_path / "stopped")
    shown = []

    def kill(networks):
        for network in networks:
            shown.append(network)
            if len(shown) == 2:  # in the second evaluation on the way
                os.kill(os.getpid(), signal.SIGTERM)
            yield network

    with monkeypatch.context() as patched:
        patched.setattr(
            experiment, "test_networks", lambda *args: kill(evaluate.test_networks(*args))
        )
        with pytest.raises(KeyboardInterrupt):
            run.run(config)
    assert len(shown) == 2
    run.run(config)
    check_same(tmp_path / "stopped", whole[0])


def test_a_crash_between_checkpoints_is_made_up_for(tmp_path, whole, monkeypatch):
    config = small.config(tmp_path / "crashed")

    def crash(guard, step, config):
        if step == 4:  # the last checkpoint is that of step 2
            raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(experiment, "recover", crash)
        with pytest.raises(MemoryError):
            run.run(config)
    run.run(config)
    assert learned(tmp_path / "crashed") == learned(whole[0])
    metrics = (tmp_path / "crashed" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in metrics] == [1, 2, 3, 4]


def test_a_loss_that_is_no_number_ends_the_run_and_says_what_to_lower(tmp_path):
    with pytest.raises(Diverged, match=r"outer step 4, .*; lower --inner_lr") as error:
        run.run(small.config(tmp_path, inner_lr=1e38, epochs=5))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "results.json").exists()


def test_sentences_are_their_nearest_words_with_all_labels(whole):
    folder, config, _ = whole
    dataset = run.load_dataset(config)
    samples = distilled_set.load(folder / "distilled" / "1").samples
    lines = (folder / "figures" / "sentences.txt").read_text().splitlines()
    heads, decoded = lines[::3], lines[1::3]
    assert [h.split(":")[0] for h in heads] == [f"step 1, sentence {j}" for j in (1, 2, 3)]
    for line, words, x, y in zip(heads, decoded, samples.x[0], samples.y[0], strict=True):
        assert words.split() == dataset.encoding.decode(x.numpy())
        for name, value in zip(dataset.classes, y.numpy(), strict=True):
            assert f"{name} {value:+.2f}" in line


def test_the_exported_set_trains_the_network_to_the_accuracy_of_the_run(whole):
    folder, config, results = whole
    dataset = run.load_dataset(config)
    model = run.NETWORKS[config.model].build(dataset.encoding.shape, dataset.outputs)
    distilled_set.load(folder / "distilled" / "1").train(model)
    logits = model(dataset.encoding(tf.constant(dataset.x_test)))
    accuracy = np.mean(np.argmax(logits, 1) == dataset.y_test)
    assert accuracy == pytest.approx(results["accuracy"]["mean"], abs=1e-9)


def test_the_exported_weights_are_the_fixed_network(whole):
    folder, config, _ = whole
    dataset = run.load_dataset(config)
    learner = run.Learner(run.NETWORKS[config.model].build(dataset.encoding.shape, dataset.outputs))
    exported = distilled_set.load(folder / "distilled" / "1").initial_weights
    for a, b in zip(exported, fixed_network(learner, config.seed), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dataset", ["digits", "toy_questions"])
def test_word_vectors_are_refused_where_there_are_none_but_not_of_an_earlier_run(tmp_path, dataset):
    config = small.config(tmp_path, dataset=dataset)
    with pytest.raises(UserError, match=f"--embeddings is not for --dataset={dataset}, expected"):
        small.config(tmp_path, dataset=dataset, embeddings="train")
    earlier = dataclasses.replace(config, embeddings="train")
    small.begun(config)
    (tmp_path / "config.json").write_text(earlier.to_json())
    assert run.recall({"run_dir": str(tmp_path)}) == earlier


def test_a_run_that_another_process_has_begun_meanwhile_is_not_taken(tmp_path, monkeypatch):
    config = small.config(tmp_path / "run")
    monkeypatch.setattr(experiment.Experiment, "check", lambda _: small.begun(config))
    with pytest.raises(UserError, match="another process has been at work in"):
        run.run(config)
