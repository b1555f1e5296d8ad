"""docs/api.md has exactly the public names, with the signatures of the code."""

import inspect
import operator
import re

import page_code
from places import ROOT

import tf_distill as td
from tf_distill.core.inner import Optimizer

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `td\.([\w.]+)(\(.*?\))?` \|", PAGE, re.MULTILINE)


class Dots:
    """Shown for a default that no page can write, such as a pair of functions."""

    def __repr__(self):
        return "..."


def called(function) -> str:
    """The parameters of a function with their defaults, or of a method without self."""
    kept = [p for name, p in inspect.signature(function).parameters.items() if name != "self"]
    shown = [p.replace(default=Dots()) if isinstance(p.default, Optimizer) else p for p in kept]
    return str(inspect.Signature([p.replace(annotation=p.empty) for p in shown]))


def methods(owner: type) -> list[str]:
    """The public methods that a class defines itself."""
    return [name for name, m in vars(owner).items() if inspect.isfunction(m) and name[0] != "_"]


def test_the_page_has_exactly_the_public_names():
    expected = [
        *td.__all__,
        *(f"datasets.{name}" for name in td.datasets.__all__ if name.startswith("from_")),
        *(f"layers.{name}" for name in td.layers.__all__),
        "losses.SoftLabelCrossentropy",
        *(f"{c.__name__}.{m}" for c in (td.Result, td.LoadedSet, td.Callback) for m in methods(c)),
    ]
    assert sorted(name for name, _ in ROWS) == sorted(expected)


def test_signatures_are_those_of_the_code():
    [block] = re.findall(r"```text\ntd\.distill(\(.*?\))\n```", PAGE, re.DOTALL)
    told = {**dict(ROWS), "distill": " ".join(block.split())}
    for name, text in told.items():
        found = operator.attrgetter(name)(td)
        if text or inspect.isfunction(found):
            assert text == called(found), name


def test_the_callback_of_the_page_stops():
    namespace: dict = {}
    [block] = page_code.blocks(PAGE)
    exec(block.code, namespace)
    [callback] = namespace["callbacks"]
    for loss, stopped in ((0.5, False), (0.05, True)):
        callback.on_outer_step_end(1, {"loss": loss})
        assert callback.stop == stopped
