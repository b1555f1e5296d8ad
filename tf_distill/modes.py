"""What the program can do, by the name of its --mode."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tf_distill.common import Interrupted, UserError, percent
from tf_distill.core import Distribution
from tf_distill.evaluation import comparison, ranking, sweep
from tf_distill.report import report
from tf_distill.runs import jobs, run
from tf_distill.runs.folder import RunFolder
from tf_distill.runs.jobs import Shard
from tf_distill.runs.results import describe_results


class Call(NamedTuple):
    """What a user asked for.

    settings: of the run, and protocol: of a comparison, None where not given; sizes: of a
    sweep, as text, and the shard of them that is to be done; distribution: the replicas that
    share the outer steps.
    """

    settings: dict[str, Any]
    protocol: dict[str, int | None]
    sizes: Sequence[str]
    shard: Shard
    distribution: Distribution


RANKING_NETWORKS = 5
"""Random initial networks that each variant is trained on the distilled set with."""


def _going_on(do: Callable[[Call], str]) -> Callable[[Call], str]:
    """A mode that keeps what it has done: its ends before its time say what can be done."""

    @functools.wraps(do)
    def done(call: Call) -> str:
        try:
            return do(call)
        except KeyboardInterrupt:
            raise Interrupted("stopped") from None
        except MemoryError as error:
            reason = str(error) or "not enough memory"
            raise UserError(f"{reason}; lower the sizes in the settings") from error

    return done


@_going_on
def _distill(call: Call) -> str:
    config = run.configure(call.settings)
    results = run.run(config, call.distribution)
    if not results:
        return "this worker's part is done; the chief has the results"
    return describe_results(results, config)


def _estimate(call: Call) -> str:
    return run.estimate(run.configure(call.settings))


@_going_on
def _baselines(call: Call) -> str:
    config = run.recall(call.settings)
    try:
        earlier = comparison.kept(Path(config.run_dir))
        comparison.complete(config, comparison.protocol(earlier, call.protocol))
    except KeyboardInterrupt:
        raise Interrupted(f"stopped{comparison.so_far(config)}") from None
    return f"the comparison is in {report.write(Path(config.run_dir))}"


@_going_on
def _original(call: Call) -> str:
    config = run.recall(call.settings)
    folder = RunFolder(config.run_dir)
    dataset = run.load_dataset(config)
    found = run.original_of(config, dataset)
    told = ""
    if folder.begun and folder.results():  # not of another run, begun meanwhile
        ratio = run.set_original(folder.path, found)
        told = f"\nratio {percent(ratio, 1) or '-'} %, also in {report.write(folder.path)}"
    return (
        f"accuracy {found['accuracy']:.4f} on {len(dataset.y_test)} "
        f"{config.eval_split.replace('_', '-')} examples, {config.model} after {found['epochs']:g} "
        f"epochs on all of {config.dataset}, {found['seconds']:.0f} s{told}"
    )


@_going_on
def _sweep(call: Call) -> str:
    config = run.configure(call.settings)
    if config.start:
        raise UserError("--start has a set of one size; leave it out of --mode=sweep")
    if call.settings["run_dir"] is None:
        config = dataclasses.replace(config, run_dir=f"{config.run_dir}_sweep")
    sizes = jobs.whole_numbers("sizes", call.sizes)
    found = sweep.sweep(config, sizes, call.shard)
    if not found:
        return f"none of the sizes {', '.join(call.sizes)} is this process's"
    report.write(Path(config.run_dir))
    return sweep.describe(found, config)


def _report(call: Call) -> str:
    folder = call.settings["run_dir"] or run.configure(call.settings).run_dir
    return f"figures and {report.write(Path(folder))} are drawn anew"


@_going_on
def _ranking(call: Call) -> str:
    config = run.recall(call.settings)
    found = comparison.complete_ranking(config, RANKING_NETWORKS)
    return f"{ranking.describe(found)}\nfigures are in {report.write(Path(config.run_dir))}"


MODES: dict[str, Callable[[Call], str]] = {
    "distill": _distill,
    "estimate": _estimate,
    "baselines": _baselines,
    "original": _original,
    "sweep": _sweep,
    "ranking": _ranking,
    "report": _report,
}
"""Each gives what a person should read. `main` itself does those that need no TensorFlow."""
