"""Many independent runs: how processes share them, and runs of flag files one after another."""

import contextlib
import multiprocessing
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tf_distill.common import UserError, count, no_flag_file, say, startup

_Item = TypeVar("_Item")
RUNS = "runs"
"""Where the runs of flag files lie by default."""


class Job(NamedTuple):
    """A run: the name of its folder, its flag file, and the program's arguments."""

    stem: str
    file: str
    arguments: list[str]


class Shard(NamedTuple):
    """The share of one process: `number`, from 1, of `parts`."""

    number: int
    parts: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """The shard of a text such as 2/4; UserError for another text."""
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            raise UserError(f"shard={text}, expected i/n from 1/n to n/n, such as shard=1/2")
        return cls(int(match[1]), int(match[2]))

    def of(self, items: Sequence[_Item]) -> list[_Item]:
        """The items of this shard; all shards together have each item once."""
        return list(items)[self.number - 1 :: self.parts]


def whole_numbers(name: str, texts: Sequence[str]) -> list[int]:
    """The numbers of a setting that is a list of them; UserError for other texts."""
    try:
        return [int(text) for text in texts]
    except ValueError:
        raise UserError(
            f"{name}={','.join(texts)}, expected whole numbers, such as {name}=1,2,5,10"
        ) from None


def run_each(
    files: Sequence[str],
    seeds: Sequence[int],
    settings: Mapping[str, Any],
    shard: Shard,
    read: Callable[[Sequence[str]], dict[str, Any]],
) -> str:
    """Runs the program with each flag file and seed, each in its own process and folder.

    The program does not repeat a finished run. After a run that fails the next one is run.
    Returns a line for a person.

    Args:
        files: flag files.
        seeds: of each flag file; empty to take the seed in the file.
        settings: of all runs, None where not given. `run_dir` holds the folders of the runs.
        shard: the runs of this process.
        read: turns arguments of the program into settings.

    Raises:
        UserError: there is no such file; a setting in any of them is wrong, which is found
            before the first run; or some of the runs failed.
    """
    if not files:
        raise UserError("mode=each got no flag files, expected some, such as flags/mnist*.flags")
    if lacking := [name for name in files if not Path(name).is_file()]:
        raise no_flag_file(lacking[0])
    root = Path(settings.get("run_dir") or RUNS)
    of_each: Sequence[int | None] = seeds or [None]
    every = [_job(name, seed, settings, root) for name in files for seed in of_each]
    told = []
    for job in every:
        with _naming(job.file):
            told.append((job.file, read(job.arguments)))
    _configure_apart(told)
    jobs = shard.of(every)
    failed = []
    for job in jobs:
        say(f"{job.stem}:")
        if _run([sys.executable, "-m", "tf_distill.main", *job.arguments]):
            failed.append(job.stem)
    if failed:
        raise UserError(
            f"{len(failed)} of {len(jobs)} runs failed, as said above: {', '.join(failed)}; the "
            "same command tries them again and keeps the finished ones"
        )
    hint = f"; --mode=compare {root}/* shows them with their means" if len(seeds) > 1 else ""
    return f"{count(len(jobs), 'run is', 'runs are')} in {root}{hint}"


def _job(name: str, seed: int | None, settings: Mapping[str, Any], root: Path) -> Job:
    stem = Path(name).stem if seed is None else f"{Path(name).stem}_seed{seed}"
    own = {**settings, "run_dir": root / stem} | ({} if seed is None else {"seed": seed})
    given = [f"--{k}={v}" for k, v in own.items() if v is not None]
    return Job(stem, name, [f"--flagfile={name}", *given])


def _configure_apart(told: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """In another process: in this one TensorFlow would take memory and the GPU from the runs."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as other:
        other.submit(_configure, told).result()


def _configure(told: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    with startup.quiet():
        from tf_distill.runs.run import configure
    for name, settings in told:
        with _naming(name):
            configure(dict(settings))


@contextlib.contextmanager
def _naming(name: str) -> Iterator[None]:
    """Puts the name of a flag file before the errors of the block."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{name}: {error}") from None


def _run(command: Sequence[str]) -> int:
    """The exit status of a command; whatever stops this process stops the command too."""
    with subprocess.Popen(command) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.terminate()  # it writes a checkpoint
            process.wait()
            raise
