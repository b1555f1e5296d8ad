"""A run beside its baselines: what is measured, that it continues, no choice by test data."""

import dataclasses
import functools
import json
import shutil

import evaluated
import numpy as np
import pytest
import small
import tensorflow as tf
from own_run import PROTOCOL, QUICK, distilled

import tf_distill as td
from tf_distill.core.inner import Optimizer
from tf_distill.evaluation import baselines, bench, comparison, controls, original
from tf_distill.evaluation.bench import Protocol, Subject
from tf_distill.networks import choice, registry
from tf_distill.report import record, report
from tf_distill.runs import InMemory, Run, RunFolder, carry_out, finished_run, named_run
from tf_distill.runs.experiment import new_distillation

NAMES = ["distilled", "random_real", "optimized_real", "k_means", "average",
         "random_real_neighbours", "k_means_neighbours", "learned_labels", "shuffled", "sgd",
         "hard_labels", "decoded_words", "decoded_words_hard",
         "other_initial_networks"]  # fmt: skip
OF_VECTORS = ["distilled", "random_real", "optimized_real", "k_means", "medoids", "average",
              "herding", "k_center", "random_real_neighbours", "k_means_neighbours",
              "learned_labels", "hard_labels", "steps_4", "steps_10", "keras_defaults",
              "optimizer_sgd", "optimizer_momentum"]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def small_work(tiny, untried):
    """Two small networks alone, full training in two epochs."""
    with pytest.MonkeyPatch.context() as patch:
        deep = tiny._replace(build=functools.partial(small.tiny, depth=1))
        patch.setitem(registry.NETWORKS, "deep", deep)
        patch.setattr(choice, "NETWORKS", registry.Networks({"tiny": tiny, "deep": deep}))
        patch.setattr(bench, "SUBSET", 100)
        patch.setattr(bench, "LEARNING_STEPS", 10)
        yield


def compare(config, rows=(), **changed):
    """The comparison of a run in a folder, and the original accuracy."""
    run = named_run(config)
    samples = finished_run(run).distilled.samples
    return comparison.compare(run, samples, PROTOCOL | changed, rows=rows)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """The folder of a text run with two steps, its configuration, comparison and original."""
    folder = tmp_path_factory.mktemp("compared") / "run"
    config = small.config(folder, model="tiny", steps=2)
    small.carry_out(config)
    return folder, config, *compare(config)


@pytest.fixture
def copied(compared, tmp_path):
    """The configuration of a copy, and its comparison.json."""
    folder, config, *_ = compared
    shutil.copytree(folder, tmp_path / "run")
    return dataclasses.replace(
        config, run_dir=f"{tmp_path}/run"
    ), tmp_path / "run" / comparison.NAME


@pytest.fixture
def measured(monkeypatch):
    """The names of the rows that are measured."""
    names, measure = [], comparison.measure

    def told(row, *rest):
        names.append(row.name)
        return measure(row, *rest)

    monkeypatch.setattr(comparison, "measure", told)
    return names


def accuracies(found):
    """Those of all rows, by name."""
    return {row["name"]: row["accuracies"] for row in found["rows"]}


def test_every_row_is_measured_kept_and_drawn(compared):
    folder, config, found, full = compared
    rows = {row["name"]: row for row in found["rows"]}
    assert list(rows) == [*NAMES, "deep"]
    for row in rows.values():
        assert row["mean"] == pytest.approx(np.mean(row["accuracies"]))
        assert row["networks"] == len(row["accuracies"])
        assert row["how"].endswith(".")
    counts = {name: row["networks"] for name, row in rows.items()}
    assert counts["random_real"] == counts["shuffled"] == PROTOCOL["baseline_sets"]
    assert counts["optimized_real"] == counts["distilled"] == counts["learned_labels"] == 1
    assert counts["other_initial_networks"] == counts["deep"] == 2
    assert json.loads((folder / comparison.NAME).read_text()) == found
    results = json.loads((folder / "results.json").read_text())
    assert rows["distilled"]["mean"] == results["accuracy"]["mean"]
    assert results["original"] == full
    assert found["curve"]["step"] == list(range(config.steps * config.epochs + 1))
    assert found["curve"]["mean"][-1] == rows["distilled"]["mean"]
    assert "random real, learned labels" in (folder / "report.html").read_text()
    assert (folder / "figures" / "comparison.png").is_file()


def test_ratios_are_worked_out_from_the_original_accuracy(compared):
    folder, _, found, full = compared
    for row in record.read_numbers(folder).rows:
        assert row["ratio"] == row["mean"] / full["accuracy"]
    assert not any("ratio" in row for row in found["rows"])


def test_learned_labels_have_the_outer_optimizer_of_the_set(tmp_path, monkeypatch):
    settings = {"outer_momentum": 0.9, "outer_lr": 0.03, "init": "random", "networks": 2}
    run = named_run(small.config(tmp_path / "run", model="tiny", eval_networks=2, **settings))
    own = new_distillation(run.config, run.dataset, run.learner)
    subject = Subject(run, Protocol(**PROTOCOL), own.distilled.samples)
    asked = []

    def note(distillation, update, dataset, step, steps):
        asked.append((distillation, step, steps))
        return iter([(1, 0.5)])

    monkeypatch.setattr(controls, "distill", note)
    controls.learned_labels(subject, {"random_real": {"lr": subject.samples.lr.numpy()}})
    [(distillation, step, steps)] = asked
    assert optimizer(distillation) == optimizer(own)
    assert (step, steps) == (run.step, PROTOCOL["control_steps"])


def optimizer(distillation):
    """The settings of an outer optimizer, and its first rate."""
    adam = distillation.optimizer
    kept = {k: v for k, v in adam.get_config().items() if k not in ("name", "learning_rate")}
    return {**kept, "first_rate": float(adam.learning_rate)}


def test_it_continues_where_it_stopped_with_the_same_numbers(
    compared, copied, measured, monkeypatch
):
    _, _, found, full = compared
    config, path = copied
    some = {"distilled", "random_real", "optimized_real", "learned_labels", "shuffled", "deep"}
    every = comparison.rows_of
    monkeypatch.setattr(comparison, "rows_of", lambda s: [r for r in every(s) if r.name in some])
    cut = {**found, "rows": [row for row in found["rows"] if row["name"] in ("distilled", "deep")]}
    del cut["curve"]
    path.write_text(json.dumps(cut))
    with pytest.raises(td.UserError, match="unknown row 'randm_real'; did you mean random_real"):
        compare(config, rows=["randm_real"])
    part, _ = compare(config, rows=["optimized_real"])
    assert measured == ["random_real", "optimized_real"]  # which needs the other
    assert [row["name"] for row in part["rows"]] == ["distilled", *measured, "deep"]
    assert "curve" not in part
    again = compare(config)
    assert {*measured} == some - {"distilled", "deep"}
    assert accuracies(again[0]) == {k: v for k, v in accuracies(found).items() if k in some}
    assert again[0]["curve"] == found["curve"]
    assert again[1] == full


def test_python_continues_what_the_command_line_began(compared, monkeypatch, capsys):
    folder, config, found, full = compared
    monkeypatch.setattr(comparison, "measure", lambda *_: pytest.fail("measured again"))
    monkeypatch.setattr(original, "original_accuracy", lambda *_: pytest.fail("trained again"))
    settings = {name: getattr(config, name) for name in ("outer_steps", "batch_size", "epochs")}
    data = named_run(config).whole
    result = td.distill(data, "tiny", steps=2, eval_every=2, run_dir=folder, **settings)
    told = result.compare()
    assert "average real" in capsys.readouterr().out
    rows = [{**row, "ratio": row["mean"] / full["accuracy"]} for row in found["rows"]]
    assert told == {**found, "rows": rows, "original": full}
    assert result.original(td.Training(**full["settings"])).accuracy == full["accuracy"]
    assert result.results["original_accuracy"] == full["accuracy"]
    assert result.results["ratio"] == result.accuracy.mean / full["accuracy"]


def test_another_protocol_or_set_is_refused(copied):
    config, path = copied
    with pytest.raises(td.UserError) as error:
        compare(config, sgd_epochs=4, baseline_sets=None)
    assert str(error.value) == (
        f"{path} differs: sgd_epochs was 2, now 4; leave that out to continue, or delete the file "
        "to begin again"
    )
    path.write_text(json.dumps({**json.loads(path.read_text()), "set": "of another"}))
    with pytest.raises(td.UserError, match="measured another distilled set; delete it"):
        compare(config)


def test_poisoned_test_labels_change_no_choice(compared):
    """Rates, sets and neighbours chosen are the same; only what is measured changes."""
    _, config, found, _ = compared
    run = named_run(config)
    samples = finished_run(run).distilled.samples
    poisoned = dataclasses.replace(run.whole, y_test=(run.whole.y_test + 1) % 3)
    run = Run(config, poisoned, run.choice, InMemory())
    run.files.write("results.json", {"accuracy": {}})
    rows = {row["name"]: row for row in comparison.compare(run, samples, PROTOCOL)[0]["rows"]}
    for row in found["rows"]:
        other = rows[row["name"]]
        assert (row["lr"], row["how"]) == (other["lr"], other["how"])
    assert rows["distilled"]["accuracies"] != found["rows"][0]["accuracies"]


@pytest.mark.long
def test_a_random_run_is_tested_over_networks(tmp_path):
    settings = {"model": "tiny", "init": "random", "networks": 1, "eval_networks": 2}
    config = small.config(tmp_path / "run", **settings)
    small.carry_out(config)
    found, _ = compare(config)
    counts = {row["name"]: row["networks"] for row in found["rows"]}
    assert "other_initial_networks" not in counts
    assert counts["distilled"] == counts["average"] == counts["sgd"] == 2
    assert counts["random_real"] == 3
    assert found["curve"]["networks"] == 2


# From Python


@pytest.fixture(scope="module")
def result():
    """Of a network of one's own, without a folder."""
    return distilled()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"baseline_sets": 0}, "baseline_sets=0, expected a whole number from 1 to 2147483647"),
        ({"sgd_epochs": "many"}, "sgd_epochs='many', expected a whole number"),
        ({"training": 0.9}, "training is of type float, expected a tf_distill.Training, such as"),
        (
            {"training": QUICK._replace(lr=0.0)},
            "training.lr=0.0, expected a finite number above 0",
        ),
        ({"training": QUICK._replace(epochs=0.5)}, "training.epochs=0.5, expected a whole number"),
        ({"training": QUICK._replace(dropout=0.5)}, "put layers of dropout into your own"),
    ],
)
def test_mistakes_are_told_in_a_line_of_python(result, wrong, told):
    with pytest.raises(td.UserError) as error:
        result.compare(**wrong)
    assert told in str(error.value)
    assert "--" not in str(error.value)
    assert "\n" not in str(error.value)


def _stop(*_, **__):
    raise KeyboardInterrupt


@pytest.mark.long
def test_without_a_folder_all_is_in_memory(result, tmp_path, monkeypatch, measured):
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(controls, "other_optimizer", _stop)
        with pytest.raises(KeyboardInterrupt):
            result.compare(**PROTOCOL, training=QUICK)
    measured.clear()
    found = result.compare(**PROTOCOL)
    assert measured == ["optimizer_sgd", "optimizer_momentum"]
    assert list(accuracies(found)) == OF_VECTORS
    assert found["original"]["settings"] == QUICK._asdict()
    assert "comparison" in {path.stem for path in result.figures(tmp_path / "drawn")}
    assert [path.name for path in tmp_path.iterdir()] == ["drawn"]
    monkeypatch.setattr(comparison, "rows_of", lambda _: list(baselines.ROWS[:2]))
    more = result.compare(**PROTOCOL | {"baseline_sets": 4}, training=QUICK)
    assert [len(accuracies(told)["random_real"]) for told in (found, more)] == [3, 4]


def test_a_report_of_python_names_calls_of_python(tmp_path):
    folder = tmp_path / "run"
    distilled(folder).original(QUICK)
    begun = {"rows": [evaluated.row("distilled", "distilled", 0.5, 1)], "expected": ["more"]}
    evaluated.write(folder, comparison=begun)
    page = report.write(folder).read_text()
    assert "compare()" in page
    assert "--mode=baselines" not in page
    assert "Adam from 0.01, batches of 16, 3 epochs." in page


# Another inner optimizer


def heavy_ball(momentum):
    """Gradient descent with momentum."""

    def update(weights, velocity, gradients, lr):
        velocity = [momentum * v + g for v, g in zip(velocity, gradients, strict=True)]
        return [w - lr * v for w, v in zip(weights, velocity, strict=True)], velocity

    return Optimizer(lambda weights: [tf.zeros_like(w) for w in weights], update)


def test_another_inner_optimizer_distils_and_is_compared(tmp_path, monkeypatch):
    sgd = heavy_ball(0.9)
    config = small.config(tmp_path / "run", model="tiny", outer_steps=20, inner_lr=0.1)
    plain = named_run(config)
    run = Run(config, plain.whole, plain.choice, RunFolder(config.run_dir), optimizer=sgd)
    finished = carry_out(run)
    accuracy = finished.results["accuracy"]["mean"]
    assert accuracy > finished.results["accuracy_before"]["mean"] + 0.2
    data, loaded = run.dataset, td.load_distilled(tmp_path / "run" / "distilled" / "1")

    def trained(**optimizer):
        model = loaded.train(run.choice.build(), **optimizer)
        logits = model(data.encoding(tf.constant(data.x_test)))
        return np.mean(np.argmax(logits, 1) == data.y_test)

    assert trained(optimizer=sgd) == pytest.approx(accuracy, abs=1e-9)
    assert trained() != pytest.approx(accuracy, abs=1e-9)
    monkeypatch.setattr(comparison, "rows_of", lambda _: list(baselines.ROWS[:2]))
    found, _ = comparison.compare(run, loaded.samples, PROTOCOL)
    assert found["rows"][0]["mean"] == found["curve"]["mean"][-1] == accuracy
    assert [row["name"] for row in found["rows"]] == ["distilled", "random_real"]
    served = tf.saved_model.load(str(tmp_path / "run" / "model" / "1"))
    assert served.signatures
