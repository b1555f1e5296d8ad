"""Where a run keeps its files: in a folder or, without one, in memory."""

import contextlib
import copy
import json
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tf_distill.common import (
    ELSEWHERE,
    UserError,
    clear_parts,
    folder_lock,
    os_errors,
    read_checked,
    read_metrics,
    remove,
    say,
    write_json,
    write_text,
    writing_to,
)
from tf_distill.config import Config
from tf_distill.datasets import Dataset, fingerprint
from tf_distill.export import read_frozen, write_frozen

Json = dict[str, Any]
SIZES = ("train", "test", "classes")


class InMemory:
    """The files of a run that has no folder: JSON values by name."""

    path: Path | None = None
    begun = False

    def __init__(self) -> None:
        self._values: dict[str, Json] = {}

    def read(self, name: str) -> Json:
        """The value of a name such as results.json; {} if there is none."""
        return copy.deepcopy(self._values.get(name, {}))

    def write(self, name: str, value: Json) -> None:
        """Keeps a value."""
        self._values[name] = copy.deepcopy(value)

    def check(self, config: Config, inputs: Json) -> None:
        """Accepts any settings and inputs."""

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Needs no lock: no other process sees it."""
        return contextlib.nullcontext()

    def frozen(self) -> list[np.ndarray]:
        """No frozen weights of an earlier call."""
        return []

    def checkpoints(self, state: tf.Module, *begun: Any) -> None:
        """No checkpoints."""

    def metrics(self, step: int) -> "Metrics":
        """A new history."""
        return Metrics()


class RunFolder:
    """`config.json inputs.json checkpoints/ metrics.jsonl events/ results.json distilled/ model/`.

    Beside these `report` writes `figures/` and `report.html`. config.json comes with the first
    checkpoint: until then the folder may be used with other settings.

    Args:
        path: the folder.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)

    @property
    def begun(self) -> bool:
        """Whether a run in the folder has come to its first checkpoint."""
        with self._writing():
            return (self.path / "config.json").exists()

    def read(self, name: str) -> Json:
        """The content of a JSON file of the folder, such as results.json; {} if there is none."""
        return read_checked(self.path / name)

    def write(self, name: str, value: Json) -> None:
        """Writes a JSON file of the folder."""
        write_json(self.path / name, value)

    def check(self, config: Config, inputs: Json) -> None:
        """Checks that the folder may be used with these settings and inputs.

        Raises:
            UserError: a run of other settings, data or network has begun in it.
        """
        if not self.begun:
            return
        check_settings(config, self.read("config.json"), self.path)
        check_inputs(self.path, self.read("inputs.json"), inputs)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folder, locks it, and deletes the half-written files of killed processes.

        Raises:
            UserError: another process is at work in the folder, or it can't be written.
        """
        with self._writing():
            self.path.mkdir(parents=True, exist_ok=True)
        with folder_lock(self.path):
            clear_parts(self.path)
            yield

    def frozen(self) -> list[np.ndarray]:
        """The frozen weights that the run in the folder began with."""
        return read_frozen(self.path)

    def checkpoints(
        self, state: tf.Module, config: Config, inputs: Json, frozen: list[np.ndarray]
    ) -> "Checkpoints":
        """The checkpoints of `state`, into which the newest sound one is restored.

        The first save also writes config.json, inputs.json and the frozen weights.

        Raises:
            UserError: there are checkpoints, and all of them are damaged.
        """

        def begin() -> None:
            if not self.begun:
                write_frozen(self.path, frozen)
                self.write("inputs.json", inputs)
                write_text(self.path / "config.json", config.to_json())

        saved = tf.train.Checkpoint(state=state)
        return Checkpoints(saved, self.path / "checkpoints", begin)

    def metrics(self, step: int) -> "Metrics":
        """The history up to a step, to be continued."""
        return Metrics(self.path, step)

    def _writing(self) -> contextlib.AbstractContextManager[None]:
        return writing_to(f"run_dir={self.path}", ELSEWHERE)


Files = RunFolder | InMemory


def data_inputs(dataset: Dataset) -> Json:
    """Sizes for a person, and a hash of the stored examples."""
    return {
        "train": len(dataset.y_train),
        "test": len(dataset.y_test),
        "classes": len(dataset.classes),
        "data": fingerprint(dataset),
    }


def check_settings(config: Config, before: Json, folder: Path) -> None:
    """Raises UserError if the settings `before` of a folder's run are of another experiment."""
    if changed := config.difference(before):
        do = "name another run_dir, or delete this one to begin again"
        if [text.partition("=")[0] for text in changed] == ["seed"]:
            plain = str(folder).removesuffix(f"_seed{before.get('seed')}")
            do = f"name another, such as run_dir={plain}_seed{config.seed}"
        raise UserError(f"{folder} holds a run of other settings: {'; '.join(changed)}; {do}")


def check_inputs(folder: Path, before: Json, now: Json) -> None:
    """Raises UserError if a folder's run is of other inputs; old runs do not tell all of them."""
    changed = {name for name, value in now.items() if before.get(name, value) != value}
    how = " (as many examples, but others)" if before.keys() >= {*SIZES} else ""
    if changed & {*SIZES}:
        how = f" (they were {_sizes(before)}, now {_sizes(now)})"
    told = [f"other data{how}"] if "data" in changed else []
    if changed & {"weights", "network"}:
        told.append("another network")
    if told:
        raise UserError(
            f"{folder} holds a run of {' and of '.join(told)}; use the same again, or name another "
            "run_dir"
        )


def _sizes(inputs: Json) -> str:
    return "{} + {} examples of {} classes".format(*map(inputs.get, SIZES))


class Checkpoints:
    """TensorFlow's manager of checkpoints in a folder of its own; keeps two.

    Args:
        state: what is saved; the newest sound checkpoint is restored into it.
        folder: of the checkpoints.
        begin: is called before each save; writes what belongs to a run that has begun.

    Raises:
        UserError: there are checkpoints, and all of them are damaged.
    """

    def __init__(
        self, state: tf.train.Checkpoint, folder: Path, begin: Callable[[], None] = lambda: None
    ):
        self._manager = tf.train.CheckpointManager(state, str(folder), max_to_keep=2)
        self._folder, self._begin = folder, begin
        whole = tuple(f"{Path(path).name}." for path in self._manager.checkpoints)
        for path in folder.glob("*"):
            if path.name != "checkpoint" and not path.name.startswith(whole):
                remove(path)  # a killed process has left it half-written
        self.found = self._restore(state)
        """Whether there was a checkpoint to restore."""

    def save(self) -> None:
        """Writes a checkpoint.

        Raises:
            OSError: it can't be written.
        """
        self._begin()
        with os_errors(self._folder):
            self._manager.save()

    def _restore(self, state: tf.train.Checkpoint) -> bool:
        for path in reversed(self._manager.checkpoints):
            try:
                state.restore(path).expect_partial()
                return True
            except (tf.errors.OpError, IndexError, ValueError) as error:
                last = path == self._manager.checkpoints[0]
                before = "" if last else "; trying the one before"
                say(f"{path} is damaged ({str(error).splitlines()[0]}){before}")
        if self._manager.checkpoints:
            raise UserError(
                f"no checkpoint in {self._folder} can be read; delete the folder to begin again"
            )
        return False


@contextlib.contextmanager
def handling(handler: Callable, checkpoints: object | None) -> Iterator[None]:
    """Gives SIGINT and SIGTERM a handler, if there are checkpoints to continue from."""
    if not checkpoints or threading.current_thread() is not threading.main_thread():
        yield  # Python tells only the main thread of signals
        return
    before = {s: signal.signal(s, handler) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


class Metrics:
    """The history of a run, and in a folder `metrics.jsonl` and TensorBoard scalars of the same.

    Args:
        path: the run's folder, or None.
        step: where the run continues; lines of later steps, written before an interruption, are
            dropped. Their events stay in their file. TensorBoard skips them, since the steps begin
            anew, but not with --load_fast=false.
    """

    FILE = "metrics.jsonl"

    def __init__(self, path: Path | None = None, step: int = 0):
        self.lines: list[dict[str, float]] = []
        """One a step, without those that a crash has cut."""
        self._path = path and path / self.FILE
        if path and self._path:
            self.lines += [m for m in read_metrics(self._path) if m["step"] <= step]
            self._events = tf.summary.create_file_writer(str(path / "events"))
            write_text(self._path, "".join(json.dumps(m) + "\n" for m in self.lines))

    def write(self, step: int, **values: float) -> None:
        """Appends one line, and a scalar for each value."""
        self.lines.append({"step": step, **values})
        if not self._path:
            return
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(self.lines[-1]) + "\n")
        with os_errors(self._path.with_name("events")):
            with self._events.as_default(step):
                for name, value in values.items():
                    tf.summary.scalar(name, value)
            self._events.flush()
