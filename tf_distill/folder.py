"""The folder of a run: what lies where, and how an interrupted run goes on."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tensorflow as tf

from tf_distill import files
from tf_distill.config import Config
from tf_distill.errors import UserError


class RunFolder:
    """`config.json checkpoints/ metrics.jsonl events/ results.json figures/ distilled/1/ model/1/`.

    Opening it makes it, or checks that what is there belongs to the same experiment.

    Args:
        config: of the run; `run_dir` is the folder.

    Raises:
        UserError: the folder can't be written, or holds a run of other settings.
    """

    def __init__(self, config: Config):
        self.path = Path(config.run_dir)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._check_or_write(config)
        except OSError as error:
            raise UserError(
                f"can't write to --run_dir={self.path}: {error.strerror}; name a folder that can "
                "be written"
            ) from error

    def _check_or_write(self, config: Config) -> None:
        path = self.path / "config.json"
        if not path.exists():
            files.write_text(path, config.to_json())
            return
        try:
            there = dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise UserError(
                f"{path} is damaged ({error}); delete it or name another --run_dir"
            ) from error
        if changed := config.difference(there):
            raise UserError(
                f"{self.path} holds a run of other settings: {'; '.join(changed)}; "
                "name another --run_dir, or delete this one to begin again"
            )

    def results(self) -> dict[str, Any] | None:
        """What results.json holds, or None for a run that is not finished."""
        path = self.path / "results.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def checkpoints(self, state: tf.Module) -> tf.train.CheckpointManager:
        """The manager of the checkpoints of `state`, which it has restored where there was one."""
        manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(state=state), str(self.path / "checkpoints"), max_to_keep=2
        )
        manager.checkpoint.restore(manager.latest_checkpoint).expect_partial()
        return manager


class Metrics:
    """The run's history: `metrics.jsonl`, and the same as TensorBoard scalars.

    Args:
        path: the run's folder.
        step: where the run goes on; what was written for later steps, before an
            interruption, is dropped.
    """

    def __init__(self, path: Path, step: int):
        self._path = path / "metrics.jsonl"
        self._events = tf.summary.create_file_writer(str(path / "events"))
        kept = [line for line in self._lines() if json.loads(line)["step"] <= step]
        files.write_text(self._path, "".join(f"{line}\n" for line in kept))

    def write(self, step: int, **values: float) -> None:
        """Appends one line, and a scalar for each value."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        with self._events.as_default(step):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        self._events.flush()

    def read(self) -> list[dict[str, float]]:
        """All that was written."""
        return [json.loads(line) for line in self._lines()]

    def _lines(self) -> Iterable[str]:
        if not self._path.exists():
            return []
        # A line that was cut by a crash has no end.
        return [
            line.rstrip("\n") for line in self._path.open(encoding="utf-8") if line.endswith("}\n")
        ]
