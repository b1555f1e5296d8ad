"""A run beside its baselines: what is measured, that it goes on, that test data choose nothing."""

import dataclasses
import functools
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import small

import tf_distill as td
from tf_distill.common.errors import UserError
from tf_distill.config import Protocol
from tf_distill.core.learner import Learner
from tf_distill.evaluation import baselines, comparison, controls, ranking
from tf_distill.evaluation.rows import Subject
from tf_distill.networks import choice, registry
from tf_distill.runs import run
from tf_distill.runs.experiment import new_distillation

PROTOCOL = Protocol(baseline_sets=5, baseline_networks=3, sgd_epochs=3, control_steps=3)
BASELINES = [row.name for row in baselines.ROWS]
CONTROLS = [row.name for row in controls.ROWS]


def tiny(shape, outputs, width=1.0, depth=0, dropout=0.0):
    """A network that compiles at once."""
    layers = keras.layers
    hidden = [layers.Dense(4) for _ in range(depth)]
    return keras.Sequential([keras.Input(shape), layers.Flatten(), *hidden, layers.Dense(outputs)])


@pytest.fixture(scope="module", autouse=True)
def small_work():
    """A small network beside one of the registry, and full training in two epochs."""
    with pytest.MonkeyPatch.context() as patch:
        textconvnet = registry.NETWORKS["textconvnet"]
        training = textconvnet.training._replace(epochs=2, dropout=0.0)
        patch.setitem(
            registry.NETWORKS, "tiny", textconvnet._replace(build=tiny, training=training)
        )
        few = {name: registry.NETWORKS[name] for name in ("tiny", "textconvnet")}
        patch.setattr(choice, "NETWORKS", few)
        yield


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """The folder of a text run with two steps, its configuration and its comparison."""
    folder = tmp_path_factory.mktemp("compared") / "run"
    config = small.config(folder, model="tiny", steps=2)
    return folder, config, comparison.complete(config, PROTOCOL)


def test_every_baseline_and_control_is_measured(compared):
    folder, _, found = compared
    rows = {row["name"]: row for row in found["rows"]}
    assert list(rows) == [*BASELINES, *CONTROLS, "textconvnet"]
    for row in rows.values():
        assert row["mean"] == pytest.approx(np.mean(row["accuracies"]))
        assert row["networks"] == len(row["accuracies"])
        assert row["ratio"] == pytest.approx(row["mean"] / found["original"]["accuracy"])
        assert row["how"].endswith(".")
    counts = {name: row["networks"] for name, row in rows.items()}
    assert counts["random_real"] == counts["shuffled"] == 5
    assert counts["optimized_real"] == counts["distilled"] == counts["learned_labels"] == 1
    assert counts["other_initial_networks"] == counts["textconvnet"] == 3
    assert (
        rows["distilled"]["mean"]
        == json.loads((folder / "results.json").read_text())["accuracy"]["mean"]
    )
    assert json.loads((folder / "comparison.json").read_text()) == found


def test_learned_labels_have_the_outer_optimizer_of_the_set(tmp_path, monkeypatch):
    settings = {"outer_momentum": 0.9, "outer_lr": 0.03, "init": "random", "networks": 2}
    config = small.config(tmp_path / "run", model="tiny", eval_networks=2, **settings)
    dataset = run.load_dataset(config)
    own, learner = new_distillation(config, dataset), Learner(tiny(dataset.encoding.shape, 3))
    subject = Subject(config, PROTOCOL, dataset, learner, own.distilled.samples)
    asked = []

    def note(distillation, learner, dataset, **settings):
        asked.append((distillation, settings))
        return iter([(1, 0.5)])

    monkeypatch.setattr(controls, "distill", note)
    controls.learned_labels(subject, {"random_real": {"lr": subject.samples.lr.numpy()}})
    [(distillation, told)] = asked
    assert optimizer(distillation) == optimizer(own)
    for name in ("batch_size", "networks", "init", "seed"):
        assert told[name] == getattr(config, name)


def optimizer(distillation):
    """What an outer optimizer does, and its first rate."""
    adam = distillation.optimizer
    kept = {k: v for k, v in adam.get_config().items() if k not in ("name", "learning_rate")}
    return {**kept, "first_rate": float(adam.learning_rate)}


def test_the_curve_ends_where_the_set_does(compared):
    _, config, found = compared
    assert found["curve"]["step"] == list(range(config.steps * config.epochs + 1))
    assert found["curve"]["mean"][-1] == found["rows"][0]["mean"]


def test_results_get_the_ratio(compared):
    folder, _, found = compared
    results = json.loads((folder / "results.json").read_text())
    assert results["original_accuracy"] == found["original"]["accuracy"]
    assert results["ratio"] == results["accuracy"]["mean"] / results["original_accuracy"]


def test_it_goes_on_where_it_stopped_with_the_same_numbers(compared, tmp_path, monkeypatch):
    folder, config, found = compared
    shutil.copytree(folder, tmp_path / "run")
    config = dataclasses.replace(config, run_dir=str(tmp_path / "run"))
    cut = {**found, "rows": found["rows"][:2]}
    del cut["curve"]
    path = tmp_path / "run" / "comparison.json"
    path.write_text(json.dumps(cut))
    measured = []
    measure = comparison.measure
    monkeypatch.setattr(
        comparison, "measure", lambda row, *rest: measured.append(row.name) or measure(row, *rest)
    )
    again = comparison.complete(config, PROTOCOL)
    assert measured == [row["name"] for row in found["rows"][2:]]
    accuracies = [{r["name"]: r["accuracies"] for r in c["rows"]} for c in (found, again)]
    assert accuracies[0] == accuracies[1]


def test_python_goes_on_with_what_the_command_line_began(compared, monkeypatch):
    folder, config, found = compared
    monkeypatch.setattr(comparison, "measure", lambda *_: pytest.fail("measured again"))
    settings = {name: getattr(config, name) for name in ("outer_steps", "batch_size", "epochs")}
    data = run.load_dataset(config)
    result = td.distill(data, "tiny", steps=2, eval_every=2, run_dir=folder, **settings)
    assert result.compare() == found
    assert result.original().accuracy == found["original"]["accuracy"]


def test_another_protocol_is_refused(compared):
    _, config, _ = compared
    with pytest.raises(
        UserError, match=r"comparison.json differs: --sgd_epochs was 3, now 4; leave that out"
    ) as error:
        comparison.complete(config, dataclasses.replace(PROTOCOL, sgd_epochs=4))
    assert "\n" not in str(error.value)
    given = {"sgd_epochs": None, "baseline_sets": 7}
    assert comparison.protocol(comparison.kept(Path(config.run_dir)), given) == dataclasses.replace(
        PROTOCOL, baseline_sets=7
    )


def test_another_set_is_refused(compared, tmp_path):
    folder, config, _ = compared
    shutil.copytree(folder, tmp_path / "run")
    path = tmp_path / "run" / "comparison.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "set": "of another"}))
    config = dataclasses.replace(config, run_dir=str(tmp_path / "run"))
    with pytest.raises(UserError, match="measured another distilled set; delete it"):
        comparison.complete(config, PROTOCOL)


def test_poisoned_test_labels_change_no_choice(compared, tmp_path, monkeypatch):
    """Rates, sets and neighbours chosen are the same; only what is measured changes."""
    folder, config, found = compared
    shutil.copytree(folder, tmp_path / "run")
    (tmp_path / "run" / "comparison.json").unlink()
    load = run.load_dataset

    def poisoned(config):
        data = load(config)
        return dataclasses.replace(data, y_test=(data.y_test + 1) % 3)

    monkeypatch.setattr(run, "load_dataset", poisoned)
    config = dataclasses.replace(config, run_dir=str(tmp_path / "run"))
    rows = {row["name"]: row for row in comparison.complete(config, PROTOCOL)["rows"]}
    for row in found["rows"]:
        other = rows[row["name"]]
        assert (row["lr"], row["how"]) == (other["lr"], other["how"])
    assert rows["distilled"]["accuracies"] != found["rows"][0]["accuracies"]


@pytest.mark.long
def test_a_random_run_is_tested_over_networks(tmp_path):
    config = small.config(
        tmp_path / "run", model="tiny", init="random", networks=1, eval_networks=2
    )
    found = comparison.complete(config, PROTOCOL)
    counts = {row["name"]: row["networks"] for row in found["rows"]}
    assert "other_initial_networks" not in counts
    assert counts["distilled"] == counts["average"] == counts["sgd"] == 3
    assert counts["random_real"] == 5
    assert found["curve"]["networks"] == 3


@pytest.mark.long
def test_the_ranking_check_is_kept_variant_by_variant(compared, monkeypatch):
    folder, config, _ = compared
    some = {f"depth {d}": functools.partial(tiny, depth=d) for d in range(3)}
    monkeypatch.setattr(comparison.ranking.models, "variants", lambda name: some)
    found = comparison.complete_ranking(config, networks=2)
    assert [v["name"] for v in found["variants"]] == list(some)
    assert json.loads((folder / "ranking.json").read_text()) == found
    assert "Spearman" in ranking.describe(found)
