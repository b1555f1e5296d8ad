"""Exports the trained model of a run for TensorFlow Serving, as the next version of a folder.

python export/classifier.py --run_dir=runs/trec6_bilstm --export_dir=exports/trec6

Prints the new version's folder. export/README.md says how to serve it.
"""

from pathlib import Path

from absl import flags

from tf_distill.common import cli, startup

_RUN_DIR = flags.DEFINE_string("run_dir", None, "Folder of a finished run.", required=True)
_EXPORT_DIR = flags.DEFINE_string(
    "export_dir",
    None,
    "The model's base path on the server: gets a new numbered version in one rename.",
    required=True,
)


def main(argv: list[str]) -> None:
    """Writes the export and prints where it is."""
    cli.no_arguments(argv)
    with startup.quiet():
        from tf_distill.export import servable

        print(servable.export_run(Path(_RUN_DIR.value), Path(_EXPORT_DIR.value)))


if __name__ == "__main__":
    cli.run(main, "classifier")
