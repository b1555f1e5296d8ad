"""Exports the distilled set of a run, for pipelines that never saw this code.

python export/distilled_set.py --run_dir=runs/digits_lenet --export_dir=exports/digits_set
python export/distilled_set.py --run_dir=runs/digits_lenet --export_dir=exports --format=tfds

Prints the new version's folder. export/README.md says how to use it.
"""

from pathlib import Path

from absl import flags

from tf_distill.common import cli, startup

_RUN_DIR = flags.DEFINE_string("run_dir", None, "Folder of a finished run.", required=True)
_EXPORT_DIR = flags.DEFINE_string(
    "export_dir",
    None,
    "savedmodel: the folder that gets a new numbered version; tfds: the data_dir of tfds.load.",
    required=True,
)
_FORMAT = flags.DEFINE_enum(
    "format",
    "savedmodel",
    ["savedmodel", "tfds"],
    "savedmodel: TensorFlow's own; tfds: a directory of tensorflow-datasets.",
)


def main(argv: list[str]) -> None:
    """Writes the export and prints where it is."""
    cli.no_arguments(argv)
    with startup.quiet():
        from tf_distill.export import load, saved_model, tfds

        run_dir, export_dir = Path(_RUN_DIR.value), Path(_EXPORT_DIR.value)
        if _FORMAT.value == "tfds":
            print(tfds.write_version(load(run_dir), export_dir))
        else:
            print(saved_model.publish(run_dir / "distilled" / "1", export_dir))


if __name__ == "__main__":
    cli.run(main, "distilled_set")
