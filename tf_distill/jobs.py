"""Independent runs: which are this process's, and runs of flag files one after the other."""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tf_distill.errors import UserError, brief
from tf_distill.progress import say

_Item = TypeVar("_Item")
RUNS = "runs"
"""Where the runs of flag files lie by default."""


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
    files: Sequence[str], seeds: Sequence[int], settings: Mapping[str, Any], shard: Shard
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

    Returns:
        What a person should read.

    Raises:
        UserError: there is no such file, or some of the runs have failed.
    """
    if not files:
        raise UserError("--mode=each got no flag files, expected some, such as flags/mnist*.flags")
    if lacking := [name for name in files if not Path(name).is_file()]:
        raise UserError(f"there is no flag file {lacking[0]}; expected some, such as flags/*.flags")
    root = Path(settings.get("run_dir") or RUNS)
    of_each: Sequence[int | None] = seeds or [None]
    jobs = shard.of([(name, seed) for name in files for seed in of_each])
    failed = []
    for name, seed in jobs:
        stem = Path(name).stem if seed is None else f"{Path(name).stem}_seed{seed}"
        own = {**settings, "run_dir": root / stem}
        own |= {} if seed is None else {"seed": seed}
        given = [f"--{k}={v}" for k, v in own.items() if v is not None]
        say(f"{stem}:")
        if _run([sys.executable, "-m", "tf_distill.main", f"--flagfile={name}", *given]):
            failed.append(stem)
    if failed:
        raise UserError(
            f"{len(failed)} of {len(jobs)} runs failed, as said above: {', '.join(failed)}; the "
            "same command does them again and leaves what is finished"
        )
    return f"{len(jobs)} runs are in {root}"


def _run(command: Sequence[str]) -> int:
    """The exit status of a command, which is stopped as this process is."""
    with subprocess.Popen(command) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.terminate()  # it saves where it stands
            process.wait()
            raise
