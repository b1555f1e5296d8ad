"""Every flag file is a sound experiment and says where it is from."""

import pytest
from absl import flags
from absl.testing import flagsaver
from places import ROOT

from tf_distill import main, modes
from tf_distill.common import cli
from tf_distill.runs import run

EVERY = sorted((ROOT / "flags").glob("*.flags"))
FILES = [path for path in EVERY if "_training" not in path.stem]
TRAINED = sorted({*EVERY} - {*FILES})
KNOWN = [  # stem; distilled samples, initialization, networks to test with, as in the paper's row
    ("mnist_lenet_fixed", 10, "fixed", 1),
    ("mnist_lenet_fixed_5", 5, "fixed", 1),
    ("mnist_lenet_random_100_hard", 100, "random", 200),
    ("cifar10_alexcifarnet_random_100", 100, "random", 200),
    ("imdb_textconvnet_random_20", 20, "random", 200),
    ("sst5_birnn_fixed", 5, "fixed", 1),
    ("trec6_bilstm_random_120", 120, "random", 200),
    ("trec50_textconvnet_fixed_500", 500, "fixed", 1),
    ("trec50_textconvnet_fixed_1000", 1000, "fixed", 1),
    ("trec6_textconvnet_fixed_10_steps", 60, "fixed", 1),
]


def configure(path, monkeypatch):
    """The settings that the program makes of a flag file."""
    made = []
    monkeypatch.setitem(modes.MODES, "distill", lambda call: made.append(call.settings))
    with flagsaver.flagsaver():
        main.main(cli._parse(["main", f"--flagfile={path}"]))
    flags.FLAGS.mark_as_parsed()
    return run.configure(made[0])


def test_there_is_one_for_each_experiment_of_the_paper():
    assert len(FILES) == 32


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_is_an_experiment_and_says_where_it_is_from(path, monkeypatch):
    config = configure(path, monkeypatch)
    dataset, model, init, *rest = path.stem.split("_")
    assert (config.dataset, config.model, config.init) == (dataset, model, init)
    assert config.labels == ("hard" if "hard" in rest else "soft")
    assert config.run_dir == f"runs/{path.stem}"
    head = [line for line in path.read_text(encoding="utf-8").splitlines() if line[0] == "#"]
    assert any(word in head[0] for word in ("Table", "Figure"))
    assert head[1] == f"# Command: python -m tf_distill.main --flagfile=flags/{path.name}"
    assert head[2].startswith("# Paper: ")
    assert head[-2].startswith("# Time: ")
    assert head[-1].startswith("# Result: ")


@pytest.mark.parametrize("path", TRAINED, ids=lambda path: path.stem)
def test_is_a_set_for_training_and_says_what_stands_beside_it(path, monkeypatch):
    config = configure(path, monkeypatch)
    assert path.stem.startswith(f"{config.dataset}_{config.model.split('-')[0]}_{config.use}")
    assert config.run_dir == f"runs/{path.stem}"
    head = [line for line in path.read_text(encoding="utf-8").splitlines() if line[0] == "#"]
    assert head[1] == f"# Command: python -m tf_distill.main --flagfile=flags/{path.name}"
    assert [line.split(":")[0] for line in head[2:]] == ["# Beside", "# Time", "# Result"]


@pytest.mark.parametrize(("stem", "size", "init", "networks"), KNOWN)
def test_has_the_size_of_the_paper(stem, size, init, networks, monkeypatch):
    config = configure(ROOT / "flags" / f"{stem}.flags", monkeypatch)
    assert config.steps * config.samples_per_step == size
    assert (config.init, config.eval_networks) == (init, networks)


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_holds_only_what_differs_from_the_defaults(path, monkeypatch):
    config = configure(path, monkeypatch)
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    values = dict(line.removeprefix("--").split("=", 1) for line in lines)
    for name, value in values.items():
        init = {} if name == "init" else {"init": config.init}  # other settings follow from it
        use = {} if name == "use" else {"use": config.use}
        model = {} if name in ("dataset", "model") else {"model": config.model}
        default = run.configure({"dataset": config.dataset, **model, **use, **init})
        assert str(getattr(config, name)) == value
        assert name == "dataset" or getattr(default, name) != getattr(config, name), name
