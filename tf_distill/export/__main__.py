"""Writes a distilled set, or the network trained on it, in a form for other programs.

python -m tf_distill.export --format=FORMAT SET [DEST]

SET is the folder of a run, of an export, or of the set itself. DEST is where to write; without it
a place in exports/. Prints what was written. FORMAT is one of
"""

from pathlib import Path

from absl import flags

from tf_distill.common import UserError, cli, startup
from tf_distill.export.formats import FORMATS, usual_place

_FORMAT = flags.DEFINE_enum("format", None, [*FORMATS], "The form to write.", required=True)


def help_text() -> str:
    """The text of --help."""
    forms = [f"  {name:<13}{form.__doc__}" for name, form in FORMATS.items()]
    return "\n".join([str(__doc__), *forms])


def main(argv: list[str]) -> None:
    """Writes the form and prints where it is."""
    if len(argv) not in (2, 3):
        raise UserError(f"got {len(argv) - 1} arguments, expected SET, or SET and DEST; see --help")
    source, form = Path(argv[1]).expanduser(), _FORMAT.value
    with startup.quiet():
        place = Path(argv[2]).expanduser() if len(argv) == 3 else usual_place(form, source)
        print(FORMATS[form](source, place))


if __name__ == "__main__":
    cli.run(main, "tf_distill.export", help_text=help_text)
