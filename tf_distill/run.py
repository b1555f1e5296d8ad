"""One experiment from top to bottom."""

from pathlib import Path
from typing import Any

from tf_distill import datasets, files, outcome, report, saved_set, servable
from tf_distill.config import Config, resolve
from tf_distill.distill import Distillation, distill
from tf_distill.distilled import DistilledSet, initial_samples
from tf_distill.evaluate import Accuracy, evaluator, test_networks
from tf_distill.folder import Metrics, RunFolder
from tf_distill.inner import Samples
from tf_distill.learner import Learner, fixed_network
from tf_distill.loop import outer_loop
from tf_distill.models import NETWORKS
from tf_distill.progress import say


def run(config: Config) -> dict[str, Any]:
    """Distills, evaluates, draws and exports; goes on where an earlier call was interrupted.

    Returns:
        What results.json holds.

    Raises:
        UserError: a mistake in the settings or in what they name.
        Interrupted: on SIGINT or SIGTERM.
    """
    dataset = load_dataset(config)
    folder = RunFolder(config)
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

    def evaluate(samples: Samples | None) -> Accuracy:
        networks = test_networks(learner, config.init, config.eval_networks, config.seed)
        return test(samples, networks)

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
    outer_loop(config, distillation, steps, evaluate, checkpoints, metrics)

    samples = distillation.distilled.samples
    results = outcome.summarize(config, dataset, distillation, evaluate(None), evaluate(samples))
    weights = fixed_network(learner, config.seed) if config.init == "fixed" else []
    metadata = outcome.describe_set(config, dataset, samples)
    saved_set.save(folder.path / "distilled" / "1", samples, weights, metadata)
    model = servable.trained(learner, samples, dataset, config.init, config.seed)
    servable.write(folder.path / "model" / "1", model)
    files.write_json(folder.path / "results.json", results)
    report.write(folder.path)
    return results


def configure(given: dict[str, Any]) -> Config:
    """The complete settings of a run, from those that were given."""
    return resolve(given, datasets.DATASETS, NETWORKS)


def load_dataset(config: Config) -> datasets.Dataset:
    """The dataset of a run, with the split that it is evaluated on as its test split."""
    embeddings = Path(config.embeddings) if config.embeddings else None
    dataset = datasets.DATASETS[config.dataset].load(Path(config.data_dir), embeddings)
    return datasets.hold_out(dataset, config.seed) if config.eval_split == "held_out" else dataset


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
    distilled = DistilledSet(samples, soft=config.labels == "soft")
    return Distillation(distilled, config.outer_lr, config.outer_steps)
