"""Distills a dataset: learns a tiny synthetic one that trains a network nearly as well.

  python -m tf_distill.main                                  # scikit-learn's digits, LeNet
  python -m tf_distill.main --dataset=trec6 --model=bilstm   # six sentences from real questions
  python -m tf_distill.main --dataset=csv:train.csv --embeddings=train   # one's own texts
  python -m tf_distill.main --mode=baselines --run_dir=runs/trec6_bilstm   # beside baselines
  python -m tf_distill.main --mode=compare runs/*            # several runs in one table

Results are in the run's folder, --run_dir. The same command again continues an interrupted
run. For defaults "by dataset" see tf_distill/datasets/__init__.py, for those "by network"
tf_distill/models.py.
"""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from typing import Any

from absl import flags

from tf_distill.common import UserError, cli, startup, unknown_name
from tf_distill.config import Protocol
from tf_distill.core import start_distribution
from tf_distill.report import table
from tf_distill.runs import jobs

_SETTINGS = [
    flags.DEFINE_string(
        "dataset",
        None,
        "Name: digits, mnist, cifar10, imdb, sst5, trec6, trec50, toy_questions. Or own data: "
        "csv:FILE (labelled texts as CSV, TSV or JSON lines, also .gz), folder:PATH (a folder of "
        "PNG, JPEG or BMP for each class), npz:FILE (images, in the format of Keras's archives), "
        "tfds:NAME (a dataset of tensorflow-datasets that has an image or a text, and a class). "
        "Default: digits.",
    ),
    flags.DEFINE_string(
        "test_data",
        None,
        "File or folder to test on, in the format of csv:FILE or folder:PATH. Default: "
        "folder:PATH/test if there is one, else a fifth of the data, stratified.",
    ),
    flags.DEFINE_string(
        "text_column",
        None,
        "Column of csv:FILE with the texts, or feature of tfds:NAME. Default: one with a usual "
        "name (text, sentence, review ...), else the only one with several words in a value.",
    ),
    flags.DEFINE_string(
        "label_column",
        None,
        "Column or feature with the classes. Default: one with a usual name (label, class, "
        "category ...), else the only one with few different values.",
    ),
    flags.DEFINE_string(
        "image_size",
        None,
        "Pixels that own images are scaled to: 28, or height and width as 28x32. Default: the "
        "size of most images, within 12 to 64.",
    ),
    flags.DEFINE_string(
        "model", None, "lenet, alexcifarnet; textconvnet, birnn, bilstm. Default: by dataset."
    ),
    flags.DEFINE_string(
        "data_dir",
        None,
        "Folder with the datasets that tensorflow-datasets prepared, and with "
        "glove/glove.6B.100d.txt. Default: $TFDS_DATA_DIR or ~/tensorflow_datasets.",
    ),
    flags.DEFINE_string(
        "embeddings",
        None,
        "File of word vectors (GloVe, word2vec or fastText as text, or .npz), or train: made from "
        "the training texts, nothing to download. Default: <data_dir>/glove/glove.6B.100d.txt.",
    ),
    flags.DEFINE_string(
        "init",
        None,
        "fixed: one initial network, the same for distillation and use; random: any network "
        "drawn by the same initializers. Default: fixed.",
    ),
    flags.DEFINE_string("labels", None, "soft: learned; hard: stay one-hot. Default: soft."),
    flags.DEFINE_string("label_init", None, "First labels: one_hot; random. Default: one_hot."),
    flags.DEFINE_string(
        "sample_init",
        None,
        "First samples: normal (noise); real (training examples); linear (these, moved along a "
        "linear classifier). Default: by network.",
    ),
    flags.DEFINE_float("sample_scale", None, "Factor of the first samples. Default: 1."),
    flags.DEFINE_string("start", None, "Run whose set is learned further. Default: new samples."),
    flags.DEFINE_integer(
        "samples_per_step",
        None,
        "Distilled samples in an inner step; can be fewer than classes. Default: one a class.",
    ),
    flags.DEFINE_integer(
        "steps", None, "Inner steps in an epoch, each with samples of its own. Default: 1."
    ),
    flags.DEFINE_integer(
        "epochs",
        None,
        "Passes through the inner steps, each with learning rates of its own. Default: by network.",
    ),
    flags.DEFINE_integer("outer_steps", None, "Updates of the distilled set. Default: by dataset."),
    flags.DEFINE_float(
        "outer_lr",
        None,
        "Learning rate of the outer Adam at the start; it falls to zero along a cosine. "
        "Default: by network.",
    ),
    flags.DEFINE_float("outer_momentum", None, "Beta1 of the outer Adam. Default: by network."),
    flags.DEFINE_float(
        "inner_lr", None, "Inner learning rates before they are learned. Default: by network."
    ),
    flags.DEFINE_integer("batch_size", None, "Real examples an outer step. Default: by dataset."),
    flags.DEFINE_integer(
        "networks",
        None,
        "Random networks in each outer step; their hypergradients are averaged. Default: 1.",
    ),
    flags.DEFINE_integer(
        "eval_networks",
        None,
        "New random networks that the final set is evaluated with; earlier evaluations take at "
        "most 20. Default: 200 with --init=random, else 1.",
    ),
    flags.DEFINE_integer(
        "eval_every", None, "Outer steps from one evaluation to the next. Default: a tenth of all."
    ),
    flags.DEFINE_string(
        "eval_split",
        None,
        "Data for evaluations. test: the whole test split; held_out: a tenth of the training "
        "data, set aside, to choose settings on. Default: test.",
    ),
    flags.DEFINE_string(
        "keep",
        None,
        "Set that is exported. last: after the last outer step; best: with the highest accuracy "
        "on a tenth of the training data, which is set aside for it. Default: last.",
    ),
    flags.DEFINE_integer(
        "early_stopping", None, "Stop after so many evaluations that are no better. Default: never."
    ),
    flags.DEFINE_integer("seed", None, "Seed of everything random. Default: 0."),
    flags.DEFINE_string(
        "run_dir",
        None,
        "Folder of the run. Default: runs/<dataset>_<model>, for a sweep with _sweep added. The "
        "modes baselines, original and ranking take settings that are not given from its run.",
    ),
    flags.DEFINE_float("checkpoint_minutes", None, "Most minutes between checkpoints. Default: 2."),
    flags.DEFINE_boolean(
        "deterministic",
        None,
        "The same bits every time on a GPU too, by TensorFlow's op determinism, which is slower. A "
        "CPU does not need it. Default: false.",
    ),
    flags.DEFINE_boolean("jit_compile", None, "Outer steps by XLA: for GPUs. Default: false."),
    flags.DEFINE_string(
        "distribution",
        None,
        "Where the networks, or a single network's real batch, are shared out. none; mirrored: "
        "among this machine's GPUs; multiworker: among the machines in TF_CONFIG. Default: none.",
    ),
]

_PROTOCOL = [
    flags.DEFINE_integer(
        "baseline_sets", None, "Draws of random real samples, for --mode=baselines. Default: 20."
    ),
    flags.DEFINE_integer(
        "baseline_networks", None, "Networks to test a row, for --mode=baselines. Default: 200."
    ),
    flags.DEFINE_integer(
        "sgd_epochs", None, "Epochs of ordinary SGD, for --mode=baselines. Default: 100."
    ),
    flags.DEFINE_integer(
        "control_steps", None, "Outer steps of learned labels, for --mode=baselines. Default: 2000."
    ),
]

_MODE = flags.DEFINE_string(
    "mode",
    "distill",
    "distill: make a set, evaluate and export it; estimate: only tell the memory that it would "
    "take; baselines: compare it with six baselines and the controls; original: train its network "
    "on all of the real data, for the ratio; sweep: distill sets of several --sizes; ranking: does "
    "the set rank variants of its network as full training does; report: draw the figures and "
    "report.html again; compare: the runs in the given folders, in one table; each: run the given "
    "flag files, one after the other.",
)
_SIZES = flags.DEFINE_list(
    "sizes", ["1", "2", "3", "5", "10", "20"], "Numbers of distilled samples, for --mode=sweep."
)
_SEEDS = flags.DEFINE_list("seeds", [], "Seeds of each flag file, for --mode=each.")
_SHARD = flags.DEFINE_string(
    "shard", "1/1", "This process's part, i/n, where n share --mode=sweep or --mode=each."
)
_OUT = flags.DEFINE_string("out", None, "File of --mode=compare's table: .csv, .html or .txt.")
_VERSION = flags.DEFINE_boolean("version", False, "Only print the version.")
_PATHS = ("data_dir", "run_dir", "embeddings", "test_data")


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, with `~` as the home folder: a shell only expands it where a word begins."""
    told = {holder.name: values[holder.name] for holder in _SETTINGS}
    return told | {name: os.path.expanduser(told[name]) for name in _PATHS if told[name]}


def main(argv: list[str]) -> int:
    """Does what --mode says with the experiment that the flags describe."""
    check_flags(_MODE.value, [name for name in flags.FLAGS if flags.FLAGS[name].present])
    settings = _told(flags.FLAGS.flag_values_dict())
    shard = jobs.Shard.parse(_SHARD.value)
    if _MODE.value == "compare":
        print(table.describe(argv[1:], _OUT.value))
        return 0
    if _MODE.value == "each":
        seeds = jobs.whole_numbers("seeds", _SEEDS.value)
        read = lambda arguments: _told(cli.values_of(arguments))  # noqa: E731
        print(jobs.run_each(argv[1:], seeds, settings, shard, read))
        return 0
    cli.no_arguments(argv)
    kind = flags.FLAGS.distribution or "none"
    startup.share_cores()
    with startup.quiet(silent=kind == "multiworker"):
        import tensorflow as tf

        from tf_distill import modes

        if flags.FLAGS.deterministic:
            tf.config.experimental.enable_op_determinism()
        if kind != "none" and _MODE.value != "distill":
            raise UserError(
                f"--distribution={kind} is for --mode=distill, got --mode={_MODE.value}; leave "
                "one of them out"
            )
        replicas = start_distribution(kind)
        tf.config.list_logical_devices()  # speaks too, when first asked
    call = modes.Call(
        settings=settings,
        protocol={holder.name: holder.value for holder in _PROTOCOL},
        sizes=_SIZES.value,
        shard=shard,
        distribution=replicas,
    )
    print(modes.MODES[_MODE.value](call))
    return 0


if __name__ == "__main__":
    cli.run(main, "tf_distill", _VERSION)


OWN: dict[str, tuple[str, ...]] = {
    "distill": (),
    "estimate": (),
    "baselines": tuple(field.name for field in dataclasses.fields(Protocol)),
    "original": (),
    "sweep": ("sizes", "shard"),
    "ranking": (),
    "report": (),
    "compare": ("out",),
    "each": ("seeds", "shard"),
}
"""All modes, each with the flags that do something in it and not in every other."""


def check_flags(mode: str, given: Iterable[str]) -> None:
    """Raises UserError where there is no such mode, or one of the flags given is for others."""
    if mode not in OWN:
        raise unknown_name("--mode", mode, OWN)
    for name in given:
        modes = [other for other, own in OWN.items() if name in own]
        if modes and mode not in modes:
            raise UserError(
                f"--{name} is for --mode={' or --mode='.join(modes)}, got --mode={mode}; leave it "
                "out, or name that mode"
            )
