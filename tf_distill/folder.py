"""The folder of a run: what lies where, and how an interrupted run goes on."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from tf_distill import checkpoints, files, frozen, inputs, lock, schemas
from tf_distill.checkpoints import Checkpoints
from tf_distill.config import Config
from tf_distill.errors import UserError


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
        with lock.held(self.path):
            files.clear(self.path)
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
                schemas.read(path)  # what is no run's stays
                for name in ("config.json", inputs.NAME, inputs.OLDER, frozen.NAME):
                    files.remove(self.path / name)
            if not path.exists():
                files.write_text(path, config.to_json())

    def _writing(self) -> contextlib.AbstractContextManager[None]:
        return files.writing_to(f"--run_dir={self.path}", files.ELSEWHERE)

    def results(self) -> dict[str, Any] | None:
        """What results.json holds, or None for a run that is not finished."""
        path = self.path / "results.json"
        return schemas.read(path) or None

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
        check_settings(config, schemas.read(path), path.parent)


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
        files.write_text(self._path, "".join(kept))

    def write(self, step: int, **values: float) -> None:
        """Appends one line, and a scalar for each value."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        with files.os_errors(self._path.with_name("events")):
            with self._events.as_default(step):
                for name, value in values.items():
                    tf.summary.scalar(name, value)
            self._events.flush()

    def read(self) -> list[dict[str, float]]:
        """All that was written, less lines that a crash has cut."""
        return schemas.read_metrics(self._path)


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
