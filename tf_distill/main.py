"""Distills a dataset: learns a tiny synthetic one that trains a network nearly as well.

  python -m tf_distill.main                                  # scikit-learn's digits, LeNet
  python -m tf_distill.main --dataset=trec6 --model=bilstm   # six sentences from real questions
  python -m tf_distill.main --dataset=csv:train.csv --embeddings=train   # your own texts
  python -m tf_distill.main --mode=baselines --run_dir=runs/trec6_bilstm   # beside baselines
  python -m tf_distill.main --mode=compare runs/*            # several runs in one table
  python -m tf_distill.main --mode=verify runs/digits_lenet  # does a set give its accuracy here
  python -m tf_distill.main --mode=audit runs/digits_lenet   # what it tells of the real data

The results are in the run's folder, --run_dir. The same command continues an interrupted run.
Defaults "by dataset" are in tf_distill/datasets/known.py, those "by network" in
tf_distill/networks/registry.py. Other flags, such as --flagfile=FILE, are absl's: --helpfull.
"""

import functools
import os
from collections.abc import Iterable, Mapping
from typing import Any

from absl import flags

from tf_distill import jobs
from tf_distill.common import UserError, cli, startup, unknown_name
from tf_distill.report import table

_text = functools.partial(flags.DEFINE_string, default=None)
_count = functools.partial(
    flags.DEFINE, cli.Whole(), default=None, serializer=flags.ArgumentSerializer()
)
_number = functools.partial(flags.DEFINE_float, default=None)
_truth = functools.partial(flags.DEFINE_boolean, default=None)

_SETTINGS: dict[str, list[flags.FlagHolder]] = {
    "Data": [
        _text(
            "dataset",
            help="Name: digits, mnist, cifar10, imdb, sst5, trec6, trec50, toy_questions. Or own "
            "data: csv:FILE (labelled texts as CSV, TSV or JSON, also .gz, .zip), table:FILE (rows "
            "of numbers and categories as CSV, TSV, JSON or Parquet, with a class or a quantity), "
            "folder:PATH (a folder of images for each class), npz:FILE (images, in the format of "
            "Keras's archives), tfds:NAME (a dataset of tensorflow-datasets that has an image or a "
            "text, and a class). Default: digits.",
        ),
        _text(
            "test_data",
            help="File or folder to test on, in the format of csv:FILE, table:FILE or folder:PATH. "
            "Default: folder:PATH/test if there is one, else a fifth of the data, stratified.",
        ),
        _text(
            "text_column",
            help="Column of csv:FILE with the texts, or feature of tfds:NAME. Default: one with a "
            "usual name (text, sentence, review ...), else the only one with several words in a "
            "value. In a file without names of columns: its position, from 1.",
        ),
        _text(
            "label_column",
            help="Column or feature with the classes or the quantity. Default: one with a usual "
            "name (label, class, category ...), else the only one with few different values.",
        ),
        _text(
            "image_size",
            help="Pixels that own images are scaled to: 28, or height and width as 28x32. "
            "Default: the size of most images, within 12 to 64.",
        ),
        _number(
            "text_length",
            help="Words that own texts are cut or padded to. Default: so many that 95 of 100 fit "
            "in, within 5 to 50.",
        ),
        _text(
            "task",
            help="What the labels of table:FILE and npz:FILE are: classes; regression, for a "
            "quantity. Default: regression if they have fractions, else classes.",
        ),
        _truth(
            "skip_bad",
            help="Leave out the images of folder:PATH that can't be read. Default: an error names "
            "them.",
        ),
        _text(
            "embeddings",
            help="File of word vectors (GloVe, word2vec or fastText as text, or .npz), or train: "
            "made from the training texts, nothing to download. Default: "
            "<data_dir>/glove/glove.6B.100d.txt.",
        ),
        _text(
            "data_dir",
            help="Folder with the datasets that tensorflow-datasets prepared, and with "
            "glove/glove.6B.100d.txt. Default: $TFDS_DATA_DIR or ~/tensorflow_datasets.",
        ),
    ],
    "Network": [
        _text(
            "model",
            help="lenet, alexcifarnet, convnet (or convnet-WIDTH-DEPTH, such as convnet-64 or "
            "convnet-64-2); textconvnet, birnn, bilstm; for tables mlp, resnet_mlp, linear; or "
            "your own, as module:function, such as my_networks:build for my_networks.py here. "
            "Default: by dataset.",
        ),
        _text(
            "init",
            help="fixed: one initial network, the same for distillation and use; random: any "
            "network drawn by the same initializers. Default: random, for replay fixed.",
        ),
    ],
    "Distillation": [
        _text(
            "use",
            help="training: the set serves any ordinary training, such as Keras's fit, of any "
            "network; replay: it serves in its own steps at its own learning rates, the paper's "
            "way. Other defaults follow from it. Default: training for own data, else replay.",
        ),
        _count(
            "samples_per_step",
            help="Distilled samples in an inner step, of a minibatch; can be fewer than classes. "
            "Default: ten a class in all, for replay one a class; 30 and ten for a quantity.",
        ),
        _count(
            "steps",
            help="Inner steps in an epoch: as many minibatches have all samples together. Default: "
            "4, or 5 for an odd number of classes; 1 for replay.",
        ),
        _count(
            "epochs",
            help="Passes through all samples when the set is used. Default: by network.",
        ),
        _text(
            "learn",
            help="What is learned, of samples,labels,rates. labels: samples stay real examples. "
            "Default: samples,labels, for replay all.",
        ),
        _text(
            "labels",
            help="probabilities: learned ones; soft: learned, any numbers; quantities: learned, of "
            "--task=regression; hard: stay as they start. Default: probabilities, for replay soft, "
            "for regression quantities.",
        ),
        _text("label_init", help="First labels: one_hot; random. Default: one_hot."),
        _text(
            "sample_init",
            help="First samples: normal (noise); real (training examples); k_means (centres of "
            "clusters); medoids (the real examples nearest to these); matching_pursuit (the real "
            "examples that explain the classes best); linear (training examples, moved along a "
            "linear classifier). Default: by network; matching_pursuit for --learn=labels.",
        ),
        _number("sample_scale", help="Factor of the first samples. Default: by network, 0.3 or 1."),
        _text(
            "start",
            help="Continue from the distilled set of this run or export. Default: new samples.",
        ),
        _text(
            "inner_optimizer",
            help="Inner optimizer: sgd; momentum (SGD with a momentum of 0.9); adam. Default: "
            "adam, for replay sgd.",
        ),
        _number(
            "inner_lr",
            help="Inner learning rate; replay learns one for each step from it. Default: by "
            "network.",
        ),
        _count(
            "unroll",
            help="Inner steps of a training in an outer step, at most. Default: by network.",
        ),
        _count(
            "window",
            help="Inner steps among them, at a random place, that are differentiated. Default: by "
            "network.",
        ),
        _text(
            "augment",
            help="Random change of images, of the set and of real data: none; shift; "
            "crop_and_flip. Default: none.",
        ),
        _number(
            "outer_lr",
            help="Learning rate of the outer Adam at the start; it falls to zero along a cosine. "
            "Default: by network.",
        ),
        _number("outer_momentum", help="Beta1 of the outer Adam. Default: by network."),
        _count(
            "outer_steps",
            help="Updates of the distilled set. Default: by dataset; of --use=training by network.",
        ),
        _count("batch_size", help="Real examples in an outer step. Default: by dataset."),
        _count(
            "networks",
            help="Random networks in each outer step; their hypergradients are averaged. Default: "
            "1.",
        ),
    ],
    "Evaluation": [
        _count(
            "eval_networks",
            help="New random networks that test the final set; earlier evaluations take at most "
            "20, of --use=training 3. Default: 200 with --init=random, but 20 where training one "
            "takes long; else 1.",
        ),
        _count(
            "eval_every",
            help="Outer steps from one evaluation to the next. Default: a tenth of all.",
        ),
        _text(
            "eval_split",
            help="Data for evaluations. test: the whole test split; held_out: a tenth of the "
            "training data, set aside, to choose settings on. Default: test.",
        ),
        _text(
            "keep",
            help="Set that is exported. last: after the last outer step; best: with the highest "
            "accuracy on a tenth of the training data, which is set aside for it. Default: last.",
        ),
        _count(
            "early_stopping",
            help="Stop after so many evaluations without a higher accuracy. Default: never.",
        ),
    ],
    "Run": [
        _text(
            "run_dir",
            help="Folder of the run. Default: runs/<dataset>_<model>, for a sweep with _sweep "
            "added. The modes baselines, original and ranking take settings that are not given "
            "from its run.",
        ),
        _count("seed", help="Seed of everything random. Default: 0."),
        _number("checkpoint_minutes", help="Most minutes between checkpoints. Default: 2."),
        _truth(
            "deterministic",
            help="The same bits every time on a GPU too, by TensorFlow's op determinism, which is "
            "slower. A CPU does not need it. Default: false.",
        ),
        _truth("jit_compile", help="Outer steps by XLA: for GPUs. Default: false."),
        _text(
            "distribution",
            help="Devices that share the networks, or a single network's real batch. none; "
            "mirrored: this machine's GPUs; multiworker: the machines in TF_CONFIG. Default: none.",
        ),
    ],
}
"""The settings of a run, grouped as in --help."""

_PROTOCOL = [
    _count("baseline_sets", help="baselines: draws of random real samples. Default: 20."),
    _count("baseline_networks", help="baselines: networks to test a row. Default: 200."),
    _count("sgd_epochs", help="baselines: epochs of ordinary SGD. Default: 100."),
    _count("control_steps", help="baselines: outer steps of learned labels. Default: 2000."),
]

_MODE = flags.DEFINE_string(
    "mode",
    "distill",
    "distill: make a set, evaluate and export it; estimate: only tell the memory and time that it "
    "would take; baselines: compare it with baselines and controls; original: train its network "
    "on all of the real data, for the ratio; sweep: distill sets of several --sizes; ranking: does "
    "the set rank variants of its network as full training does; report: draw the figures and "
    "report.html again; compare: the runs in the given folders, in one table; each: run the given "
    "flag files, one after the other; verify: does the set in the given folder give its accuracy "
    "here, by --eval_networks (default 5); audit: what does the set in the folder tell of the "
    "real examples.",
)
_ROWS = flags.DEFINE_list(
    "rows",
    [],
    "baselines: measure only these now, such as random_real,k_means. A wrong name lists all.",
)
_SIZES = flags.DEFINE_list(
    "sizes", ["1", "2", "3", "5", "10", "20"], "sweep: numbers of distilled samples."
)
_SEEDS = flags.DEFINE_list("seeds", [], "each: seeds of each flag file.")
_SHARD = flags.DEFINE_string(
    "shard", "1/1", "sweep, each: the part i/n of this process, where n share the work."
)
_OUT = flags.DEFINE_string("out", None, "compare: file of the table: .csv, .html or .txt.")
_VERSION = flags.DEFINE_boolean("version", False, "Only print the version.")
_GROUPS: dict[str, list[flags.FlagHolder]] = {
    **_SETTINGS,
    "Mode": [_MODE, *_PROTOCOL, _ROWS, _SIZES, _SEEDS, _SHARD, _OUT, _VERSION],
}
_PATHS = ("data_dir", "run_dir", "embeddings", "test_data")

MODES: dict[str, tuple[str, ...]] = {
    "distill": (),
    "estimate": (),
    "baselines": (*(holder.name for holder in _PROTOCOL), "rows"),
    "original": (),
    "sweep": ("sizes", "shard"),
    "ranking": (),
    "report": (),
    "compare": ("out",),
    "each": ("seeds", "shard"),
    "verify": (),
    "audit": (),
}
"""All modes, each with the flags that do something in it and not in every other."""


def check_flags(mode: str, given: Iterable[str]) -> None:
    """Raises UserError for an unknown mode, or a given flag that does nothing in it."""
    if mode not in MODES:
        raise unknown_name("mode", mode, MODES)
    for name in given:
        modes = [other for other, own in MODES.items() if name in own]
        if modes and mode not in modes:
            raise UserError(
                f"--{name} is for mode={' or mode='.join(modes)}, got mode={mode}; leave it out, "
                "or name that mode"
            )


def help_text() -> str:
    """What --help prints: the flags by groups."""
    lines = [str(__doc__)]
    for group, holders in _GROUPS.items():
        lines.append(f"{group}:")
        for holder in holders:
            told = flags.FLAGS[holder.name].help
            lines.append(flags.text_wrap(f"--{holder.name}: {told}", None, "      ", "  "))
        lines.append("")
    return "\n".join(lines)


def _told(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, with `~` as the home folder: a shell only expands it where a word begins."""
    told = {holder.name: values[holder.name] for group in _SETTINGS.values() for holder in group}
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
    set_ = None
    if _MODE.value in ("verify", "audit"):
        if len(argv) > 2:
            raise UserError(
                f"got {len(argv) - 1} arguments, expected one folder of a set; give them one by one"
            )
        set_ = argv.pop() if len(argv) == 2 else None
    cli.no_arguments(argv)
    kind = settings["distribution"] or "none"
    if kind != "none" and _MODE.value != "distill":
        raise UserError(
            f"distribution={kind} is for mode=distill, got mode={_MODE.value}; leave one of them "
            "out"
        )
    startup.share_cores()
    with startup.quiet(silent=kind == "multiworker"):
        import tensorflow as tf

        from tf_distill import core, modes

        if settings["deterministic"]:
            tf.config.experimental.enable_op_determinism()
        replicas = core.start_distribution(kind)
        tf.config.list_logical_devices()  # TensorFlow prints lines when first asked
    call = modes.Call(
        settings=settings,
        protocol={holder.name: holder.value for holder in _PROTOCOL},
        rows=_ROWS.value,
        sizes=_SIZES.value,
        shard=shard,
        distribution=replicas,
        set_=set_,
    )
    print(modes.MODES[_MODE.value](call))
    return 0


if __name__ == "__main__":
    cli.run(main, "tf_distill", _VERSION, help_text)
