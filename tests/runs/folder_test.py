"""A run's folder: what it refuses, and what it keeps when a run goes on."""

import dataclasses
import json

import numpy as np
import pytest
import small
import tensorflow as tf

from tf_distill.common import files
from tf_distill.common.errors import UserError
from tf_distill.config import PLACES
from tf_distill.export import distilled_set
from tf_distill.runs import folder
from tf_distill.runs.folder import Metrics, RunFolder


def test_makes_the_folder_with_the_configuration(tmp_path):
    config = small.config(tmp_path / "deep" / "run")
    folder = RunFolder(config.run_dir)
    assert not (tmp_path / "deep").exists()
    assert small.settled(config).path == folder.path
    assert (folder.path / "config.json").read_text() == config.to_json()
    assert folder.results() is None


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"seed": 1, "epochs": 3}, "--seed was 0, now 1; name another --run_dir, or delete this"),
        ({"steps": 3}, "--steps was 1, now 3"),
        ({"labels": "hard"}, "--labels was 'soft', now 'hard'"),
    ],
)
def test_refuses_another_configuration_and_changes_nothing(tmp_path, settings, text):
    folder = small.begun(small.config(tmp_path))
    before = (tmp_path / "config.json").read_bytes()
    with pytest.raises(UserError) as error:
        folder.check(small.config(tmp_path, **settings))
    assert text in str(error.value)
    assert str(tmp_path) in str(error.value)
    assert (tmp_path / "config.json").read_bytes() == before


@pytest.mark.parametrize("name", ["run", "run_seed0"])
def test_another_seed_is_told_a_folder_of_its_own(tmp_path, name):
    folder = small.begun(small.config(tmp_path / name))
    do = f"--seed was 0, now 12; name another, such as --run_dir={tmp_path}/run_seed12$"
    with pytest.raises(UserError, match=do):
        folder.check(small.config(tmp_path / name, seed=12))


@pytest.mark.parametrize("place", [p for p in PLACES if p != "run_dir"])
def test_a_folder_may_move_with_its_data(tmp_path, place):
    small.begun(small.config(tmp_path / "old", **{place: "here"}))
    (tmp_path / "old").rename(tmp_path / "new")
    RunFolder(tmp_path / "new").check(small.config(tmp_path / "new", **{place: "there"}))


@pytest.mark.parametrize("text", ["", "{", "3", "[1]", "\x00"])
def test_a_damaged_configuration_is_named(tmp_path, text):
    folder = small.begun(small.config(tmp_path))
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UserError, match=r"config\.json is damaged") as error:
        folder.check(small.config(tmp_path))
    assert "\n" not in str(error.value)
    assert (tmp_path / "config.json").read_text() == text


def test_a_path_below_a_file_can_not_be_written(tmp_path):
    (tmp_path / "file").write_text("kept")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(UserError, match=f"can't write to --run_dir={path}: "):
            small.settled(small.config(path))
    assert (tmp_path / "file").read_text() == "kept"


def test_results_are_what_was_written(tmp_path):
    folder = RunFolder(tmp_path)
    results = {"distilled_samples": 1, "seconds": 1.0, "accuracy": {"mean": 0.5}}
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert folder.results() == results


def test_checkpoints_in_other_folders_are_not_taken_for_own_ones(tmp_path):
    """A list from elsewhere could have files deleted anywhere."""
    folder = small.settled(small.config(tmp_path / "run"))
    (folder.path / "checkpoints").mkdir()
    other = tmp_path / "other"
    lines = [f'model_checkpoint_path: "{other}"', f'all_model_checkpoint_paths: "{other}"']
    (folder.path / "checkpoints" / "checkpoint").write_text("\n".join(lines))
    with pytest.raises(UserError, match=r"names .*other', expected checkpoints beside it"):
        folder.checkpoints(tf.Module())


def test_checkpoints_give_back_the_newest_state_and_keep_two(tmp_path):
    state = tf.Module()
    state.value = tf.Variable(0.0)
    manager = RunFolder(tmp_path).checkpoints(state)
    assert state.value.numpy() == 0
    for value in (1.0, 2.0, 3.0):
        state.value.assign(value)
        manager.save()
    again = tf.Module()
    again.value = tf.Variable(0.0)
    manager = RunFolder(tmp_path).checkpoints(again)
    assert again.value.numpy() == 3
    assert len(manager.checkpoints) == 2


def test_metrics_are_read_as_written(tmp_path):
    metrics = Metrics(tmp_path, 0)
    assert metrics.read() == []
    metrics.write(1, loss=0.5)
    metrics.write(2, loss=0.25, accuracy=1.0)
    expected = [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.25, "accuracy": 1.0}]
    assert metrics.read() == expected
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == expected


def test_metrics_are_scalars_for_tensorboard(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    metrics = Metrics(tmp_path, 0)
    metrics.write(1, loss=0.5)
    metrics.write(7, loss=0.25)
    events = EventAccumulator(str(tmp_path / "events"), {"tensors": 0}).Reload()
    values = [(e.step, float(tf.make_ndarray(e.tensor_proto))) for e in events.Tensors("loss")]
    assert values == [(1, 0.5), (7, 0.25)]


def test_metrics_after_the_step_to_go_on_from_are_dropped(tmp_path):
    metrics = Metrics(tmp_path, 0)
    for step in range(1, 6):
        metrics.write(step, loss=float(step))
    again = Metrics(tmp_path, 3)
    again.write(4, loss=40.0)
    assert [m["loss"] for m in again.read()] == [1, 2, 3, 40]


@pytest.mark.parametrize("half", ['{"step": 2, "lo', '{"step": 2, "loss": 1.0}', "{}x"])
def test_a_line_that_a_crash_cut_is_dropped(tmp_path, half):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 1.0}\n' + half)
    metrics = Metrics(tmp_path, 9)
    metrics.write(3, loss=3.0)
    assert [m["step"] for m in metrics.read()] == [1, 3]


def test_every_setting_is_kept(tmp_path):
    config = small.config(tmp_path)
    small.settled(config)
    there = json.loads((tmp_path / "config.json").read_text())
    assert there == dataclasses.asdict(config)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, capsys):
    folder = RunFolder(tmp_path)
    state = tf.Module()
    state.value = tf.Variable(0.0)
    manager = folder.checkpoints(state)
    for value in (1.0, 2.0):
        state.value.assign(value)
        manager.save()
    data = sorted((tmp_path / "checkpoints").glob("ckpt-2.data*"))[0]
    data.write_bytes(b"")
    folder.checkpoints(state)
    assert state.value.numpy() == 1.0
    assert capsys.readouterr().out.rstrip().endswith("); trying the one before")
    for data in (tmp_path / "checkpoints").glob("*.data*"):
        data.write_bytes(b"")
    with pytest.raises(UserError, match="no checkpoint in"):
        folder.checkpoints(state)
    newest, oldest = capsys.readouterr().out.splitlines()
    assert newest.endswith("; trying the one before")
    assert oldest.endswith(")")


def test_damaged_results_are_said(tmp_path):
    folder = small.settled(small.config(tmp_path))
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(UserError, match=r"results.json is damaged"):
        folder.results()


def test_a_folder_where_nothing_was_done_is_open_to_others(tmp_path):
    small.settled(small.config(tmp_path))
    folder.remember_inputs(tmp_path, {"data": "a"})
    distilled_set.remember_frozen(tmp_path, [np.zeros(3)])
    (tmp_path / "checkpoints").mkdir()  # of a process that was killed in its first checkpoint
    (tmp_path / "checkpoints" / "ckpt-1.data-00000-of-00001.tempstate1").touch()
    config = small.config(tmp_path, seed=1)
    small.settled(config)
    assert (tmp_path / "config.json").read_text() == config.to_json()
    assert {p.name for p in tmp_path.iterdir()} == {"config.json", "checkpoints", files.LOCK_NAME}


def test_what_was_read_before_another_process_began_is_of_no_use(tmp_path):
    """Such as frozen weights that were drawn anew, or data that nothing was held against."""
    folder = RunFolder(tmp_path)
    config = small.config(tmp_path)
    small.begun(config)
    there = {p: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}
    with folder.locked(), pytest.raises(UserError, match=r"at work in .* meanwhile; give the"):
        folder.settle(config)
    assert {p: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == there
    again = RunFolder(tmp_path)
    with again.locked():
        again.settle(config)


def test_a_config_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "config.json").write_text('{"name": "theirs"}')
    with pytest.raises(UserError, match=r"config\.json is damaged .*name another folder"):
        small.settled(small.config(tmp_path))
    assert (tmp_path / "config.json").read_text() == '{"name": "theirs"}'


def saved(folder, *values):
    """A state, with a checkpoint of each of the values in the folder."""
    state = tf.Module()
    state.value = tf.Variable(0.0)
    manager = folder.checkpoints(state)
    for value in values:
        state.value.assign(value)
        manager.save()
    return state


@pytest.mark.parametrize("text", [None, "", "model_checkpoint", "\x00\xff"])
def test_a_damaged_list_of_checkpoints_is_made_anew(tmp_path, capsys, text):
    folder = RunFolder(tmp_path / "old")
    state = saved(folder, *map(float, range(1, 12)))
    path = tmp_path / "old" / "checkpoints" / "checkpoint"
    path.unlink() if text is None else path.write_text(text, encoding="latin-1")
    state.value.assign(0)
    (tmp_path / "old").rename(tmp_path / "new")
    folder = RunFolder(tmp_path / "new")
    manager = folder.checkpoints(state)
    assert state.value.numpy() == 11
    assert "made anew from ckpt-10, ckpt-11" in capsys.readouterr().out
    manager.save()
    names = {p.name for p in (tmp_path / "new" / "checkpoints").glob("*.index")}
    assert names == {"ckpt-11.index", "ckpt-12.index"}


def test_what_a_killed_process_left_of_a_checkpoint_is_cleared_away(tmp_path):
    folder = RunFolder(tmp_path)
    state = saved(folder, 1.0, 2.0)
    there = {p: p.read_bytes() for p in (tmp_path / "checkpoints").iterdir()}
    (tmp_path / "checkpoints" / "ckpt-3_temp").mkdir()
    for name in ("ckpt-3_temp/part-0", "ckpt-3.index", "ckpt-20.index", "checkpoint.tmp1"):
        (tmp_path / "checkpoints" / name).touch()
    folder.checkpoints(state)
    assert {p: p.read_bytes() for p in (tmp_path / "checkpoints").iterdir()} == there
    assert state.value.numpy() == 2


def test_a_checkpoint_that_can_not_be_written_is_an_os_error_and_the_one_before_stays(tmp_path):
    folder = RunFolder(tmp_path)
    state = saved(folder, 1.0)
    manager = folder.checkpoints(state)
    (tmp_path / "checkpoints" / "ckpt-2_temp").touch()  # where TensorFlow wants a folder
    with pytest.raises(OSError, match="ckpt-2_temp"):
        manager.save()
    state.value.assign(5)
    folder.checkpoints(state)
    assert state.value.numpy() == 1
