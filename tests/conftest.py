"""What all tests share."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # what TensorFlow says is no part of what tests expect
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import keras
import pytest
from absl import flags
from absl.testing import flagsaver
from filelock import FileLock

flags.FLAGS.mark_as_parsed()
PNG = b"\x89PNG" + bytes(30)


@pytest.fixture
def float64():
    """Builds Keras models in double precision, for central differences."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session", autouse=True)
def undrawn():
    """Figures are a few bytes: to draw them takes longer than the runs. report/ has their tests."""
    from tf_distill import api
    from tf_distill.report import report

    with pytest.MonkeyPatch.context() as patch:
        for module in (report, api):
            patch.setattr(module, "render", lambda *given: PNG + bytes([len(given)]))
        yield


@pytest.fixture(scope="module")
def untried():
    """A network of one's own is not tried for second derivatives: networks/ has tests of that."""
    from tf_distill.networks import second_derivative

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(second_derivative, "differentiate", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def tiny():
    """A network of texts by the name tiny, which compiles in a third of the time."""
    import small

    from tf_distill.networks import NETWORKS

    with pytest.MonkeyPatch.context() as patch:
        training = NETWORKS["textconvnet"].training._replace(epochs=2, dropout=0.0)
        network = NETWORKS["textconvnet"]._replace(build=small.tiny, training=training)
        patch.setitem(NETWORKS, "tiny", network)
        yield network


@pytest.fixture(scope="session")
def text_run(tmp_path_factory):
    """The folder of a short finished run on texts."""
    return _short_run("toy_questions", tmp_path_factory)


@pytest.fixture(scope="session")
def image_run(tmp_path_factory):
    """The folder of a short finished run on images."""
    return _short_run("digits", tmp_path_factory)


def _short_run(dataset, factory):
    """Made once for all processes of the tests, of which each has a copy."""
    from tf_distill.runs.experiment import carry_out
    from tf_distill.runs.run import configure, named_run

    base = factory.getbasetemp()
    place = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    made = place / dataset / "run"
    settings = {"outer_steps": 6, "batch_size": 64, "eval_every": 6, "seed": 3}
    with FileLock(place / f"{dataset}.lock"):  # a finished run is only read
        carry_out(named_run(configure({"dataset": dataset, "run_dir": str(made), **settings})))
    run = shutil.copytree(made, factory.mktemp(dataset) / "run")
    config = run / "config.json"
    config.write_text(config.read_text().replace(str(made), str(run)))
    return run


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory) -> Path:
    """A folder with real datasets; a test that asks for one that is not there must skip."""
    if folder := os.environ.get("TFDS_DATA_DIR"):
        return Path(folder)
    prepare = Path(__file__).resolve().parents[2] / "shared" / "data" / "prepare.py"
    if not prepare.is_file():
        pytest.skip("real data: set TFDS_DATA_DIR to a folder that has it")
    folder = tmp_path_factory.mktemp("data")
    command = [sys.executable, str(prepare), str(folder), "--only", "trec,sst,glove"]
    subprocess.run(command, check=True, capture_output=True)
    return folder


class Outcome(NamedTuple):
    """What a call of the program left: its exit status and what it printed."""

    status: int
    out: str
    err: str


@pytest.fixture
def cli(capfd, monkeypatch):
    """Calls the program in this process, as `python -m tf_distill.main ARGUMENTS` would."""
    from tf_distill import main
    from tf_distill.common import cli as cli_

    def call(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["main", *arguments])
        capfd.readouterr()
        with flagsaver.flagsaver(), pytest.raises(SystemExit) as stop:
            cli_.run(main.main, "tf_distill")
        flags.FLAGS.mark_as_parsed()
        return Outcome(stop.value.code or 0, *capfd.readouterr())

    return call
