"""The folder of a run: what lies where, and how an interrupted run goes on."""

import contextlib
import json
import tensorflow as tf
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from tf_distill.common import ELSEWHERE, UserError, clear_parts, folder_lock, os_errors, read_checked, read_metrics, remove, write_json, write_text, writing_to
from tf_distill.config import Config
from tf_distill.datasets.base import Dataset, fingerprint
from tf_distill.export import distilled_set
from tf_distill.runs import checkpoints
from tf_distill.runs.checkpoints import Checkpoints

class RunFolder:
    """`config.json inputs.json checkpoints/ metrics.jsonl events/ results.json distilled/ model/`.

    Beside these `report` writes `figures/` and `report.html`.

    What a call has left that ended before anything was done binds nobody: see `begun`.

    Args:
        path: the folder.

    begun: whether something had been done when the folder was first looked at. What a call
        reads of it after that, it reads on these terms.

    Raises:
        UserError: the folder can't be read.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        with self._writing():
            self.begun = begun(self.path)

    def check(self, config: Config) -> None:
        """Raises UserError where the folder can't be read, or holds a run of other settings."""
        with self._writing():
            check_same(config, self.path / "config.json")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folder, keeps other processes out, clears away what killed ones half-wrote.

        Raises:
            UserError: another process is at work in the folder, or it can't be written.
        """
        with self._writing():
            self.path.mkdir(parents=True, exist_ok=True)
        with folder_lock(self.path):
            clear_parts(self.path)
            yield

    def settle(self, config: Config) -> None:
        """Writes the settings, and clears away what a call has left that did nothing more.

        It is to be called when locked.

        Raises:
            UserError: another process has begun a run since the folder was first looked at, the
                config.json there is no run's, or the folder can't be written.
        """
        path = self.path / "config.json"
        with self._writing():
            if not self.begun:
                if begun(self.path):  # what was read before is not that run's
                    raise UserError(
                        f"another process has been at work in {self.path} meanwhile; give the "
                        "same again"
                    )
                read_checked(path)  # what is no run's stays
                for name in ("config.json", INPUTS_NAME, OLDER, distilled_set.FROZEN_NAME):
                    remove(self.path / name)
            if not path.exists():
                write_text(path, config.to_json())

    def _writing(self) -> contextlib.AbstractContextManager[None]:
        return writing_to(f"--run_dir={self.path}", ELSEWHERE)

    def results(self) -> dict[str, Any] | None:
        """What results.json holds, or None for a run that is not finished."""
        path = self.path / "results.json"
        return read_checked(path) or None

    def checkpoints(self, state: tf.Module) -> Checkpoints:
        """The manager of the checkpoints of `state`, which has the newest sound one restored.

        Raises:
            UserError: there are checkpoints, and all of them are damaged or in other folders.
        """
        return checkpoints.restored(tf.train.Checkpoint(state=state), self.path / "checkpoints")


def begun(path: Path) -> bool:
    """Whether something of a run has been done in a folder: a checkpoint is there, or all."""
    return any(path.glob("checkpoints/*.index")) or (path / "results.json").exists()


def check_same(config: Config, path: Path) -> None:
    """Raises UserError where the config.json at `path` is of another experiment that has begun."""
    if begun(path.parent) and path.exists():
        check_settings(config, read_checked(path), path.parent)


def check_settings(config: Config, before: dict[str, Any], folder: Path) -> None:
    """Raises UserError where what a folder holds was made with settings of another experiment."""
    if changed := config.difference(before):
        do = "name another --run_dir, or delete this one to begin again"
        if [text.split()[0] for text in changed] == ["--seed"]:
            plain = str(folder).removesuffix(f"_seed{before.get('seed')}")
            do = f"name another, such as --run_dir={plain}_seed{config.seed}"
        raise UserError(f"{folder} holds a run of other settings: {'; '.join(changed)}; {do}")


class Metrics:
    """The run's history: `metrics.jsonl`, and the same as TensorBoard scalars.

    Args:
        path: the run's folder.
        step: where the run goes on; lines of later steps, written before an interruption, are
            dropped. Their events stay in their file: TensorBoard passes over them, since the
            steps begin anew, unless it is told --load_fast=false.
    """

    FILE = "metrics.jsonl"

    def __init__(self, path: Path, step: int):
        self._path = path / self.FILE
        self._events = tf.summary.create_file_writer(str(path / "events"))
        kept = [json.dumps(m) + "\n" for m in self.read() if m["step"] <= step]
        write_text(self._path, "".join(kept))

    def write(self, step: int, **values: float) -> None:
        """Appends one line, and a scalar for each value."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        with os_errors(self._path.with_name("events")):
            with self._events.as_default(step):
                for name, value in values.items():
                    tf.summary.scalar(name, value)
            self._events.flush()

    def read(self) -> list[dict[str, float]]:
        """All that was written, less lines that a crash has cut."""
        return read_metrics(self._path)


class History:
    """The history of a run without a folder, in memory only."""

    def __init__(self) -> None:
        self._lines: list[dict[str, float]] = []

    def write(self, step: int, **values: float) -> None:
        """Appends the values of a step."""
        self._lines.append({"step": step, **values})

    def read(self) -> list[dict[str, float]]:
        """All that was written."""
        return list(self._lines)


INPUTS_NAME, OLDER = "inputs.json", "data.json"
"""The file, and the one that the command line wrote in its place before there was one for all."""
SIZES = ("train", "test", "classes")
Inputs = dict[str, Any]


def of_data(dataset: Dataset) -> Inputs:
    """Sizes for a person, and a hash of the stored examples."""
    return {
        "train": len(dataset.y_train),
        "test": len(dataset.y_test),
        "classes": len(dataset.classes),
        "data": fingerprint(dataset),
    }


def recall_inputs(folder: Path) -> Inputs:
    """What a run's folder remembers; {} where it remembers nothing."""
    older = read_checked(folder / OLDER)
    if older:
        older["data"] = older.pop("fingerprint")
    return older | read_checked(folder / INPUTS_NAME)


def remember_inputs(folder: Path, now: Inputs) -> None:
    """Adds to what a run's folder remembers."""
    write_json(folder / INPUTS_NAME, recall_inputs(folder) | now)


def check_inputs(folder: Path, before: Inputs, now: Inputs) -> None:
    """Raises UserError where a folder's run is of other inputs, as far as both are known."""
    changed = changed_since(before, now)
    how = " (as many examples, but others)" if before.keys() >= {*SIZES} else ""
    if changed & {*SIZES}:
        how = f" (they were {_sizes(before)}, now {_sizes(now)})"
    told = [f"other data{how}"] if "data" in changed else []
    if any(name.startswith(("weights", "network")) for name in changed):
        told.append("another network")
    if told:
        raise UserError(
            f"{folder} holds a run of {' and of '.join(told)}; take the old again, or name another "
            "--run_dir"
        )


def changed_since(before: Inputs, now: Inputs) -> set[str]:
    """The names under which both have something, and not the same."""
    return {name for name, value in now.items() if before.get(name, value) != value}


def of_python(inputs: Inputs) -> bool:
    """Whether a run was made from Python; the command line remembers no shapes of weights."""
    return "weights" in inputs


def _sizes(inputs: Inputs) -> str:
    return "{} + {} examples of {} classes".format(*map(inputs.get, SIZES))
