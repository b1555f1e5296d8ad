"""One run: settings, data, network and folder. The command line and td.distill each make one."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tf_distill.common import OWN, UserError
from tf_distill.config import DATASET, FREE, Config, completed, data_dir, in_order, resolve
from tf_distill.core import (
    Callback,
    Distribution,
    Learner,
    Optimizer,
    OuterStep,
    Recipe,
    Samples,
    Window,
    recipe_of,
    task_of,
)
from tf_distill.datasets import DATASETS, Dataset, Entry, hold_out, is_own, load, registry
from tf_distill.networks import NETWORKS, Choice, choose
from tf_distill.runs import warm_start
from tf_distill.runs.folder import Files, RunFolder, data_inputs


@dataclasses.dataclass(frozen=True)
class Run:
    """One distillation with all that it depends on.

    config: all settings. whole: the dataset, before anything is held out. choice: the network.
    files: a folder, or memory. callbacks: called after each outer step. distribution: the replicas
    that share the outer steps. optimizer: of the inner steps, in place of `inner_optimizer`.
    """

    config: Config
    whole: Dataset
    choice: Choice
    files: Files
    callbacks: Sequence[Callback] = ()
    distribution: Distribution = dataclasses.field(default_factory=Distribution)
    optimizer: Optimizer | None = None

    @classmethod
    def of(cls, config: Config, whole: Dataset, choice: Choice, files: Files, **more: Any) -> "Run":
        """The run; if it has begun in its folder, `start` is the set that it began with."""
        return cls(warm_start.as_begun(config, files), whole, choice, files, **more)

    @functools.cached_property
    def begun(self) -> bool:
        """Whether the folder's run had begun when this was first asked."""
        return self.files.begun

    @functools.cached_property
    def dataset(self) -> Dataset:
        """The data with the split that the run is evaluated on as their test split."""
        held_out = self.config.eval_split == "held_out"
        return hold_out(self.whole, self.config.seed) if held_out else self.whole

    @functools.cached_property
    def learner(self) -> Learner:
        """The network, with the frozen weights that the folder's run began with."""
        return self.choice.learner(self.files.frozen() if self.begun else [])

    @functools.cached_property
    def start(self) -> Callable[[], Samples] | None:
        """Reads the set to start from, once; None if the run makes new samples."""
        if self.config.start is None:
            return None
        read = functools.partial(warm_start.read_start, self.config, self.dataset, self.learner)
        return functools.cache(read)

    @functools.cached_property
    def recipe(self) -> Recipe:
        """How networks are trained on the set."""
        losses = task_of(self.whole).losses
        named = recipe_of(vars(self.config), self.whole.encoding.metadata(), losses)
        return named._replace(optimizer=self.optimizer or named.optimizer)

    @property
    def step(self) -> OuterStep:
        """The settings of an outer step."""
        c = self.config
        window = Window(c.unroll, c.window) if c.unroll and c.window else None
        sizes = (c.batch_size, c.networks, c.init, c.seed, c.jit_compile)
        return OuterStep(*sizes, self.recipe, window)

    @functools.cached_property
    def inputs(self) -> dict[str, Any]:
        """What the run depends on beside its settings: hashes of the data and of an own network."""
        return data_inputs(self.whole) | self.choice.identity(self.learner)

    def check(self) -> None:
        """Checks that the run can be done, before there is a folder.

        Raises:
            UserError: the folder holds another run; an outer step can't be shared or compiled;
                there is no set to start from, or it does not fit.
        """
        config = self.config
        self.files.check(config, self.inputs)
        self.step.check(self.learner, self.dataset, self.distribution)
        if self.start and not self.begun:
            self.start()
            if self.files.path:
                warm_start.check_apart(Path(str(config.start)), self.files.path)


def named_run(config: Config, distribution: Distribution | None = None) -> Run:
    """The run of settings that name its data and its network, in the folder `run_dir`."""
    whole = load(dataclasses.asdict(config))
    choice = choose(config.model, whole)
    shared = distribution or Distribution()
    return Run.of(config, whole, choice, RunFolder(config.run_dir), distribution=shared)


def configure(given: dict[str, Any]) -> Config:
    """All settings of a run, from those that were given.

    Raises:
        UserError: one of them is wrong, or does nothing.
    """
    config, entry = _completed(warm_start.prepared(given))
    if config.embeddings is not None and not (entry.kind == "text" and entry.vectors):
        raise UserError(
            f"embeddings={config.embeddings} is not for dataset={config.dataset}, expected texts "
            "without vectors of their own; leave it out"
        )
    return config


def _completed(given: dict[str, Any]) -> tuple[Config, Entry]:
    named = in_order(given)
    known = registry({"dataset": DATASET, "data_dir": data_dir(), **named})
    config = resolve(given, known, NETWORKS)
    return config, known[config.dataset]


def only_resumes(given: dict[str, Any]) -> bool:
    """Whether no more is given than the folder of a run that has begun."""
    told = {name for name, value in given.items() if value is not None}
    return "run_dir" in told <= {*FREE} and RunFolder(given["run_dir"]).begun


def recall(given: dict[str, Any]) -> Config:
    """All settings of a run: those that were given, and for the rest those of the run in `run_dir`.

    Raises:
        UserError: only a folder was given, and there is no run in it; or the run there has other
            settings than were given, or data or a network that only Python has.
    """
    told = {name: value for name, value in given.items() if value is not None}
    if "run_dir" not in told:
        return configure(told)
    folder = RunFolder(told["run_dir"])
    if not folder.begun:
        if told.keys() - set(FREE):
            return configure(told)
        raise UserError(
            f"there is no run in {folder.path}; name the run_dir of one, or give its settings to "
            "make it"
        )
    stored = completed(folder.read("config.json"))
    _check_named(folder.path, stored)
    known = {field.name: stored.get(field.name) for field in dataclasses.fields(Config)}
    told |= {"start": warm_start.absolute(told["start"])} if "start" in told else {}
    config, _ = _completed(known | told)  # an earlier version's may name what does nothing
    folder.check(config, {})
    return config


def _check_named(folder: Path, stored: dict[str, Any]) -> None:
    """Raises UserError if a run has data or a network that no setting can name."""
    unnamed = {
        "data": stored["dataset"] not in DATASETS and not is_own(stored["dataset"]),
        "network": stored["model"].startswith(OWN),
    }
    if any(unnamed.values()):
        lacking = " and ".join(name for name, lacks in unnamed.items() if lacks)
        raise UserError(
            f"{folder} was made from Python, and only Python has its {lacking}; call compare() or "
            "original() of the result of the same td.distill; modes of the command line need a run "
            "whose data and network have names, such as dataset=csv:FILE"
        )
