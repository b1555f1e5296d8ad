"""What the program can do, by the name of its --mode."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tf_distill import compare, comparison, outcome, report, run, sweep
from tf_distill.config import Protocol
from tf_distill.errors import UserError, unknown_name


class Call(NamedTuple):
    """What a user asked for.

    settings: of the run, None where not given; protocol: of a comparison; sizes: of a sweep,
    as text; folders: of finished runs; out: a file for their table.
    """

    settings: dict[str, Any]
    protocol: dict[str, int]
    sizes: Sequence[str]
    folders: Sequence[str]
    out: str | None


RANKING_NETWORKS = 5
"""Random initial networks that each variant is trained on the distilled set with."""


def named(mode: str) -> Callable[[Call], str]:
    """The mode of that name: a function that does it, and gives what a person should read."""
    if mode not in MODES:
        raise unknown_name("--mode", mode, MODES)
    return MODES[mode]


def _distill(call: Call) -> str:
    config = run.configure(call.settings)
    return outcome.describe(run.run(config), config)


def _baselines(call: Call) -> str:
    config = run.recall(call.settings)
    comparison.complete(config, Protocol(**call.protocol))
    return f"the comparison is in {report.write(Path(config.run_dir))}"


def _sweep(call: Call) -> str:
    config = run.configure(call.settings)
    if call.settings["run_dir"] is None:
        config = dataclasses.replace(config, run_dir=f"{config.run_dir}_sweep")
    try:
        sizes = [int(size) for size in call.sizes]
    except ValueError:
        raise UserError(
            f"--sizes={','.join(call.sizes)} is no list of whole numbers, expected for instance "
            "--sizes=1,2,5,10"
        ) from None
    found = sweep.sweep(config, sizes)
    report.write(Path(config.run_dir))
    return sweep.describe(found, config)


def _report(call: Call) -> str:
    config = run.recall(call.settings)
    return f"figures and {report.write(Path(config.run_dir))} are drawn anew"


def _ranking(call: Call) -> str:
    config = run.recall(call.settings)
    found = comparison.complete_ranking(config, RANKING_NETWORKS)
    return (
        f"{comparison.describe_ranking(found)}\nfigures are in {report.write(Path(config.run_dir))}"
    )


def _compare(call: Call) -> str:
    if not call.folders:
        raise UserError("--mode=compare got no folder, expected some, such as runs/*")
    out = Path(call.out) if call.out else None
    return compare.to_text(compare.compare([Path(folder) for folder in call.folders], out)).rstrip()


MODES: dict[str, Callable[[Call], str]] = {
    "distill": _distill,
    "baselines": _baselines,
    "sweep": _sweep,
    "ranking": _ranking,
    "report": _report,
    "compare": _compare,
}
