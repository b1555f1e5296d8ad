"""Independent runs: which are this process's, and runs of flag files one after the other."""

import contextlib
import multiprocessing
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tf_distill.common import UserError, brief, count, no_flag_file, say, startup

_Item = TypeVar("_Item")
RUNS = "runs"
"""Where the runs of flag files lie by default."""


class Job(NamedTuple):
    """A run: the name of its folder, its flag file, and the program's arguments."""

    stem: str
    file: str
    arguments: list[str]


class Shard(NamedTuple):
    """The part of a process: `number`, from 1, of `parts`."""

    number: int
    parts: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """The shard that a text such as 2/4 names.

        Raises:
            UserError: it names none.
        """
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            raise UserError(
                f"--shard is {brief(text)}, expected i/n, from 1/n to n/n for n processes, such as "
                "--shard=1/2"
            )
        return cls(int(match[1]), int(match[2]))

    def of(self, items: Sequence[_Item]) -> list[_Item]:
        """Every so many-th item; all shards together have each of them once."""
        return list(items)[self.number - 1 :: self.parts]


def whole_numbers(name: str, texts: Sequence[str]) -> list[int]:
    """The numbers of a setting that is a list of them.

    Raises:
        UserError: one of the texts is no whole number.
    """
    try:
        return [int(text) for text in texts]
    except ValueError:
        raise UserError(
            f"--{name}={','.join(texts)} is no list of whole numbers, expected for instance "
            f"--{name}=1,2,5,10"
        ) from None


def run_each(
    files: Sequence[str],
    seeds: Sequence[int],
    settings: Mapping[str, Any],
    shard: Shard,
    read: Callable[[Sequence[str]], dict[str, Any]],
) -> str:
    """Runs the program with each flag file and seed, each in a process and a folder of its own.

    What a folder has already is not done again, as the program itself sees to it. A run that
    fails does not keep the next from being run.

    Args:
        files: flag files.
        seeds: none to leave the seed to the flag file.
        settings: hold for all of the runs; None where not given. `run_dir` is the folder of
            their folders.
        shard: which of the runs are this process's.
        read: gives the settings that arguments of the program make.

    Returns:
        What a person should read.

    Raises:
        UserError: there is no such file; a setting in any of them is wrong, which is found
            before the first run; or some of the runs have failed.
    """
    if not files:
        raise UserError("--mode=each got no flag files, expected some, such as flags/mnist*.flags")
    if lacking := [name for name in files if not Path(name).is_file()]:
        raise no_flag_file(lacking[0])
    root = Path(settings.get("run_dir") or RUNS)
    of_each: Sequence[int | None] = seeds or [None]
    every = [_job(name, seed, settings, root) for name in files for seed in of_each]
    _check(every, read)
    jobs = shard.of(every)
    failed = []
    for job in jobs:
        say(f"{job.stem}:")
        if _run([sys.executable, "-m", "tf_distill.main", *job.arguments]):
            failed.append(job.stem)
    if failed:
        raise UserError(
            f"{len(failed)} of {len(jobs)} runs failed, as said above: {', '.join(failed)}; the "
            "same command does them again and leaves what is finished"
        )
    hint = f"; --mode=compare {root}/* shows them with their means" if len(seeds) > 1 else ""
    return f"{count(len(jobs), 'run is', 'runs are')} in {root}{hint}"


def _job(name: str, seed: int | None, settings: Mapping[str, Any], root: Path) -> Job:
    stem = Path(name).stem if seed is None else f"{Path(name).stem}_seed{seed}"
    own = {**settings, "run_dir": root / stem}
    own |= {} if seed is None else {"seed": seed}
    given = [f"--{k}={v}" for k, v in own.items() if v is not None]
    return Job(stem, name, [f"--flagfile={name}", *given])


def _check(jobs: Sequence[Job], read: Callable[[Sequence[str]], dict[str, Any]]) -> None:
    told = []
    for job in jobs:
        with _naming(job.file):
            told.append((job.file, read(job.arguments)))
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as other:
        other.submit(_configure, told).result()


def _configure(told: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """In a process of its own, since TensorFlow would fill this one while the runs go on."""
    with startup.quiet():
        from tf_distill.runs import run
    for name, settings in told:
        with _naming(name):
            run.configure(dict(settings))


@contextlib.contextmanager
def _naming(name: str) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise UserError(f"{name}: {error}") from None


def _run(command: Sequence[str]) -> int:
    """The exit status of a command, which is stopped as this process is."""
    with subprocess.Popen(command) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.terminate()  # it saves where it stands
            process.wait()
            raise
