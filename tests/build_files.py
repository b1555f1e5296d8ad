"""The BUILD files as the imports say they should be; `python tests/build_files.py` rewrites them.

Each module is a target of its own, and its deps are what it imports. structure_test
fails where a BUILD file differs from what is computed here.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "tf_distill"
FOLDERS = (PACKAGE, "benchmarks", "examples", "export", "results", "tests")
"""The top-level folders with Python code."""
DISTRIBUTIONS = {
    "PIL": "pillow",
    "absl": "absl_py",
    "google": "protobuf",
    "grpc": "grpcio",
    "sklearn": "scikit_learn",
    "tensorflow_serving": "tensorflow_serving_api",
}
"""Third-party modules whose distribution has another name."""
TEST_MAIN = "pytest_main"


def modules(*folders: str) -> list[Path]:
    """The Python files below top-level folders, relative to the root, sorted."""
    return sorted(p.relative_to(ROOT) for f in folders for p in (ROOT / f).rglob("*.py"))


def parse(path: Path) -> ast.Module:
    """The syntax tree of a file given relative to the root."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def imports(path: Path) -> tuple[set[Path], set[str]]:
    """What a file imports, anywhere in it: files of this repository, and other top-level names."""
    files: set[Path] = set()
    others: set[str] = set()
    for node in ast.walk(parse(path)):
        for name, members in _imported(node):
            found = set(_files(name, members, path.parent))
            files |= found
            if not found:
                others.add(name.split(".")[0])
    return files - {path}, others - sys.stdlib_module_names


def _imported(node: ast.AST) -> Iterator[tuple[str, list[str]]]:
    """The names of modules in one statement, each with the members that are taken from it."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, []) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"relative import of {node.module}"
        yield node.module or "", [alias.name for alias in node.names]


def _files(name: str, members: list[str], beside: Path) -> Iterator[Path]:
    """The files that `from name import members` reads; programs also import their neighbours."""
    place = Path(*name.split("."))
    place = place if place.parts[0] in FOLDERS else beside / place
    below = [file for member in members if (file := _file(place / member))]
    yield from below
    file = _file(place)
    if file and (len(below) < len(members) or not members):
        yield file


def _file(place: Path) -> Path | None:
    """The file of a module without its ending, if there is one."""
    for path in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
        if (ROOT / path).is_file():
            return path
    return None


def build_files() -> dict[Path, str]:
    """Path and text of every BUILD file, relative to the root."""
    folders = sorted({path.parent for path in modules(*FOLDERS)})
    return {folder / "BUILD": _build_file(folder) for folder in folders}


def _build_file(folder: Path) -> str:
    files = [path for path in modules(*FOLDERS) if path.parent == folder]
    targets = [target for path in files for target in _targets(path)]
    rules = sorted({target.split("(")[0] for target in targets})
    loads = ", ".join(f'"{rule}"' for rule in rules)
    visibility = "//visibility:public" if folder.parts[0] == PACKAGE else "//tests:__pkg__"
    head = f'''"""One target a module; written by tests/build_files.py from the imports."""

load("@rules_python//python:defs.bzl", {loads})

package(default_visibility = ["{visibility}"])
'''
    return "\n".join([head, *targets])


def _targets(path: Path) -> Iterator[str]:
    """A library for each file, a test for each test, a program beside what can be run."""
    files, others = imports(path)
    deps = [_label(file, path.parent) for file in files]
    deps += [f"@pypi//{DISTRIBUTIONS.get(name, name)}" for name in others]
    name = path.parent.name if path.stem == "__init__" else path.stem
    if path.stem.endswith("_test"):
        extra = {"main": f"{TEST_MAIN}.py", "args": [f"$(location {path.name})"]}
        deps += [":conftest", "@pypi//pytest"]
        yield _target("py_test", name, [path.name, f"{TEST_MAIN}.py"], deps, extra)
        return
    # Programs and tests find their neighbours beside them, who renders templates finds those.
    extra = {} if path.parts[0] == PACKAGE else {"imports": ["."]}
    if "jinja2" in others:
        templates = (ROOT / path.parent / "templates").glob("*.html")
        extra["data"] = sorted(f"templates/{template.name}" for template in templates)
    yield _target("py_library", name, [path.name], deps, extra)
    if _is_program(path):
        yield _target(
            "py_binary", f"{name}_program", [path.name], [f":{name}"], {"main": path.name}
        )


def _is_program(path: Path) -> bool:
    return any(
        isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"
        for node in parse(path).body
    )


def _label(file: Path, folder: Path) -> str:
    place = "" if file.parent == folder else f"//{file.parent.as_posix()}"
    if file.stem == "__init__":
        return place or f":{folder.name}"
    return f"{place}:{file.stem}"


def _target(rule: str, name: str, srcs: list[str], deps: list[str], extra: dict) -> str:
    """A rule as buildifier would set it."""
    order = sorted(set(deps), key=lambda d: (":/@".index(d[0]), d.replace(":", "!")))
    values = {"name": name, "srcs": srcs, **extra, "deps": order}
    lines = (f"    {key} = {_value(value)},\n" for key, value in values.items() if value)
    return f"{rule}(\n{''.join(lines)})\n"


def _value(value: str | list[str]) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if len(value) == 1:
        return f'["{value[0]}"]'
    return "[\n" + "".join(f'        "{item}",\n' for item in value) + "    ]"


if __name__ == "__main__":
    for build_path, text in build_files().items():
        (ROOT / build_path).write_text(text, encoding="utf-8")
