"""One experiment from top to bottom."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any
from tf_distill.runs.folder import check_inputs, of_data, of_python, recall_inputs, remember_inputs
from tf_distill.runs.results import commit, compared_with, with_original
from tf_distill import datasets
from tf_distill.common import UserError, folder_lock, read_checked, say, write_json
from tf_distill.config import Config, DATASET, FREE, OWN, completed, data_dir, resolve
from tf_distill.core import Distribution, Learner, Samples
from tf_distill.evaluation import original
from tf_distill.evaluation.original import Keeping
from tf_distill.export import distilled_set, servable
from tf_distill.networks.registry import NETWORKS
from tf_distill.report import report
from tf_distill.runs import experiment, folder, memory, results, warm_start
from tf_distill.runs.experiment import Experiment, Finished, carry_out
from tf_distill.runs.folder import RunFolder, begun, check_same

DONE, TO_DO = 0, 1
"""What the chief says of the run to other workers."""


def run(config: Config, distribution: Distribution | None = None) -> dict[str, Any]:
    """Distills, evaluates, draws and exports; goes on where an earlier call was interrupted.

    Args:
        config: all settings.
        distribution: the replicas that share the outer steps; of several workers the chief alone
            evaluates and writes.

    Returns:
        What results.json holds; nothing on other workers than the chief.

    Raises:
        UserError: a mistake in the settings or in what they name.
        WorkerLost: another worker is gone.
        Interrupted: on SIGINT or SIGTERM.
    """
    distribution = distribution or Distribution()
    folder = RunFolder(config.run_dir)  # before what is in it is read
    dataset = load_dataset(config)
    work = _experiment(config, dataset, distribution)
    work.check()
    with distribution.watched():
        if distribution.workers > 1:  # to hash the data takes time and memory
            distribution.check_same(f"{config.deciding()} {datasets.fingerprint(dataset)}")
        results = _of_chief(work, folder) if distribution.chief else _of_other(work)
        distribution.wait()
    return results


def _of_chief(work: Experiment, folder: RunFolder) -> dict[str, Any]:
    folder.check(work.config)

    def begin() -> None:
        work.distribution.share(TO_DO)
        commit()  # asked early, as the code is now
        if datasets.is_own(work.config.dataset):  # what tells own data from others
            remember_inputs(folder.path, of_data(_whole(work.config)))

    if finished := carry_out_once(work, folder, begin):
        return finished.results
    work.distribution.share(DONE)
    say(f"{folder.path} is finished; delete it, or name another --run_dir, to run again")
    if not (folder.path / report.NAME).exists():
        report.write(folder.path)
    return folder.results() or {}


def _of_other(work: Experiment) -> dict[str, Any]:
    if work.distribution.share(DONE) == TO_DO:
        carry_out(work)
    return {}


def estimate(config: Config) -> str:
    """The memory that `run` would take, and what there is, in words; nothing of it is run.

    Raises:
        UserError: there is not enough.
    """
    found = experiment.estimate(_experiment(config, load_dataset(config), Distribution()))
    say(memory.describe_memory(found, config))
    return memory.check_memory(found, config)


def _experiment(
    config: Config, dataset: datasets.Dataset, distribution: Distribution
) -> Experiment:
    network = NETWORKS[config.model].build(dataset.encoding.shape, dataset.outputs)
    learner = Learner(network)
    folder = Path(config.run_dir) if distribution.chief else None
    config, start = warm_start.of(config, dataset, learner, folder)
    return Experiment(config, learner, dataset, distribution=distribution, start=start)


def configure(given: dict[str, Any]) -> Config:
    """The complete settings of a run, from those that were given.

    Raises:
        UserError: one of them is wrong, or does nothing.
    """
    config, entry = _completed(warm_start.without_what_it_brings(given))
    if config.embeddings is not None and not (entry.kind == "text" and entry.vectors):
        raise UserError(
            f"--embeddings is not for --dataset={config.dataset}, expected texts without vectors "
            "of their own; leave it out"
        )
    return config


def _completed(given: dict[str, Any]) -> tuple[Config, datasets.Entry]:
    given = {**given, "start": warm_start.place(given.get("start"))}
    named = {name: value for name, value in given.items() if value is not None}
    named = {"dataset": DATASET, "data_dir": data_dir(), **named}
    known = datasets.registry(named)
    config = resolve(given, known, NETWORKS)
    return config, known[config.dataset]


def recall(given: dict[str, Any]) -> Config:
    """The settings of a run that is there, where they are not given.

    Raises:
        UserError: nothing but a folder was given, and there is no run in it; or the run
            there has other settings than were given, or what only Python has.
    """
    told = {name: value for name, value in given.items() if value is not None}
    if "run_dir" not in told:
        return configure(told)
    path = Path(told["run_dir"], "config.json")
    by_folder = not told.keys() - set(FREE)
    if by_folder and not path.is_file():
        raise UserError(
            f"there is no run in {told['run_dir']}; name the --run_dir of one, or give its "
            "settings to make it"
        )
    if not by_folder and not (begun(path.parent) and path.is_file()):
        return configure(told)
    stored = completed(read_checked(path))
    _check_named(path.parent, stored)
    known: dict[str, Any] = {
        field.name: stored.get(field.name) for field in dataclasses.fields(Config)
    }
    config, _ = _completed(known | told)  # an earlier version's may name what does nothing
    check_same(config, path)
    return config


def _check_named(folder: Path, stored: dict[str, Any]) -> None:
    """Raises UserError where a run has data or a network that no setting can name."""
    dataset, model = stored["dataset"], stored["model"]
    unnamed = {
        "data": dataset not in datasets.DATASETS and not datasets.is_own(dataset),
        "network": model.startswith(OWN),
    }
    if any(unnamed.values()) and of_python(recall_inputs(folder)):
        lacking = " and ".join(what for what, lacks in unnamed.items() if lacks)
        raise UserError(
            f"{folder} was made from Python, and only Python has its {lacking}; call compare() or "
            "original() of what the same td.distill gives; modes of the command line need a run "
            "whose data and network it can name, such as --dataset=csv:FILE"
        )


def load_dataset(config: Config) -> datasets.Dataset:
    """The dataset of a run, with the split that it is evaluated on as its test split.

    Raises:
        UserError: the data are not those that the run began with.
    """
    folder, dataset = Path(config.run_dir), _whole(config)
    if begun(folder) and (before := recall_inputs(folder)):
        check_inputs(folder, before, of_data(dataset))
    return datasets.hold_out(dataset, config.seed) if config.eval_split == "held_out" else dataset


def _whole(config: Config) -> datasets.Dataset:
    return datasets.load(dataclasses.asdict(config))


def original_of(config: Config, dataset: datasets.Dataset) -> dict[str, Any]:
    """The original accuracy of the run's network, and how it was trained."""
    network = NETWORKS[config.model]
    make = original.maker(network.build, dataset, network.training)
    return original.cached(
        make, dataset, network.training, config.seed, originals(config), config.model
    )._asdict()


def originals(config: Config) -> Keeping:
    """Where original accuracies are kept for all runs beside this one; hidden from `runs/*`."""
    return Keeping(Path(config.run_dir).parent / ".originals", config.checkpoint_minutes)


def carry_out_once(
    experiment: Experiment, folder: RunFolder, begin: Callable[[], None]
) -> Finished | None:
    """Carries out what a folder does not hold yet, and writes it there.

    Args:
        experiment: what to do.
        folder: to read and write.
        begin: is called first where there is something to do, while no other process is at it.

    Returns:
        The outcome, or None where it is in the folder already.

    Raises:
        UserError: another process is at work there, or has been since the folder was looked at.
    """
    if folder.begun and folder.results():
        return None
    with folder.locked():
        folder.settle(experiment.config)
        if folder.results():  # of a process that has gone on with it and just ended
            return None
        begin()
        finished = carry_out(experiment, folder)
        write(experiment, finished, folder.path)
        return finished


def write(experiment: Experiment, finished: Finished, folder: Path) -> None:
    """Writes the set, the trained model, the results, figures and the report to a run's folder."""
    write_set(finished, folder / "distilled" / "1")
    write_model(experiment, finished.samples, folder / "model" / "1")
    write_json(folder / "results.json", finished.results)
    report.write(folder)


def write_set(finished: Finished, path: Path) -> None:
    """Writes the distilled set as a SavedModel."""
    loaded = distilled_set.LoadedSet(
        finished.samples, finished.weights, finished.metadata, frozen_weights=finished.frozen
    )
    distilled_set.save(path, loaded)


def write_model(experiment: Experiment, samples: Samples, path: Path) -> None:
    """Trains the network on the set and writes it as a servable SavedModel."""
    config = experiment.config
    model = servable.trained(
        experiment.learner, samples, experiment.dataset, config.init, config.seed
    )
    servable.write(path, model)


def set_original(folder: Path, original: dict[str, Any]) -> float | None:
    """Writes the original accuracy, and all ratios to it, to the files of a finished run.

    Args:
        folder: of the run.
        original: the accuracy, and how the network was trained for it.

    Returns:
        The ratio r_M of the distilled set.
    """
    results, comparison = folder / "results.json", folder / "comparison.json"
    with folder_lock(folder):
        compared = read_checked(comparison)  # a damaged one leaves the other as it is
        found = with_original(read_checked(results), original)
        if compared:
            write_json(comparison, compared_with(compared, original))
        write_json(results, found)
    return found["ratio"]
