"""Where this repository lies."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"


def case(*names: str) -> Path:
    """One of the inputs as people have them, which lie beside a checkout; skips without them."""
    path = ROOT.parent.joinpath("shared", "cases", *names)
    if not path.exists():
        pytest.skip("real data: no inputs as people have them beside this checkout")
    return path
