"""What all tests share."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import pytest
from absl import flags

flags.FLAGS.mark_as_parsed()


@pytest.fixture
def float64():
    """Builds Keras models in double precision, for central differences."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def text_run(tmp_path_factory):
    """The folder of a short finished run on texts."""
    return _short_run("toy_questions", tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="session")
def image_run(tmp_path_factory):
    """The folder of a short finished run on images."""
    return _short_run("digits", tmp_path_factory.mktemp("image"))


def _short_run(dataset, folder):
    from tf_distill import run

    settings = {"outer_steps": 30, "batch_size": 64, "eval_every": 30, "seed": 3}
    run.run(run.configure({"dataset": dataset, "run_dir": str(folder / "run"), **settings}))
    return folder / "run"
