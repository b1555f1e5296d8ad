"""The commit and the memory of a run."""

import re
import subprocess

import numpy as np
import pytest
import small
import tensorflow as tf
from places import case

from tf_distill.common import machine
from tf_distill.core import Accuracy, Evaluated
from tf_distill.datasets import from_csv
from tf_distill.runs import experiment, results


def test_the_commit_is_that_of_a_checkout_or_none(monkeypatch, tmp_path):
    found = results.commit()
    assert found is None or re.fullmatch(r"[0-9a-f]{7,}\+?", found)
    monkeypatch.setattr(results, "__file__", str(tmp_path / "tf_distill" / "runs" / "results.py"))
    assert results.commit() is None


def test_an_accuracy_that_needs_no_learning_is_told_as_one():
    data = from_csv(case("tables", "imbalanced.csv"))
    always = Evaluated(Accuracy(80 / 81, 0.0, 2), np.zeros((2, len(data.y_test)), np.int32))
    config = small.config("nowhere", init="random", eval_networks=2)
    state = experiment.new_distillation(config, data, small.learner())
    found = results.summarize(config, data, state, always.accuracy, always)
    first, second, *_ = results.describe_results(found, config).splitlines()
    assert first.startswith(
        "accuracy 0.9877 +- 0.0000 over 2 networks on 81 test examples "
        "(untrained: 0.9877, always '0': 0.9877), "
    )
    assert second == "never predicted: class '1'"


def test_peak_memory_grows_with_what_is_held():
    before = results.peak_memory()
    if before is None:
        pytest.skip("the system does not tell")
    held = np.ones((before * 2**20 - machine.resident()) // 8 + 2**23)  # to the peak, and 64 MB
    assert results.peak_memory() >= before + 50
    assert held.size


def test_the_device_is_the_first_gpu_in_use_or_the_cpu(monkeypatch):
    assert (results.device() == "CPU") != bool(tf.config.list_logical_devices("GPU"))
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["gpu"])
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["GPU:0"])
    details = {"device_name": "NVIDIA H100"}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    assert results.device() == "NVIDIA H100"


def test_the_commit_stays_what_it_was_when_first_asked(monkeypatch, tmp_path):
    def git(*arguments):
        who = ("-c", "user.name=n", "-c", "user.email=e@example.org")
        subprocess.run(["git", "-C", tmp_path, *who, *arguments], check=True, capture_output=True)

    git("init")
    git("commit", "--allow-empty", "-m", "one")
    monkeypatch.setattr(results, "__file__", str(tmp_path / "tf_distill" / "runs" / "results.py"))
    first = results.commit()
    git("commit", "--allow-empty", "-m", "two")
    assert results.commit() == first
    assert first


def test_a_loss_that_stays_that_of_guessing_is_told_with_what_to_change(tmp_path):
    data = small.dataset()  # three classes alike
    config = small.config(tmp_path, outer_steps=300, inner_lr=0.01)
    line = results.still_guessing([2.0] * 10 + [1.09] * 20, data, config)
    assert "after 30 of 300 outer steps the loss is still that of guessing (1.090," in line
    assert "sample_init=real, inner_lr=0.05 or inner_lr=0.002" in line
    assert not results.still_guessing([1.09] * 10 + [1.0] * 20, data, config)
    assert not results.still_guessing([1.09] * 5, data, config)
