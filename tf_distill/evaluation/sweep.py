"""The size of a distilled set against what it reaches: `--mode=sweep` (Section 4.1, Figure 6)."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tf_distill.common import UserError, accuracy_words, folder_lock, read_checked, say, write_json
from tf_distill.config import Config
from tf_distill.core import distillation_ratio
from tf_distill.runs import run
from tf_distill.runs.folder import begun, check_same, check_settings
from tf_distill.runs.jobs import Shard

WHOLE = Shard(1, 1)
WAIT = 60
"""Seconds that a process waits for others to write their size."""
RATIOS = (50, 60, 70, 80, 90, 95, 97, 99)
"""The A of the distillation sizes d_A that are worked out, in percent."""


def sweep(config: Config, sizes: Sequence[int], shard: Shard = WHOLE) -> dict[str, Any]:
    """Distills sets of several sizes, each in its own folder `size_<M>` of `run_dir`.

    Args:
        config: of every run, but for the samples in a step and the folder.
        sizes: numbers of distilled samples, M; multiples of `config.steps`.
        shard: which of them are this process's; others may have the rest at the same time.

    Returns:
        What sweep.json in `run_dir` holds; it is written anew after every size.

    Raises:
        UserError: a size that can't be, a mistake in the settings, or a sweep of others in the
            folder.
    """
    if not sizes:
        raise UserError("--sizes is empty, expected some, such as --sizes=1,2,5,10")
    configs = [of_size(config, size) for size in sorted(set(sizes))]
    path = Path(config.run_dir, "sweep.json")
    if begun(path.parent):
        raise UserError(f"{config.run_dir} holds a run; name another --run_dir for the sweep")
    check_earlier(config, path)
    original = run.original_of(config, run.load_dataset(config))
    path.parent.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {}
    for sized in shard.of(configs):
        say(f"size {sized.steps * sized.samples_per_step}: {sized.run_dir}")
        results = run.run(sized)
        run.set_original(Path(sized.run_dir), original)
        new = entry(results, original["accuracy"], Path(sized.run_dir).name)
        with folder_lock(path.parent, WAIT):
            found = _add(path, config, original, new)
    return found


def _add(
    path: Path, config: Config, original: dict[str, Any], new: dict[str, Any]
) -> dict[str, Any]:
    """Enters one size into sweep.json."""
    check_earlier(config, path)  # others may have been faster
    others = [e for e in earlier(path) if e["samples"] != new["samples"]]
    entries = sorted([*others, new], key=lambda e: e["samples"])
    found = {
        "settings": {k: v for k, v in config.deciding().items() if k != "samples_per_step"},
        "original": original,
        "sizes": entries,
        "distillation_sizes": distillation_sizes(entries),
    }
    write_json(path, found)
    return found


def check_earlier(config: Config, path: Path) -> None:
    """Raises UserError where the sweep.json at `path` has sizes of another experiment."""
    found = read_checked(path)
    check_settings(config, config.deciding() | found.get("settings", {}), path.parent)
    for size in found.get("sizes", []):  # an older file names some settings, its runs name all
        sized = of_size(config, size["samples"])
        if (own := Path(sized.run_dir, "config.json")).exists():
            check_same(sized, own)


def earlier(path: Path) -> list[dict[str, Any]]:
    """The sizes that a sweep has measured, as far as all is known of them."""
    whole = {"std", "networks", "ratio", "seconds"}
    return [size for size in read_checked(path).get("sizes", []) if whole <= size.keys()]


def of_size(config: Config, size: int) -> Config:
    """The run of one size within the sweep's folder."""
    if size < 1 or size % config.steps:
        raise UserError(
            f"--sizes has {size}, expected positive multiples of --steps={config.steps}: each "
            "inner step takes the same number of samples"
        )
    path = Path(config.run_dir, f"size_{size}")
    return dataclasses.replace(config, samples_per_step=size // config.steps, run_dir=str(path))


def entry(results: dict[str, Any], original: float, run_dir: str) -> dict[str, Any]:
    """What sweep.json says of one size."""
    accuracy = results["accuracy"]
    return {
        "samples": results["distilled_samples"],
        **accuracy,
        "ratio": distillation_ratio(accuracy["mean"], original),
        "seconds": results["seconds"],
        "run_dir": run_dir,
    }


def distillation_sizes(entries: Sequence[dict[str, Any]]) -> dict[str, int | None]:
    """d_A for every A of `RATIOS`: the fewest samples whose ratio reaches A%, or None."""
    reached = {a: [e["samples"] for e in entries if 100 * (e["ratio"] or 0) >= a] for a in RATIOS}
    return {str(a): min(sizes, default=None) for a, sizes in reached.items()}


def describe(found: dict[str, Any], config: Config) -> str:
    """The sweep as a table for a person."""
    lines = ["samples  accuracy           ratio"]
    for e in found["sizes"]:
        accuracy = accuracy_words(e["mean"], e["std"], e["networks"])
        lines.append(f"{e['samples']:7}  {accuracy:16}  {100 * (e['ratio'] or 0):5.1f}%")
    reached = [f"d_{a} = {m}" for a, m in found["distillation_sizes"].items() if m is not None]
    lines.append(f"distillation sizes: {', '.join(reached) or 'none reached'}")
    lines.append(f"sweep.json, the runs and the figure are in {config.run_dir}")
    return "\n".join(lines)
