"""The shape of the code: imports go down only, BUILD files are true, files and functions short."""

import ast
import graphlib
import re
from pathlib import Path

import build_files
import pytest
from build_files import PACKAGE, ROOT, imports, modules, parse

PACKAGE_FILES = modules(PACKAGE)
MAIN = f"{PACKAGE}/main.py"
PROGRAM = (MAIN, f"{PACKAGE}/cli.py")


def name(path):
    return path.as_posix()


def test_build_files_are_what_the_imports_say():
    for path, text in build_files.build_files().items():
        assert (ROOT / path).is_file(), f"no {path}; run python tests/build_files.py"
        assert (ROOT / path).read_text(encoding="utf-8") == text, (
            f"{path} is out of date; run python tests/build_files.py"
        )


def targets(folder):
    """The calls of rules in a folder's BUILD file, read as the Python that they nearly are."""
    for node in ast.parse((ROOT / folder / "BUILD").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield {k.arg: ast.literal_eval(k.value) for k in node.value.keywords}


def file_of(label, folder):
    """The file of a label of this repository."""
    place, _, target = (
        label.removeprefix("//").rpartition(":") if ":" in label else (label[2:], "", "")
    )
    path = ROOT / (place or ("" if target == "" else folder)) / f"{target}.py"
    file = path if target and path.is_file() else path.parent / "__init__.py"
    assert file.is_file(), f"{label} is no file"
    return file.relative_to(ROOT)


@pytest.mark.parametrize("path", modules(*build_files.FOLDERS), ids=name)
def test_every_file_has_a_target_with_its_imports_as_deps(path):
    target = next(t for t in targets(path.parent) if t.get("srcs", [""])[0] == path.name)
    inside = {d for d in target.get("deps", []) if not d.startswith("@")}
    outside = {d.removeprefix("@pypi//") for d in target.get("deps", [])} - inside
    files, others = imports(path)
    runner = {"pytest"} if path.stem.endswith("_test") else set()
    conftest = {Path("tests/conftest.py")} if runner else set()
    assert {file_of(d, path.parent) for d in inside} == files | conftest
    assert outside == {build_files.DISTRIBUTIONS.get(o, o) for o in others} | runner


def test_imports_are_read_as_python_reads_them(tmp_path, monkeypatch):
    for file in ("tf_distill/__init__.py", "tf_distill/a.py", "tf_distill/sub/__init__.py",
                 "tf_distill/sub/b.py", "tests/helper.py"):  # fmt: skip
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("")
    (tmp_path / "tests/c_test.py").write_text(
        "import os, sklearn.datasets\nfrom tf_distill import a, VERSION\n"
        "import helper\ndef f():\n  from tf_distill.sub import b\n  import tf_distill.sub\n"
    )
    monkeypatch.setattr(build_files, "ROOT", tmp_path)
    files, others = imports(Path("tests/c_test.py"))
    assert sorted(map(name, files)) == [
        "tests/helper.py", "tf_distill/__init__.py", "tf_distill/a.py",
        "tf_distill/sub/__init__.py", "tf_distill/sub/b.py",
    ]  # fmt: skip
    assert others == {"sklearn"}


def test_no_cycles():
    graph = {path: imports(path)[0] for path in PACKAGE_FILES}
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert set(order) == set(PACKAGE_FILES)  # also: nothing outside of the package is imported


@pytest.mark.parametrize("path", PACKAGE_FILES, ids=name)
def test_nothing_in_the_package_imports_main_and_only_the_program_knows_flags(path):
    files, _ = imports(path)
    assert MAIN not in map(name, files)
    assert {file.parts[0] for file in files} <= {PACKAGE}
    if name(path) not in PROGRAM:
        text = (ROOT / path).read_text(encoding="utf-8")
        assert not re.search(r"absl.*\b(flags|app)\b|\bFLAGS\b", text)


@pytest.mark.parametrize("path", PACKAGE_FILES, ids=name)
def test_files_and_functions_are_short_and_described(path):
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= 250
    tree = parse(path)
    assert ast.get_docstring(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert length <= 45, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", PACKAGE_FILES, ids=name)
def test_the_picture_of_the_imports_has_every_module(path):
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    picture = page.split("## Imports go down only")[1].split("## Decisions")[0]
    module = path.stem if path.parent.name == PACKAGE else path.parent.name
    assert module.startswith("_") or re.search(rf"\b{module}\b", picture)


def test_bazel_knows_every_distribution():
    lock = (ROOT / "requirements_lock.txt").read_text(encoding="utf-8")
    locked = {line.split("==")[0].lower().replace("-", "_") for line in lock.splitlines()}
    for path in modules(*build_files.FOLDERS):
        for other in imports(path)[1]:
            assert build_files.DISTRIBUTIONS.get(other, other) in locked
