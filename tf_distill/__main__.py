"""`python -m tf_distill`, and the command `tf_distill`: the program of tf_distill/main.py."""

import runpy


def run() -> None:
    """Runs main.py as a program: --help lists the flags of such a file."""
    runpy.run_module("tf_distill.main", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    run()
