"""Settings of full training, compared on folds of the training data alone.

python benchmarks/full_training.py --dataset=sst5 --model=birnn --weight_decay=3
"""

import dataclasses

import folds
import numpy as np
from absl import app, flags

from tf_distill.common import say
from tf_distill.datasets import load
from tf_distill.evaluation import original
from tf_distill.networks import NETWORKS
from tf_distill.runs import configure

_DATASET = flags.DEFINE_string("dataset", "digits", "As for the main program, as is the next.")
_MODEL = flags.DEFINE_string("model", None, "The network.")
_FOLDS = flags.DEFINE_integer(
    "folds", 2, "How many of the five folds are tested on.", lower_bound=1, upper_bound=folds.PARTS
)
_CHANGED = [
    flags.DEFINE_float("lr", None, "Of Adam at the start; by default as usual, as are the next."),
    flags.DEFINE_integer("epochs", None, "Through the training data."),
    flags.DEFINE_float("dropout", None, "Rate."),
    flags.DEFINE_float("weight_decay", None, "Share of the learning rate."),
]


def main(_: list[str]) -> None:
    """Prints the accuracy on each fold, and their mean."""
    config = configure({"dataset": _DATASET.value, "model": _MODEL.value})
    dataset, network = load(dataclasses.asdict(config)), NETWORKS[config.model]
    changed = {flag.name: flag.value for flag in _CHANGED if flag.value is not None}
    training = network.training._replace(**changed)
    accuracies = []
    for number in range(_FOLDS.value):
        data = folds.fold(dataset, number)
        make = original.maker(network.build, data, training)
        found = original.original_accuracy(make, data, training, number, f"fold {number}")
        accuracies.append(found.accuracy)
        say(f"fold {number}: {100 * found.accuracy:.2f}% of {len(data.y_test)}")
    say(f"{config.model} on {config.dataset}, {training}: {100 * np.mean(accuracies):.2f}%")


if __name__ == "__main__":
    app.run(main)
