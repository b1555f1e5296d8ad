"""Imports go down only: no module is imported in a circle, and no room by one below it."""

import ast
import graphlib
from pathlib import Path

from places import ROOT

PACKAGE = ROOT / "tf_distill"
ROOMS = ("common", "datasets", "core", "networks", "export", "report", "runs", "evaluation")
"""From the ground up; the modules beside them stand above, but for these."""
GROUND = ("_version", "config", "knn")
"""Modules that any room may import."""


def imports(path: Path) -> set[Path]:
    """The files of the package that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tf_distill"):
            place = ROOT.joinpath(*node.module.split("."))
            for alias in node.names:
                inner, own = place / f"{alias.name}.py", place.with_suffix(".py")
                door = place / alias.name / "__init__.py"
                found.add(
                    next((p for p in (inner, door, own) if p.is_file()), place / "__init__.py")
                )
    return found


def room(path: Path) -> str:
    """The room of a file, or the file's own name where it lies beside the rooms."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def test_imports_go_down_only():
    graph = {path: imports(path) for path in PACKAGE.rglob("*.py")}
    doors = {PACKAGE / "__init__.py"}  # imports what is public at its first use
    inside = {path: below - {path} for path, below in graph.items() if path not in doors}
    graphlib.TopologicalSorter(inside).prepare()  # raises CycleError
    for path, below in inside.items():
        for other in map(room, below):
            if room(path) in ROOMS and other != room(path) and other not in GROUND:
                assert other in ROOMS[: ROOMS.index(room(path))], f"{path} imports {other}"
