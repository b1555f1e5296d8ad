"""The BUILD files: well formed, with labels that lead somewhere; and the locked requirements."""

import ast
import importlib.metadata
import re
import sys

import pytest
from places import ROOT

FILES = {
    path.parent: ast.parse(path.read_text(encoding="utf-8"))
    for path in (*ROOT.glob("*/BUILD"), *ROOT.glob("tf_distill/*/BUILD"), ROOT / "BUILD")
}
LOCKED = {
    re.sub(r"[-.]", "_", name).lower()
    for name in re.findall(r"(?m)^([\w.-]+)==", (ROOT / "requirements_lock.txt").read_text())
}
STARLARK = (ast.Assign, ast.Expr)
"""Statements of a BUILD file: names of values, and calls of rules."""
INSTALLED = importlib.metadata.packages_distributions()


def nodes(tree, kind):
    return [node for node in ast.walk(tree) if isinstance(node, kind)]


def targets(folder):
    """The names of a package's rules; a list of rules has one for each file."""
    names = [k.value for k in nodes(FILES[folder], ast.keyword) if k.arg == "name"]
    made = {path.stem for path in folder.glob("*.py")}
    return {n.value for n in names if isinstance(n, ast.Constant)} | made


@pytest.mark.parametrize("folder", FILES, ids=lambda folder: folder.name)
def test_labels_lead_somewhere(folder):
    assert all(isinstance(node, STARLARK) for node in FILES[folder].body)
    for label in [n.value for n in nodes(FILES[folder], ast.Constant) if isinstance(n.value, str)]:
        if label.startswith("@pypi//"):
            assert label.removeprefix("@pypi//") in LOCKED
        elif label.startswith(("//", ":")) and label != "//visibility:public":
            place, _, name = label.removeprefix("//").partition(":")
            other = ROOT / place if label.startswith("//") else folder
            assert (name or other.name) in targets(other), label
        elif label.endswith((".py", ".typed", ".cfg")) and not label.startswith((".", "*")):
            assert (folder / label).exists() or "*" in label, label


def test_every_room_has_a_build_file():
    assert {path.parent for path in ROOT.glob("tf_distill/*/__init__.py")} <= FILES.keys()


def test_what_is_imported_is_locked():
    paths = {path for folder in FILES if folder != ROOT for path in folder.rglob("*.py")}
    names = set().union(*map(imported, paths)) - sys.stdlib_module_names
    own = {path.stem for path in paths} | {folder.name for folder in FILES}
    for name in names - own:
        found = [re.sub(r"[-.]", "_", d).lower() for d in INSTALLED.get(name, [name])]
        assert LOCKED & set(found), name


def imported(path):
    """The first parts of the names of modules that a file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    plain = [alias.name for n in nodes(tree, ast.Import) for alias in n.names]
    named = [n.module for n in nodes(tree, ast.ImportFrom) if n.module]
    return {name.split(".")[0] for name in plain + named}
