"""A run that starts from the set of another one; most sets here are made by hand."""

import dataclasses
import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import small

import tf_distill as td
from tf_distill.common.errors import UserError, WorkerLost
from tf_distill.core.learner import fixed_network
from tf_distill.export.distilled_set import LoadedSet
from tf_distill.runs import warm_start
from tf_distill.runs.folder import RunFolder
from tf_distill.runs.run import recall

pytestmark = pytest.mark.usefixtures("untried")
NOTHING_NEW = {"use": "replay", "outer_steps": 1, "outer_lr": 1e-9, "batch_size": 64}
"""Settings with which the set stays as it starts."""
ONE_HOT = np.eye(3, dtype=np.float32)[None].repeat(2, axis=0)
HARD = {"labels": "hard", "learn": "samples,rates"}
PROBABILITIES = {"labels": "probabilities"}
SEED = ["one initial network, of seed 0, which is not this run's"]


def network():
    return keras.Sequential([keras.Input((small.FEATURES,)), keras.layers.Dense(small.CLASSES)])


class Scaled(small.Identity):
    """Inputs that tell how they were scaled."""

    def metadata(self):
        return {**super().metadata(), "mean": [0.5], "std": [2.0]}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A finished run in a folder."""
    path = tmp_path_factory.mktemp("first") / "run"
    settings = {"inner_lr": 0.5, "outer_steps": 20, "batch_size": 64, "use": "replay"}
    return path, td.distill(small.dataset(), network, run_dir=path, **settings)


def assert_equal(one, two, tolerance=0.0):
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def test_a_run_starts_where_another_has_ended_and_then_needs_it_no_more(first, tmp_path):
    data, a, b = small.dataset(), shutil.copytree(first[0], tmp_path / "a"), tmp_path / "b"
    further = td.distill(data, network, run_dir=b, start=a, **NOTHING_NEW)
    assert_equal(further.distilled.samples, first[1].distilled.samples, 1e-5)
    assert further.accuracy == first[1].accuracy
    for name in ("config.json", "results.json"):
        assert json.loads((b / name).read_text())["start"] == str(a)
    with pytest.raises(UserError, match=rf"start=None \(it was {a}\)"):
        td.distill(data, network, run_dir=b, **NOTHING_NEW)
    shutil.rmtree(a)
    again = td.distill(data, network, run_dir=b, start=a, **NOTHING_NEW)
    assert again.results == further.results
    b.rename(a)
    for start in (a, b):
        again = td.distill(data, network, run_dir=a, start=start, **NOTHING_NEW)
        assert again.results == further.results


def test_a_run_that_was_stopped_needs_it_no_more(first, tmp_path):
    """It has lost a worker before it was time for a checkpoint."""

    class Lose(td.Callback):
        def on_outer_step_end(self, step, logs):
            if step == 2:
                raise WorkerLost("gone")

    data, a, b = small.dataset(), shutil.copytree(first[0], tmp_path / "a"), tmp_path / "b"
    more = {"use": "replay", "outer_steps": 4, "eval_every": 4, "batch_size": 16, "start": a}
    expected = td.distill(data, network, **more).distilled.samples
    with pytest.raises(WorkerLost):
        td.distill(data, network, run_dir=b, callbacks=[Lose()], **more)
    shutil.rmtree(a)
    assert_equal(td.distill(data, network, run_dir=b, **more).distilled.samples, expected)


def test_the_set_that_it_started_from_may_stay_the_best(first):
    worse = {"use": "replay", "outer_lr": 50.0, "outer_steps": 3, "eval_every": 1, "batch_size": 16}
    data, start = small.dataset(300, 200), first[0]
    further = td.distill(data, network, start=start, keep="best", early_stopping=1, **worse)
    assert (further.results["kept_step"], further.results["stopped_after"]) == (0, 1)
    assert_equal(further.distilled.samples, first[1].distilled.samples, 1e-5)


def test_a_set_that_is_not_there_is_told_before_there_is_a_folder(tmp_path):
    with pytest.raises(UserError, match="none holds no distilled set; name the folder of a fin"):
        td.distill(small.dataset(), network, start=tmp_path / "none", run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["start", "run_dir"])
@pytest.mark.parametrize("place", [3, "", small.samples()], ids=["number", "empty", "samples"])
def test_a_value_that_is_no_path_is_one_line(name, place):
    with pytest.raises(UserError, match=rf"^{name}( is empty|=.*), expected the path of a folder"):
        td.distill(small.dataset(), network, **{name: place})


def test_a_path_stays_right_when_python_changes_its_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert warm_start.absolute("a/") == str(tmp_path / "a")
    assert warm_start.absolute("~/a") == str(Path.home() / "a")
    assert warm_start.absolute(None) is None


def test_settings_that_the_set_has_itself_do_nothing(capsys):
    given = {"start": "/a", "sample_init": "real", "label_init": "one_hot", "steps": 2}
    brought = {"sample_scale": None, "inner_lr": None, "sample_init": None, "label_init": "one_hot"}
    assert warm_start.prepared(given) == given | brought
    assert capsys.readouterr().out.splitlines() == [
        "sample_init=real does nothing: the set to start from has its own"
    ]
    assert warm_start.prepared(given | {"start": None}) == given | {"start": None}


def test_a_run_that_has_begun_keeps_the_set_that_it_began_with(tmp_path, capsys):
    config = dataclasses.replace(small.config(tmp_path / "run"), start="/b")
    other = dataclasses.replace(config, start="/a")
    assert warm_start.as_begun(other, RunFolder(config.run_dir)) == other
    folder = small.begun(config)
    assert warm_start.as_begun(config, folder) == config
    assert capsys.readouterr().out == ""
    assert warm_start.as_begun(other, folder) == config
    assert f"{folder.path} began with the set of /b, so start=/a does nothing" in (
        capsys.readouterr().out
    )
    assert recall({"run_dir": config.run_dir}) == config  # though there is no /b


def made(path: Path, *files: str) -> Path:
    for name in files:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text("{}")
    return path


def test_the_newest_set_of_an_export_is_taken(tmp_path):
    files = ("saved_model.pb", "assets/metadata.json")
    saved = [f"distilled/{version}/{file}" for version in (1, 10, 9) for file in files]
    made(tmp_path, *saved, "distilled/11/else", "model/12/saved_model.pb")
    newest = tmp_path / "distilled" / "10"
    for start in (tmp_path, tmp_path / "distilled", newest):
        assert warm_start._newest(start) == newest
    made(tmp_path, "set/2/card.json")
    assert warm_start._newest(tmp_path) == tmp_path / "set" / "2"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ((), "holds no distilled set; name the folder of a finished run"),
        (("config.json",), "holds a run that is not finished; finish it first"),
        (("config.json", "results.json"), "no longer has the set of its run, set/1; put it"),
    ],
)
def test_a_folder_without_a_set_is_one_line(tmp_path, files, told):
    with pytest.raises(UserError, match=told):
        warm_start._newest(made(tmp_path, *files))


def test_a_run_does_not_write_over_its_start(tmp_path):
    start = made(tmp_path / "start", "set/1/card.json")
    warm_start.check_apart(start, tmp_path / "run")
    with pytest.raises(UserError, match=r"is in run_dir=.*/start itself; name another run_dir"):
        warm_start.check_apart(start, start)
    with pytest.raises(UserError, match=r"^run_dir=.* is in the set .* of start; name"):
        warm_start.check_apart(start, start / "set" / "1" / "run")


@pytest.fixture
def read(tmp_path, monkeypatch):
    """A function of a set and of the run's settings that gives the samples to start from."""
    config = small.config(tmp_path / "run", steps=2, samples_per_step=3)
    data = small.dataset()
    described = {"network": config.model, "seed": 0, "classes": [*data.classes]}
    described |= {"eval_split": "test", "keep": "last"}
    described["input"] = json.loads(json.dumps(data.encoding.metadata()))
    monkeypatch.setattr(warm_start, "_newest", lambda path: path)

    def read(changed=None, metadata=None, weights=(), data=data, **settings):
        samples = small.samples()._replace(**(changed or {}))
        loaded = LoadedSet(samples, [*weights], {**described, **(metadata or {})})
        monkeypatch.setattr(warm_start, "load", lambda path: loaded)
        own = dataclasses.replace(config, start="/set", **settings)
        return warm_start.read_start(own, data, small.learner())

    return read


def test_all_of_a_set_is_taken(read):
    assert_equal(read(), small.samples())
    assert_equal([read({"y": ONE_HOT}, **HARD).y], [ONE_HOT])
    third = np.full_like(ONE_HOT, 1 / 3)
    assert_equal([read({"y": third}, **PROBABILITIES).y], [third])


def test_rates_for_another_optimizer_are_not_taken(read, capsys):
    samples = read(metadata={"inner_optimizer": "adam"}, inner_lr=0.25)
    assert_equal(samples, small.samples()._replace(lr=np.full(4, 0.25)))
    told = "the learning rates of the set to start from are for adam: 0.25 now"
    assert capsys.readouterr().out.splitlines() == [told]


@pytest.mark.parametrize(
    ("changed", "settings", "told"),
    [
        ({}, {"steps": 4, "epochs": 3}, "has steps=2 epochs=2, got steps=4 epochs=3; use"),
        ({}, {"samples_per_step": 6}, "has samples_per_step=3, got samples_per_step=6"),
        ({"x": np.ones((2, 3, 7), np.float32)}, {}, r"of \(7,\), but vectors has \(5,\)"),
        ({}, HARD, "has soft labels, got labels=hard"),
        ({}, PROBABILITIES, "that are no probabilities, got labels=probab.*; give use=replay"),
        ({"y": np.full_like(ONE_HOT, 0.5)}, PROBABILITIES, "labels that are no probabilities"),
        ({"y": np.ones_like(ONE_HOT)}, HARD, "has soft labels, got labels=hard"),
        ({}, {"metadata": {"classes": ["a", "c", "b"]}},
         r"the classes \['a', 'c', 'b'\], but vectors has \['a', 'b', 'c'\]"),
    ],
)  # fmt: skip
def test_a_set_that_does_not_fit_is_one_line(read, changed, settings, told):
    with pytest.raises(UserError, match=f"^the set of start=/set .*{told}") as error:
        read(changed, **settings)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, []),
        ({"seed": 1}, SEED),
        ({"init": "random"}, SEED),
        ({"weights": ()}, []),  # for any network
        ({"metadata": {"network": "python:Own"}}, ["the network Own"]),
        ({"data": dataclasses.replace(small.dataset(), encoding=Scaled())}, ["scaled otherwise"]),
        ({"metadata": {"network": "lenet", "eval_split": "test", "keep": "last"}, "keep": "best"},
         ["the network lenet", "on examples that are held out now"]),
    ],
)  # fmt: skip
def test_other_conditions_of_a_set_are_told(read, capsys, changed, told):
    read(**{"weights": fixed_network(small.learner(), 0), **changed})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(told)
    for line, text in zip(lines, told, strict=True):
        assert line.startswith("the set to start from was learned ")
        assert text in line


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (("test", "last"), {"eval_split": "held_out"}, True),
        (("held_out", "last"), {"eval_split": "held_out"}, False),
        (("held_out", "last"), {"eval_split": "held_out", "seed": 1}, True),
        (("held_out", "last"), {"eval_split": "held_out", "keep": "best"}, True),
        (("held_out", "last"), {"keep": "best"}, False),  # the same tenth
        (("test", "last"), {"keep": "best"}, True),
        (("test", "best"), {"eval_split": "held_out"}, False),
        (("test", "best"), {"keep": "best", "seed": 1}, True),
    ],
)
def test_a_set_that_has_seen_examples_that_are_held_out_now_says_so(
    read, capsys, before, now, told
):
    read(metadata=dict(zip(("eval_split", "keep"), before, strict=True)), **now)
    assert ("on examples that are held out now" in capsys.readouterr().out) == told
