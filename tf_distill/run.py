"""One experiment from top to bottom."""

import dataclasses
from pathlib import Path
from typing import Any

from tf_distill import data_guard, datasets, files, original, outcome, report, saved_set, servable
from tf_distill.config import DATASET, PLACES, Config, data_dir, resolve
from tf_distill.distill import Distillation, distill
from tf_distill.distilled import DistilledSet, initial_samples
from tf_distill.errors import UserError
from tf_distill.evaluate import Accuracy, distillation_ratio, evaluator, test_networks
from tf_distill.folder import Metrics, RunFolder
from tf_distill.inner import Samples
from tf_distill.learner import Learner, fixed_network
from tf_distill.loop import outer_loop
from tf_distill.models import NETWORKS
from tf_distill.progress import say

NETWORKS_ON_THE_WAY = 20
LEARNED = {"soft": ("x", "lr", "y"), "hard": ("x", "lr")}


def run(config: Config) -> dict[str, Any]:
    """Distills, evaluates, draws and exports; goes on where an earlier call was interrupted.

    Returns:
        What results.json holds.

    Raises:
        UserError: a mistake in the settings or in what they name.
        Interrupted: on SIGINT or SIGTERM.
    """
    dataset = load_dataset(config)
    folder = _folder(config)
    if results := folder.results():
        say(f"{folder.path} is finished; delete it, or name another --run_dir, to run again")
        if not (folder.path / report.NAME).exists():
            report.write(folder.path)
        return results
    learner = Learner(NETWORKS[config.model].build(dataset.encoding.shape, dataset.outputs))
    distillation = new_distillation(config, dataset)
    checkpoints = folder.checkpoints(distillation)
    if done := int(distillation.step):
        say(f"going on from outer step {done} of {folder.path}")

    test = evaluator(learner, dataset)

    def evaluate(samples: Samples | None, networks: int) -> Accuracy:
        return test(samples, test_networks(learner, config.init, networks, config.seed))

    def on_the_way(samples: Samples) -> Accuracy:
        return evaluate(samples, min(config.eval_networks, NETWORKS_ON_THE_WAY))

    metrics = Metrics(folder.path, done)
    steps = distill(
        distillation,
        learner,
        dataset,
        outer_steps=config.outer_steps,
        batch_size=config.batch_size,
        networks=config.networks,
        init=config.init,
        seed=config.seed,
    )
    outer_loop(config, distillation, steps, on_the_way, checkpoints, metrics)

    samples = distillation.distilled.samples
    before, after = (evaluate(s, config.eval_networks) for s in (None, samples))
    results = outcome.summarize(config, dataset, distillation, before, after)
    weights = fixed_network(learner, config.seed) if config.init == "fixed" else []
    metadata = outcome.describe_set(config, dataset, samples)
    saved_set.save(folder.path / "distilled" / "1", samples, weights, metadata)
    model = servable.trained(learner, samples, dataset, config.init, config.seed)
    servable.write(folder.path / "model" / "1", model)
    files.write_json(folder.path / "results.json", results)
    report.write(folder.path)
    return results


def _folder(config: Config) -> RunFolder:
    """The run's folder, with what tells own data from others."""
    folder = RunFolder(config)
    if datasets.is_own(config.dataset):
        data_guard.remember(folder.path, datasets.load(dataclasses.asdict(config)))
    return folder


def configure(given: dict[str, Any]) -> Config:
    """The complete settings of a run, from those that were given."""
    named = {name: value for name, value in given.items() if value is not None}
    named = {"dataset": DATASET, "data_dir": data_dir(), **named}
    return resolve(given, datasets.registry(named), NETWORKS)


def recall(given: dict[str, Any]) -> Config:
    """The settings of a run that is there, where they are not given.

    What was given and differs is found when the folder is opened.

    Raises:
        UserError: nothing but a folder was given, and there is no run in it.
    """
    told = {name: value for name, value in given.items() if value is not None}
    path = Path(told.get("run_dir", ""), "config.json")
    if "run_dir" not in told or not path.is_file():
        if "run_dir" in told and not told.keys() - set(PLACES):
            raise UserError(
                f"there is no run in {told['run_dir']}; name the --run_dir of one, or give its "
                "settings to make it"
            )
        return configure(told)
    stored = files.read_json(path)
    known: dict[str, Any] = {
        field.name: stored.get(field.name) for field in dataclasses.fields(Config)
    }
    if datasets.is_own(str(known["dataset"])) and not told.keys() - set(PLACES):
        return Config(**known | told)  # complete: own data need not be here to draw a report
    return configure(known | told)


def load_dataset(config: Config) -> datasets.Dataset:
    """The dataset of a run, with the split that it is evaluated on as its test split.

    Raises:
        UserError: own data are not those that the run began with.
    """
    dataset = datasets.load(dataclasses.asdict(config))
    if datasets.is_own(config.dataset):
        data_guard.check(Path(config.run_dir), dataset)
    return datasets.hold_out(dataset, config.seed) if config.eval_split == "held_out" else dataset


def original_of(config: Config, dataset: datasets.Dataset) -> dict[str, Any]:
    """The original accuracy of the run's network, and how it was trained."""
    network = NETWORKS[config.model]
    return original.cached(
        network.build, dataset, network.training, config.seed, originals(config), config.model
    )._asdict()


def originals(config: Config) -> Path:
    """The folder beside the run's where original accuracies are kept, for other runs."""
    return Path(config.run_dir).parent / "originals"


def add_ratio(config: Config, original_accuracy: float) -> None:
    """Adds the original accuracy, and the distillation ratio r_M, to results.json."""
    path = Path(config.run_dir, "results.json")
    results = files.read_json(path)
    ratio = distillation_ratio(results["accuracy"]["mean"], original_accuracy)
    files.write_json(path, results | {"original_accuracy": original_accuracy, "ratio": ratio})


def new_distillation(config: Config, dataset: datasets.Dataset) -> Distillation:
    """The state that every run of these settings begins with."""
    samples = initial_samples(
        dataset.encoding.shape,
        len(dataset.classes),
        steps=config.steps,
        samples_per_step=config.samples_per_step,
        epochs=config.epochs,
        inner_lr=config.inner_lr,
        label_init=config.label_init,
        seed=config.seed,
    )
    distilled = DistilledSet(samples, LEARNED[config.labels])
    return Distillation(distilled, config.outer_lr, config.outer_steps)
