"""The files of a run: whom a folder refuses, and what it keeps when a run continues."""

import dataclasses
import json

import numpy as np
import pytest
import small
import tensorflow as tf

from tf_distill.common.errors import UserError
from tf_distill.config import PLACES
from tf_distill.runs.folder import InMemory, Metrics, RunFolder

INPUTS = {"train": 3, "test": 2, "classes": 2, "data": "a"}


class State(tf.Module):
    """What checkpoints hold here: a number."""

    def __init__(self):
        super().__init__()
        self.value = tf.Variable(0.0)


def checkpoints(folder, state, config=None, inputs=INPUTS, frozen=()):
    return folder.checkpoints(state, config or small.config(folder.path), inputs, [*frozen])


def saved(folder, *values):
    """A state, with a checkpoint of each of the values in the folder."""
    state = State()
    kept = checkpoints(folder, state)
    for value in values:
        state.value.assign(value)
        kept.save()
    return state


def restored(folder):
    """The value of the newest checkpoint."""
    state = State()
    assert checkpoints(folder, state).found
    return state.value.numpy()


def contents(folder):
    return {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_the_first_checkpoint_brings_settings_inputs_and_frozen_weights(tmp_path):
    config = small.config(tmp_path / "deep" / "run")
    folder = RunFolder(config.run_dir)
    with folder.locked():
        kept = checkpoints(folder, State(), config, frozen=[np.ones(3)])
    assert not folder.begun
    folder.check(small.config(folder.path, seed=1), INPUTS)
    kept.save()
    assert folder.begun
    assert json.loads((folder.path / "config.json").read_text()) == dataclasses.asdict(config)
    assert folder.read("inputs.json") == INPUTS
    np.testing.assert_array_equal(folder.frozen(), [np.ones(3)])


def test_a_folder_without_settings_binds_nobody(tmp_path):
    """A process was killed in its first checkpoint."""
    folder = RunFolder(tmp_path)
    saved(folder, 1.0)
    (tmp_path / "config.json").unlink()
    (tmp_path / "checkpoints" / "checkpoint").unlink()
    config, inputs = small.config(tmp_path, seed=1), {"data": "b"}
    folder.check(config, inputs)
    kept = checkpoints(folder, State(), config, inputs)
    assert not kept.found
    kept.save()
    assert folder.read("config.json")["seed"] == 1
    assert folder.read("inputs.json") == inputs


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"seed": 1, "epochs": 3},
            "epochs=3 (it was 2); seed=1 (it was 0); name another run_dir",
        ),
        ({"labels": "hard"}, "labels=hard (it was soft)"),
    ],
)
def test_refuses_another_configuration_and_changes_nothing(tmp_path, settings, text):
    folder = small.begun(small.config(tmp_path))
    before = contents(tmp_path)
    with pytest.raises(UserError) as error:
        folder.check(small.config(tmp_path, **settings), {})
    assert text in str(error.value)
    assert str(tmp_path) in str(error.value)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["run", "run_seed0"])
def test_another_seed_is_told_a_folder_of_its_own(tmp_path, name):
    folder = small.begun(small.config(tmp_path / name))
    do = rf"seed=12 \(it was 0\); name another, such as run_dir={tmp_path}/run_seed12$"
    with pytest.raises(UserError, match=do):
        folder.check(small.config(tmp_path / name, seed=12), {})


@pytest.mark.parametrize(
    ("before", "now", "text"),
    [
        (INPUTS, {"data": "b"}, r"other data \(as many examples, but others\); use"),
        (INPUTS, {"data": "b", "train": 4},
         r"other data \(they were 3 \+ 2 examples of 2 classes, now 4 \+ 2 examples of 2 classes"),
        (INPUTS | {"network": "a"}, {"network": "b"}, "a run of another network; use"),
        (INPUTS, {"network": "b"}, None),  # an old run does not tell
    ],
)  # fmt: skip
def test_refuses_other_inputs(tmp_path, before, now, text):
    folder, config = small.begun(small.config(tmp_path)), small.config(tmp_path)
    folder.write("inputs.json", before)
    folder.check(config, before)
    if text is None:
        folder.check(config, before | now)
    else:
        with pytest.raises(UserError, match=text):
            folder.check(config, before | now)


@pytest.mark.parametrize("place", [p for p in PLACES if p != "run_dir"])
def test_a_folder_may_move_with_its_data(tmp_path, place):
    small.begun(small.config(tmp_path / "old", **{place: "here"}))
    (tmp_path / "old").rename(tmp_path / "new")
    RunFolder(tmp_path / "new").check(small.config(tmp_path / "new", **{place: "there"}), {})


@pytest.mark.parametrize("text", ["", "{", "3", "[1]", "\x00", '{"name": "theirs"}'])
def test_a_damaged_configuration_is_named(tmp_path, text):
    folder = small.begun(small.config(tmp_path))
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UserError, match=r"config\.json is damaged .*name another folder") as error:
        folder.check(small.config(tmp_path), {})
    assert "\n" not in str(error.value)
    assert (tmp_path / "config.json").read_text() == text


def test_a_path_below_a_file_can_not_be_written(tmp_path):
    (tmp_path / "file").write_text("kept")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(UserError, match=f"can't write to run_dir={path}: "):
            RunFolder(path).locked().__enter__()
    assert (tmp_path / "file").read_text() == "kept"


def test_values_are_read_as_written(tmp_path):
    results = {"distilled_samples": 1, "seconds": 1.0, "accuracy": {"mean": 0.5}}
    for files in (RunFolder(tmp_path), InMemory()):
        assert files.read("results.json") == {}
        files.write("results.json", results)
        assert files.read("results.json") == results


def test_checkpoints_give_back_the_newest_state_and_keep_two(tmp_path):
    (tmp_path / "old").mkdir()
    saved(RunFolder(tmp_path / "old"), *map(float, range(1, 12)))
    (tmp_path / "old").rename(tmp_path / "new")
    folder = RunFolder(tmp_path / "new")
    assert restored(folder) == 11
    assert len(list((tmp_path / "new" / "checkpoints").glob("*.index"))) == 2


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, capsys):
    folder = RunFolder(tmp_path)
    saved(folder, 1.0, 2.0)
    for data in (tmp_path / "checkpoints").glob("ckpt-2.data*"):
        data.write_bytes(b"")
    assert restored(folder) == 1
    assert capsys.readouterr().out.rstrip().endswith("); trying the one before")
    for data in (tmp_path / "checkpoints").glob("*.data*"):
        data.write_bytes(b"")
    with pytest.raises(UserError, match="no checkpoint in"):
        restored(folder)
    newest, oldest = capsys.readouterr().out.splitlines()
    assert newest.endswith("; trying the one before")
    assert oldest.endswith(")")


def test_half_written_checkpoints_are_deleted(tmp_path):
    folder = RunFolder(tmp_path)
    saved(folder, 1.0, 2.0)
    before = contents(tmp_path / "checkpoints")
    (tmp_path / "checkpoints" / "ckpt-3_temp").mkdir()
    for name in ("ckpt-3_temp/part-0", "ckpt-3.index", "ckpt-20.index", "checkpoint.tmp1"):
        (tmp_path / "checkpoints" / name).touch()
    assert restored(folder) == 2
    assert {*(tmp_path / "checkpoints").iterdir()} == before.keys()
    assert contents(tmp_path / "checkpoints") == before


def test_a_checkpoint_that_can_not_be_written_is_an_os_error_and_the_one_before_stays(tmp_path):
    folder, state = RunFolder(tmp_path), State()
    kept = checkpoints(folder, state)
    state.value.assign(1)
    kept.save()
    (tmp_path / "checkpoints" / "ckpt-2_temp").touch()  # where TensorFlow wants a folder
    with pytest.raises(OSError, match="ckpt-2_temp"):
        kept.save()
    assert restored(folder) == 1


def test_metrics_are_lines_and_scalars_for_tensorboard(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    metrics = Metrics(tmp_path, 0)
    metrics.write(1, loss=0.5)
    metrics.write(7, loss=0.25)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    expected = [{"step": 1, "loss": 0.5}, {"step": 7, "loss": 0.25}]
    assert metrics.lines == [json.loads(line) for line in lines] == expected
    events = EventAccumulator(str(tmp_path / "events"), {"tensors": 0}).Reload()
    values = [(e.step, float(tf.make_ndarray(e.tensor_proto))) for e in events.Tensors("loss")]
    assert values == [(1, 0.5), (7, 0.25)]


def test_metrics_after_the_step_to_continue_from_are_dropped(tmp_path):
    metrics = Metrics(tmp_path, 0)
    for step in range(1, 6):
        metrics.write(step, loss=float(step))
    again = Metrics(tmp_path, 3)
    again.write(4, loss=40.0)
    assert [m["loss"] for m in again.lines] == [1, 2, 3, 40]


@pytest.mark.parametrize("half", ['{"step": 2, "lo', '{"step": 2, "loss": 1.0}', "{}x"])
def test_a_line_that_a_crash_cut_is_dropped(tmp_path, half):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 1.0}\n' + half)
    metrics = Metrics(tmp_path, 9)
    metrics.write(3, loss=3.0)
    assert [m["step"] for m in metrics.lines] == [1, 3]
