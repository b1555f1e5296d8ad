"""A run that begins with the set of another one, on digits and on small vectors."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
import small

import tf_distill as td
from tf_distill.common.errors import UserError, WorkerLost
from tf_distill.export import distilled_set
from tf_distill.report import report
from tf_distill.runs import experiment, run, warm_start

pytestmark = pytest.mark.usefixtures("undrawn")
NOTHING_NEW = {"outer_steps": 1, "outer_lr": 1e-9, "batch_size": 64}
"""Settings with which the set stays as it starts."""
BEFORE = {"inner_lr": 0.5, "outer_steps": 20, "batch_size": 64}
NAMES = "config.json", "results.json"
ONE_HOT = np.eye(3, dtype=np.float32)[None].repeat(2, axis=0)


def results(folder):
    return json.loads((folder / "results.json").read_text())


def network():
    return keras.Sequential([keras.Input((small.FEATURES,)), keras.layers.Dense(small.CLASSES)])


class Scaled(small.Identity):
    """Inputs that say how they were scaled."""

    def metadata(self):
        return {**super().metadata(), "mean": [0.5], "std": [2.0]}


def frozen():
    """A network whose first layer stays as it is drawn, and is drawn anew each time."""
    first = keras.layers.Dense(4, trainable=False)
    return keras.Sequential([keras.Input((small.FEATURES,)), first, keras.layers.Dense(3)])


@pytest.mark.draws
def test_a_run_begins_where_another_has_ended(image_run, tmp_path, capsys):
    given = {"dataset": "digits", "seed": 3, "start": f"{image_run}/", "sample_init": "real"}
    run.run(run.configure({**given, "run_dir": str(tmp_path / "run"), **NOTHING_NEW}))
    assert "sample_init=real does nothing" in capsys.readouterr().out
    before, after = (
        td.load_distilled(f / "distilled" / "1").samples for f in (image_run, tmp_path / "run")
    )
    for a, b in zip(before, after, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    expected = results(image_run)["accuracy"]["mean"]
    assert results(tmp_path / "run")["accuracy"]["mean"] == pytest.approx(expected, abs=1.01 / 360)
    page = report.write(tmp_path / "run").read_text()
    assert f"--start={image_run}" in page
    assert "sample init" not in page
    assert "--sample_init" not in page


def test_python_goes_on_from_a_folder_that_may_go_later(tmp_path, monkeypatch):
    data, a, b = small.dataset(), tmp_path / "a", tmp_path / "b"
    first = td.distill(data, network, run_dir=a, **BEFORE)
    further = td.distill(data, network, run_dir=b, start=a, inner_lr=0.3, **NOTHING_NEW)
    assert further.accuracy == first.accuracy
    monkeypatch.chdir(tmp_path)
    assert td.distill(data, network, start="a", **NOTHING_NEW).accuracy == first.accuracy
    with pytest.raises(UserError, match=f"start was '{a}', now None"):
        td.distill(data, network, run_dir=b, **NOTHING_NEW)
    shutil.rmtree(a)
    assert td.distill(data, network, run_dir=b, start=a, **NOTHING_NEW).results == further.results


def test_a_run_that_was_stopped_needs_it_no_more(tmp_path):
    class Stop(td.Callback):
        def on_outer_step_end(self, step, logs):
            if step == 2:
                raise KeyboardInterrupt

    data, a, b = small.dataset(), tmp_path / "a", tmp_path / "b"
    td.distill(data, network, run_dir=a, **BEFORE)
    more = {"outer_steps": 4, "eval_every": 1, "batch_size": 16, "start": a}
    expected = td.distill(data, network, **more).distilled.samples
    with pytest.raises(KeyboardInterrupt):
        td.distill(data, network, run_dir=b, callbacks=[Stop()], **more)
    a.rename(tmp_path / "moved")
    for x, y in zip(td.distill(data, network, run_dir=b, **more).distilled.samples, expected,
                    strict=True):  # fmt: skip
        np.testing.assert_array_equal(x, y)


def test_a_run_lost_before_its_first_step_needs_it_no_more(tmp_path, monkeypatch):
    def lose(*_):
        raise WorkerLost("gone")

    data, a, b = small.dataset(), tmp_path / "a", tmp_path / "b"
    first = td.distill(data, network, run_dir=a, **BEFORE)
    with monkeypatch.context() as patch:
        patch.setattr(experiment, "outer_loop", lose)
        with pytest.raises(WorkerLost):
            td.distill(data, network, run_dir=b, start=a, **NOTHING_NEW)
    shutil.rmtree(a)
    further = td.distill(data, network, run_dir=b, start=a, **NOTHING_NEW)
    assert further.accuracy == first.accuracy


def test_what_a_run_began_with_is_what_its_files_name(tmp_path, capsys):
    data, a, b, run_dir = small.dataset(), *(tmp_path / name for name in ("a", "b", "run"))
    for seed, folder in enumerate((a, b)):
        td.distill(data, network, run_dir=folder, **BEFORE | {"seed": seed})

    def begun_with():
        return {json.loads((run_dir / name).read_text())["start"] for name in NAMES}

    td.distill(data, network, run_dir=run_dir, start=a, **NOTHING_NEW)
    done = (run_dir / "config.json").read_text()
    shutil.rmtree(run_dir)
    run_dir.mkdir()
    (run_dir / "config.json").write_text(done)  # of a call that did no more
    first = td.distill(data, network, run_dir=run_dir, start=b, **NOTHING_NEW)
    assert begun_with() == {str(b)}
    capsys.readouterr()
    again = td.distill(data, network, run_dir=run_dir, start=a, **NOTHING_NEW)
    said = f"{run_dir} began with the set of {b}, so start={a} does nothing"
    assert said in capsys.readouterr().out
    assert again.results == first.results
    (run_dir / "results.json").unlink()  # as if it had been stopped
    td.distill(data, network, run_dir=run_dir, start=a, **NOTHING_NEW)
    assert begun_with() == {str(b)}


def test_a_finished_run_may_move_to_where_it_began(tmp_path):
    data, a, b = small.dataset(), tmp_path / "a", tmp_path / "b"
    td.distill(data, network, run_dir=a, **BEFORE)
    further = td.distill(data, network, run_dir=b, start=a, **NOTHING_NEW)
    shutil.rmtree(a)
    b.rename(a)
    for start in (a, b):
        assert td.distill(data, network, run_dir=a, start=start, **NOTHING_NEW).results == (
            further.results
        )


def test_a_finished_run_without_its_set_says_so(tmp_path):
    td.distill(small.dataset(), network, run_dir=tmp_path, **BEFORE)
    shutil.rmtree(tmp_path / "distilled")
    with pytest.raises(UserError, match="no longer has the set of its run, distilled/1; put it"):
        td.distill(small.dataset(), network, start=tmp_path, **NOTHING_NEW)


def test_the_newest_set_of_an_export_is_taken(tmp_path):
    data = small.dataset()
    for steps in (1, 20):
        result = td.distill(data, network, **BEFORE | {"outer_steps": steps})
        result.export(tmp_path)
    (tmp_path / "distilled" / "7").mkdir()  # of something else
    for start in (tmp_path, tmp_path / "distilled", tmp_path / "distilled" / "2"):
        further = td.distill(data, network, start=start, **NOTHING_NEW).distilled.samples
        np.testing.assert_allclose(further.x, result.distilled.samples.x, atol=1e-5)


def test_the_set_that_it_began_with_may_stay_the_best(tmp_path):
    data = small.dataset(300, 200)
    first = td.distill(data, network, **BEFORE | {"outer_steps": 200})
    first.export(tmp_path)
    worse = {"outer_lr": 50.0, "outer_steps": 3, "eval_every": 1, "batch_size": 16}
    further = td.distill(data, network, start=tmp_path, keep="best", early_stopping=1, **worse)
    assert (further.results["kept_step"], further.results["stopped_after"]) == (0, 1)
    np.testing.assert_allclose(further.distilled.samples.x, first.distilled.samples.x, atol=1e-5)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, []),
        ({"seed": 1}, ["one initial network, of seed 0, which is not this run's"]),
        ({"model": frozen}, ["the network network", "a network with other frozen weights"]),
        ({"data": dataclasses.replace(small.dataset(), encoding=Scaled())}, ["scaled otherwise"]),
    ],
    ids=["same", "seed", "network", "scaling"],
)
def test_what_else_the_set_was_learned_for_is_told(tmp_path, capsys, changed, told):
    data = small.dataset()
    td.distill(data, network, **BEFORE).export(tmp_path)
    capsys.readouterr()
    given = {"data": data, "model": network, **changed}
    td.distill(**given, start=tmp_path, **NOTHING_NEW)
    lines = [line for line in capsys.readouterr().out.splitlines() if "was learned" in line]
    assert len(lines) == len(told)
    for line, text in zip(lines, told, strict=True):
        assert text in line


def test_what_began_with_a_set_that_has_gone_can_be_compared(tmp_path, image_run):
    shutil.copytree(image_run, tmp_path / "a")
    given = {"dataset": "digits", "seed": 3, "run_dir": str(tmp_path / "b")}
    config = run.configure({**given, "start": str(tmp_path / "a"), **NOTHING_NEW})
    run.run(config)
    shutil.rmtree(tmp_path / "a")
    assert run.recall({"run_dir": given["run_dir"]}) == config
    run.run(config)


@pytest.fixture
def of(tmp_path):
    """A function of changes to a set, and to a run's settings, to what the run begins with."""
    metadata = {"network": "mine", "dataset": "vectors", "seed": 0, "classes": ["a", "b", "c"]}

    def begin(changed=None, metadata=metadata, **settings):
        samples = small.samples()._replace(**(changed or {}))
        shape = list(samples.x.shape[2:])
        described = {**metadata, "input": {"kind": "vector", "shape": shape}}
        distilled_set.save(tmp_path / "set", samples, [], described)
        config = small.config(tmp_path / "run", steps=2, samples_per_step=3)
        config = dataclasses.replace(config, start=str(tmp_path / "set"), **settings)
        same, read = warm_start.of(config, small.dataset(), small.learner(), None)
        assert same == config
        return read()

    return begin


def test_all_of_a_set_is_taken(of):
    for a, b in zip(of(), small.samples(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(of({"y": ONE_HOT}, labels="hard").y, ONE_HOT)


@pytest.mark.parametrize(
    ("changed", "settings", "told"),
    [
        ({}, {"steps": 4, "epochs": 3}, "has --steps=2 --epochs=2, got --steps=4 --epochs=3; give"),
        ({}, {"samples_per_step": 6}, "has --samples_per_step=3, got --samples_per_step=6"),
        ({"x": np.ones((2, 3, 7), np.float32)}, {}, r"of \(7,\), but vectors has \(5,\)"),
        ({}, {"labels": "hard"}, "has soft labels, got --labels=hard"),
        ({"y": np.ones_like(ONE_HOT)}, {"labels": "hard"}, "has soft labels, got --labels=hard"),
        ({"lr": np.full(4, 1e-50)}, {}, "numbers beyond single precision"),
        ({"x": np.full((2, 3, 5), 1e300)}, {}, "numbers beyond single precision"),
        ({"y": np.full((2, 3, 3), 1e300)}, {}, "numbers beyond single precision"),
        ({"lr": np.full(4, 1e300)}, {}, "numbers beyond single precision"),
    ],
)
def test_a_set_that_does_not_fit_is_one_line(of, changed, settings, told):
    with pytest.raises(UserError, match=told) as error:
        of(changed, **settings)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (("test", "last"), {"eval_split": "held_out"}, True),
        (("held_out", "last"), {"eval_split": "held_out"}, False),
        (("held_out", "last"), {"eval_split": "held_out", "seed": 1}, True),
        (("held_out", "last"), {"eval_split": "held_out", "keep": "best"}, True),
        (("held_out", "last"), {"keep": "best"}, False),  # the same tenth
        (("test", "last"), {}, False),
        (("test", "last"), {"keep": "best"}, True),
        (("test", "best"), {"keep": "best"}, False),
        (("test", "best"), {"eval_split": "held_out"}, False),
        (("test", "best"), {"keep": "best", "seed": 1}, True),
        (("test", "best"), {"seed": 1}, False),
        (("held_out", "best"), {"keep": "best"}, False),
        ((), {"keep": "best"}, False),  # of an earlier version
    ],
)
def test_a_set_that_has_seen_what_is_held_out_now_says_so(of, capsys, before, now, told):
    metadata = {"network": "mine", "dataset": "vectors", "seed": 0, "classes": ["a", "b", "c"]}
    of(metadata=metadata | dict(zip(("eval_split", "keep"), before, strict=False)), **now)
    assert ("on examples that are held out now" in capsys.readouterr().out) == told


def test_a_set_of_other_classes_is_one_line(of):
    metadata = {"network": "mine", "dataset": "vectors", "seed": 0, "classes": ["a", "c", "b"]}
    with pytest.raises(UserError, match=r"the classes \['a', 'c', 'b'\], but vectors has"):
        of(metadata=metadata)


@pytest.mark.parametrize("name", ["start", "run_dir"])
@pytest.mark.parametrize("place", [3, "", small.samples()], ids=["number", "empty", "samples"])
def test_what_is_no_folder_is_one_line(name, place):
    with pytest.raises(UserError, match=rf"^{name} is .*, expected (the path of a folder|a path;)"):
        td.distill(small.dataset(), network, **{name: place})


def test_what_can_be_no_start_is_one_line(tmp_path, cli):
    with pytest.raises(UserError, match="none is no folder; name the folder of a finished run"):
        td.distill(small.dataset(), network, start=tmp_path / "none")
    with pytest.raises(UserError, match="holds no distilled set; name the folder of a finished"):
        td.distill(small.dataset(), network, start=tmp_path)
    ended = cli("--mode=baselines", f"--start={tmp_path}", f"--run_dir={tmp_path / 'compared'}")
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert not (tmp_path / "compared").exists()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    with pytest.raises(UserError, match="holds a run that is not finished"):
        td.distill(small.dataset(), network, start=tmp_path / "run")
    td.distill(small.dataset(), network, **BEFORE).export(tmp_path / "set")
    with pytest.raises(UserError, match="the run's own folder; name another run_dir"):
        td.distill(small.dataset(), network, start=tmp_path / "set", run_dir=tmp_path / "set")
    inside = tmp_path / "set" / "distilled" / "1" / "run"
    with pytest.raises(UserError, match=r"^run_dir=.* is in the SavedModel .* of start; name"):
        td.distill(small.dataset(), network, start=tmp_path / "set", run_dir=inside)
    assert not (tmp_path / "set" / "config.json").exists()
    assert not inside.exists()
    ended = cli("--mode=sweep", f"--start={tmp_path / 'set'}")
    assert ended.status == 2
    assert "--start has a set of one size" in ended.err
