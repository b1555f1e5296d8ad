r"""Fuzzes the parsers of files from elsewhere: python tests/fuzz.py PARSER SECONDS [CORPUS_FOLDER].

Needs atheris (`pip install -e .[fuzz]`) and the repository's root as PYTHONPATH. All
of them, two minutes each, with a line of what was done on stderr for each:

    for p in text vectors vectors.npz csv jsonl images.npz png metadata.json variables.index; do
        python tests/fuzz.py $p 120 2>&1 | grep "^Done\|ERROR\|Error"
    done

A crash ends it with the traceback, and leaves the bytes in a file crash-*.
"""

import contextlib
import io
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tf_distill", "foreign"]):
    import foreign


def main(name: str, seconds: str, corpus: str | None = None) -> None:
    """Runs one parser on inputs that are made to reach as much of its code as can be."""
    parser = foreign.PARSERS[name]
    folder = Path(tempfile.mkdtemp())
    seeds = Path(corpus or tempfile.mkdtemp())
    for i, data in enumerate(parser.sound):
        (seeds / f"sound{i}").write_bytes(data)
    options = [f"-max_total_time={seconds}", "-rss_limit_mb=4000", "-timeout=20", "-max_len=20000"]

    def once(data: bytes) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            foreign.parse(parser, data, folder)

    atheris.Setup([sys.argv[0], *options, str(seeds)], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
