"""The frame of every program: it parses flags, and prints a user's mistake as one line."""

import copy
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from absl import app, flags, logging

from tf_distill._version import __version__
from tf_distill.common.errors import Interrupted, UserError, no_flag_file

_FLAG_FILE = re.compile("--?flagfile(=|$)")


def run(
    main: Callable[[list[str]], int | None],
    name: str,
    version: flags.FlagHolder[bool] | None = None,
    help_text: Callable[[], str] | None = None,
) -> None:
    """Entry point of a program: parses the flags, runs `main`, and ends the process.

    `main` takes the program's name and its arguments without the flags, and returns the exit
    status. An error line begins with `name`. `version` is the flag that asks for the version.
    --help prints `help_text`, or absl's text.
    """

    def given() -> list[str]:
        return [argument.partition("=")[2] or argument for argument in sys.argv[1:]]

    def fail(text: str, status: int = UserError.exit_status) -> NoReturn:
        print(f"{name}: error: {with_dashes(text, flags.FLAGS, given())}", file=sys.stderr)
        sys.exit(status)

    def quiet_main(argv: list[str]) -> int | None:
        logging.set_verbosity(logging.ERROR)
        if version is not None and version.value:
            print(f"{name} {__version__}")
            status = None
        else:
            status = main(argv)
        sys.stdout.flush()  # here, where an error is still caught
        return status

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    try:
        if help_text and {"--help", "-help", "-h"} & {*sys.argv[1:]}:
            print(help_text())
            sys.stdout.flush()
            sys.exit(0)
        app.run(quiet_main, flags_parser=_parse)
    except KeyboardInterrupt:
        print(f"{name}: stopped", file=sys.stderr)
        sys.exit(130)
    except Interrupted as stop:
        text = f"{stop}; the same command continues from there"
        print(with_dashes(text, flags.FLAGS, given()), file=sys.stderr)
        sys.exit(130)
    except MemoryError as error:
        fail(f"{str(error) or 'not enough memory'}; free some memory and call again")
    except BrokenPipeError:  # of `| head`, which has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the rest of the output
        sys.exit(141)  # a shell's status for SIGPIPE
    except OSError as error:
        told = (f"{error.filename}: " if error.filename else "") + (error.strerror or str(error))
        fail(f"{told}; make it readable, writable and not full, and call again")
    except UserError as error:
        fail(str(error), error.exit_status)
    finally:
        signal.signal(signal.SIGTERM, before)


class Whole(flags.IntegerParser):
    """Reads whole numbers, also as 1e3."""

    def convert(self, argument: Any) -> int:
        """The number; ValueError for another text."""
        if isinstance(argument, str) and "e" in argument and float(argument).is_integer():
            return int(float(argument))
        return super().convert(argument)


def with_dashes(text: str, names: Iterable[str], given: Sequence[str] = ()) -> str:
    """A message of the library for the command line: `--` stands before its flags.

    These are `seed=3`, and `inner_lr` with an underscore also alone. Not changed are quoted
    names, parts of paths and words, arguments of a call, Python's `name="text"`, and `given`: what
    the user typed, such as a folder called seed=1.
    """
    known = sorted(map(re.escape, names), key=len, reverse=True)
    alone = "|".join(name for name in known if "_" in name) or "(?!)"
    flag = rf"(?:{'|'.join(known)})(?==(?![\"'=]))|(?:{alone})(?![\w/\"'=(-]|\.\w)"
    place = re.compile(rf"(?<![\w./\"'-])(?<!\w\()(?={flag})")
    kept = [value for value in given if place.search(value)]
    for i, value in enumerate(kept):
        text = text.replace(value, f"\0{i}\0")
    text = place.sub("--", text)
    for i, value in enumerate(kept):
        text = text.replace(f"\0{i}\0", value)
    return text


def no_arguments(argv: list[str]) -> None:
    """Raises UserError if a program that takes only flags got another argument."""
    if len(argv) > 1:
        raise UserError(f"got {argv[1]!r}, expected only flags, as --name=value; see --help")


def values_of(arguments: Sequence[str]) -> dict[str, Any]:
    """The values of all flags if these were the process's arguments; UserError for a wrong one."""
    others = copy.deepcopy(flags.FLAGS)
    others.unparse_flags()
    _parse(["", *arguments], others)
    return others.flag_values_dict()


def _parse(argv: list[str], holder: flags.FlagValues = flags.FLAGS) -> list[str]:
    try:
        rest = holder(argv)
        _check_order(argv[1:], holder)
        return rest
    except flags.Error as error:
        missing_file = error.__context__
        if isinstance(missing_file, FileNotFoundError):
            raise no_flag_file(missing_file.filename) from None
        text = str(error).splitlines()[0]
        if missing := re.search(r"Flag --(\w+) must have a value other than None", text):
            told = holder[missing[1]].help.rstrip(".")
            text = f"--{missing[1]} is missing, expected {told[0].lower()}{told[1:]}"
        raise UserError(f"{text}; see --help") from None
    except SystemExit:  # absl has printed --help, and would end with 1
        sys.stdout.flush()
        sys.exit(0)


def _check_order(arguments: Sequence[str], holder: flags.FlagValues) -> None:
    """Raises UserError if a flag file changes the value of a flag that stands before it."""
    files = [i for i, argument in enumerate(arguments) if _FLAG_FILE.match(argument)]
    files += [i + 1 for i in files if "=" not in arguments[i]]  # the name is the next argument
    if not files:
        return
    first = [arguments[i] for i in sorted(files)]
    others = [argument for i, argument in enumerate(arguments) if i not in files]
    moved = copy.deepcopy(holder)
    moved.unparse_flags()
    moved(["", *first, *others])
    for name in holder:
        if (given := moved[name].serialize()) != holder[name].serialize():
            raise UserError(
                f"{given} stands before {' '.join(first)}, which sets it too; put it after"
            )
