"""The modes of the program, by the name that `mode` gives them."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tf_distill import jobs
from tf_distill.common import Interrupted, NotEqual, UserError, measure_of, percent
from tf_distill.config import plain_numbers
from tf_distill.core import Distribution
from tf_distill.datasets import Dataset
from tf_distill.evaluation import audit, comparison, ranking, sweep, verification
from tf_distill.evaluation.original import original_of
from tf_distill.export import LoadedSet, load
from tf_distill.report import record, report
from tf_distill.runs import (
    Run,
    carry_out,
    configure,
    describe_estimate,
    describe_results,
    finished_run,
    named_run,
    only_resumes,
    recall,
)


class Call(NamedTuple):
    """What a user asked for.

    settings: of the run; protocol: of a comparison; both have None for a value that is not given.
    rows: of the comparison; all without a name. sizes: of a sweep, as text; shard: the part of them
    that this process does. distribution: the replicas that share the outer steps. set_: the folder
    of a set.
    """

    settings: dict[str, Any]
    protocol: dict[str, int | None]
    rows: Sequence[str]
    sizes: Sequence[str]
    shard: jobs.Shard
    distribution: Distribution
    set_: str | None = None


RANKING_NETWORKS = 5
"""Random initial networks of each variant, trained on the distilled set."""


def _resumable(do: Callable[[Call], str]) -> Callable[[Call], str]:
    """A mode that the same command continues.

    It turns Ctrl-C and out-of-memory into a message that says how to continue.
    """

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


@_resumable
def _distill(call: Call) -> str:
    settings = call.settings
    config = recall(settings) if only_resumes(settings) else configure(settings)
    run = named_run(config, call.distribution)
    if not (finished := carry_out(run)):
        return "this worker's part is done; the chief has the results"
    return describe_results(finished.results, run.config)


def _estimate(call: Call) -> str:
    return describe_estimate(named_run(configure(call.settings)))


@_resumable
def _baselines(call: Call) -> str:
    run = named_run(recall(call.settings))
    protocol = plain_numbers(call.protocol)  # before hours of distillation
    try:
        if not run.files.read("results.json"):
            carry_out(run)
        samples = finished_run(run).distilled.samples
        comparison.compare(run, samples, protocol, None, call.rows)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped{comparison.so_far(run)}") from None
    return f"the comparison is in {_folder(run) / report.NAME}"


@_resumable
def _original(call: Call) -> str:
    run = named_run(recall(call.settings))
    found, told = original_of(run), ""
    if run.files.read("results.json"):
        page = report.write(_folder(run))
        told = f"\nratio {percent(record.read(_folder(run)).ratio, 1) or '-'} %, also in {page}"
    config = run.config
    return (
        f"{measure_of(run.dataset.target)} {found['accuracy']:.4f} on {len(run.dataset.y_test)} "
        f"{config.eval_split.replace('_', '-')} examples, {config.model} after {found['epochs']:g} "
        f"epochs on all of {config.dataset}, {found['seconds']:.0f} s{told}"
    )


@_resumable
def _sweep(call: Call) -> str:
    config = configure(call.settings)
    if config.start:
        raise UserError(f"start={config.start} has a set of one size; leave it out of mode=sweep")
    if call.settings["run_dir"] is None:
        config = dataclasses.replace(config, run_dir=f"{config.run_dir}_sweep")
    sizes = jobs.whole_numbers("sizes", call.sizes)
    if not (mine := call.shard.of(sorted(set(sizes)))) and sizes:
        return f"none of the sizes {', '.join(call.sizes)} is this process's"
    sweep.sweep(config, sizes, mine)
    report.write(Path(config.run_dir))
    return sweep.describe(Path(config.run_dir))


def _report(call: Call) -> str:
    folder = call.settings["run_dir"] or configure(call.settings).run_dir
    return f"figures and {report.write(Path(folder))} are drawn again"


@_resumable
def _ranking(call: Call) -> str:
    run = named_run(recall(call.settings))
    if not run.files.read("results.json"):
        raise UserError(f"{run.files.path} holds no finished run; distill it first")
    samples = finished_run(run).distilled.samples
    found = ranking.complete_ranking(run, samples, RANKING_NETWORKS)
    return f"{ranking.describe(found)}\nfigures are in {report.write(_folder(run))}"


def _verify(call: Call) -> str:
    path, loaded, data, given = _set_of(call, "verify")
    found = verification.verify_set(loaded, data, **given)
    if not found.holds:
        told = "; ".join(str(found).splitlines())
        raise NotEqual(
            f"{path}: {told}; compare the data and the versions with those in its card.json"
        )
    return str(found)


def _audit(call: Call) -> str:
    path, loaded, data, given = _set_of(call, "audit")
    dataset = audit.encoded_whole(loaded, data)
    found = audit.audit_set(loaded, dataset, **given)
    page = audit.keep(found, loaded, dataset, path)
    return f"{found}\n{page} shows it, with real training examples" if page else str(found)


def _set_of(call: Call, mode: str) -> tuple[str, LoadedSet, Dataset, dict[str, Any]]:
    """The folder of the set that a mode is about, the set, its data, and how to test it."""
    path, networks = call.set_ or call.settings["run_dir"], call.settings["eval_networks"]
    if path is None:
        raise UserError(f"mode={mode} needs a set; give the folder of one: --mode={mode} FOLDER")
    loaded = load(path)
    given = {"model": call.settings["model"]}
    given |= {} if networks is None else {"networks": networks}
    return path, loaded, verification.named_data(loaded, path, call.settings), given


def _folder(run: Run) -> Path:
    return Path(run.config.run_dir)


MODES: dict[str, Callable[[Call], str]] = {
    "distill": _distill,
    "estimate": _estimate,
    "baselines": _baselines,
    "original": _original,
    "sweep": _sweep,
    "ranking": _ranking,
    "report": _report,
    "verify": _verify,
    "audit": _audit,
}
"""Each gives a text for a person. `main` itself does the modes that need no TensorFlow."""
