"""Distills a dataset: learns a tiny synthetic one that trains a network nearly as well.

  python -m tf_distill.main                                  # scikit-learn's digits, LeNet
  python -m tf_distill.main --dataset=trec6 --model=bilstm   # six sentences from real questions

The results lie in the run's folder, --run_dir. The same command again goes on where an
interrupted run stood. Where a default reads "by dataset" or "by network", see
tf_distill/datasets/__init__.py and tf_distill/models.py.
"""

import sys

from absl import flags

from tf_distill import cli, startup
from tf_distill.errors import Interrupted

_SETTINGS = [
    flags.DEFINE_string(
        "dataset",
        None,
        "Name: digits, mnist, cifar10, imdb, sst5, trec6, trec50, toy_questions. Default: digits.",
    ),
    flags.DEFINE_string(
        "model",
        None,
        "Network: lenet, alexcifarnet (images); textconvnet, birnn, bilstm (text). "
        "Default: by dataset.",
    ),
    flags.DEFINE_string(
        "data_dir",
        None,
        "Folder with the datasets as tensorflow-datasets prepared them and with "
        "glove/glove.6B.100d.txt. Default: $TFDS_DATA_DIR or ~/tensorflow_datasets.",
    ),
    flags.DEFINE_string(
        "embeddings",
        None,
        "File of word vectors in GloVe's text format. Default: <data_dir>/glove/glove.6B.100d.txt.",
    ),
    flags.DEFINE_string(
        "init",
        None,
        "fixed: one initial network, the same for distillation and use; random: any network of "
        "the same distribution. Default: fixed.",
    ),
    flags.DEFINE_string(
        "labels", None, "soft: learned, any real values; hard: one-hot and left so. Default: soft."
    ),
    flags.DEFINE_string(
        "label_init",
        None,
        "Labels at the start: one_hot, the classes in turn; random, standard normal. "
        "Default: one_hot.",
    ),
    flags.DEFINE_integer(
        "samples_per_step",
        None,
        "Distilled samples in each inner step; any number, also fewer than there are classes. "
        "Default: one a class.",
    ),
    flags.DEFINE_integer(
        "steps", None, "Inner gradient steps an epoch, each with samples of its own. Default: 1."
    ),
    flags.DEFINE_integer(
        "epochs",
        None,
        "Times that the inner steps are gone through, each with its own learning rates. "
        "Default: by network.",
    ),
    flags.DEFINE_integer("outer_steps", None, "Updates of the distilled set. Default: by dataset."),
    flags.DEFINE_float(
        "outer_lr",
        None,
        "Learning rate of the outer Adam at the start; it falls to zero along a cosine. "
        "Default: by network.",
    ),
    flags.DEFINE_float(
        "inner_lr",
        None,
        "Learning rate of the inner gradient steps at the start; it is learned. "
        "Default: by network.",
    ),
    flags.DEFINE_integer(
        "batch_size", None, "Real examples in each outer step. Default: by dataset."
    ),
    flags.DEFINE_integer(
        "networks",
        None,
        "Random networks in each outer step, whose hypergradients are averaged. "
        "Default: 4 with --init=random, else 1.",
    ),
    flags.DEFINE_integer(
        "eval_networks",
        None,
        "Fresh random networks to evaluate with. Default: 20 with --init=random, else 1.",
    ),
    flags.DEFINE_integer(
        "eval_every", None, "Outer steps from one evaluation to the next. Default: a tenth of all."
    ),
    flags.DEFINE_string(
        "eval_split",
        None,
        "test: the whole test split; held_out: a tenth of the training data, set aside, to choose "
        "settings on. Default: test.",
    ),
    flags.DEFINE_integer(
        "seed", None, "All randomness follows from it; 0 to 2147483647. Default: 0."
    ),
    flags.DEFINE_string("run_dir", None, "Folder of the run. Default: runs/<dataset>_<model>."),
]


def main(argv: list[str]) -> int:
    """Runs the experiment that the flags describe."""
    cli.no_arguments(argv)
    with startup.quiet():
        import tensorflow as tf

        from tf_distill import outcome, run

        tf.config.list_logical_devices()  # speaks too, when first asked
    config = run.configure({holder.name: holder.value for holder in _SETTINGS})
    try:
        results = run.run(config)
    except Interrupted as stop:
        print(f"{stop}; the same command goes on from there", file=sys.stderr)
        return 130
    print(outcome.describe(results, config))
    return 0


if __name__ == "__main__":
    cli.run(main, "tf_distill")
