"""The accuracy of distilled sets of several sizes: `mode=sweep` (Section 4.1, Figure 6)."""

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from tf_distill.common import UserError, accuracy_words, folder_lock, percent, say
from tf_distill.config import Config
from tf_distill.evaluation.original import original_of
from tf_distill.report import record
from tf_distill.runs import Run, RunFolder, carry_out, check_settings, named_run

NAME = "sweep.json"
WAIT = 60
"""Seconds that a process waits for others to write their size."""


def sweep(config: Config, sizes: Sequence[int], mine: Collection[int] | None = None) -> None:
    """Distills sets of several sizes, each in its own folder `size_<M>` of `run_dir`.

    sweep.json in `run_dir` is written anew after every size.

    Args:
        config: of every run, but for the samples in a step and the folder.
        sizes: numbers of distilled samples, M; multiples of `config.steps`.
        mine: those that this process does; other processes may do the rest. None for all.

    Raises:
        UserError: a size that can't be, a mistake in the settings, or another sweep or a run in
            the folder.
    """
    if not sizes:
        raise UserError("sizes= is empty, expected some, such as sizes=1,2,5,10")
    configs = [of_size(config, size) for size in sorted(set(sizes))]
    folder = RunFolder(config.run_dir)
    if folder.begun:
        raise UserError(f"{config.run_dir} holds a run; name another run_dir for the sweep")
    _check_earlier(config, folder)
    base = named_run(config)
    original = original_of(base)
    folder.path.mkdir(parents=True, exist_ok=True)
    for sized in configs:
        size = sized.steps * sized.samples_per_step
        if mine is not None and size not in mine:
            continue
        say(f"size {size}: {sized.run_dir}")
        run = Run.of(sized, base.whole, base.choice, RunFolder(sized.run_dir))
        finished = carry_out(run)
        assert finished  # one worker alone is its own chief
        run.files.write("results.json", finished.results | {"original": original})
        with folder_lock(folder.path, WAIT):
            _add(folder, config, original, finished.results, sized.run_dir)


def _add(
    folder: RunFolder,
    config: Config,
    original: dict[str, Any],
    results: dict[str, Any],
    run_dir: str,
) -> None:
    """Enters one size into sweep.json, with its results."""
    new = entry(results, run_dir)
    target = {"target": results["target"]} if "target" in results else {}
    _check_earlier(config, folder)  # another process may have been faster
    others = [e for e in folder.read(NAME).get("sizes", []) if e["samples"] != new["samples"]]
    settings = {k: v for k, v in config.deciding().items() if k != "samples_per_step"}
    sizes = sorted([*others, new], key=lambda e: e["samples"])
    folder.write(NAME, {"settings": settings, "original": original, "sizes": sizes, **target})


def _check_earlier(config: Config, folder: RunFolder) -> None:
    """Raises UserError where the sweep.json of a folder has sizes of another experiment."""
    found = folder.read(NAME)
    check_settings(config, config.deciding() | found.get("settings", {}), folder.path)


def of_size(config: Config, size: int) -> Config:
    """The run of one size within the sweep's folder.

    A set for ordinary training that is not to be cut into its minibatches is a single one.
    """
    if config.use == "training" and size % config.steps:
        longer = config.epochs * config.steps  # as many inner steps as the others
        config = dataclasses.replace(config, steps=1, epochs=longer)
    if size < 1 or size % config.steps:
        raise UserError(
            f"sizes={size}, expected positive multiples of steps={config.steps}: each "
            "inner step takes the same number of samples"
        )
    path = Path(config.run_dir, f"size_{size}")
    return dataclasses.replace(config, samples_per_step=size // config.steps, run_dir=str(path))


def entry(results: dict[str, Any], run_dir: str) -> dict[str, Any]:
    """The entry of one size in sweep.json."""
    return {
        "samples": results["distilled_samples"],
        **results["accuracy"],
        "seconds": results["seconds"],
        "run_dir": Path(run_dir).name,
    }


def describe(folder: Path) -> str:
    """The sweep in a folder as a table for a person."""
    found = record.read(folder)
    lines = [f"samples  {found.measure:16}   ratio"]
    for e in found.sizes:
        accuracy = accuracy_words(e["mean"], e["std"], e["networks"])
        lines.append(f"{e['samples']:7}  {accuracy:16}  {percent(e['ratio'] or 0, 1):>5}%")
    reached = [f"d_{a} = {m}" for a, m in found.distillation_sizes.items() if m is not None]
    lines.append(f"distillation sizes: {', '.join(reached) or 'none reached'}")
    lines.append(f"sweep.json, the runs and the figure are in {folder}")
    return "\n".join(lines)
