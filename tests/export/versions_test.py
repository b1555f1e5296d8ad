"""Numbered versions: the next one is added in one rename, or nothing."""

import pytest

from tf_distill.common import UserError
from tf_distill.export import newest_version, publish_version


def test_versions_grow(tmp_path):
    for name in ("1", "9", "backup", ".part-10"):
        (tmp_path / name).mkdir()
    assert publish_version(tmp_path, lambda part: part.mkdir()) == tmp_path / "10"
    assert publish_version(tmp_path / "new", lambda part: part.mkdir()).name == "1"


def test_the_newest_version_is_the_highest_number_that_holds_it(tmp_path):
    holds = lambda path: (path / "file").exists()  # noqa: E731
    assert newest_version(tmp_path, holds) is newest_version(tmp_path / "none", holds) is None
    for name in ("2", "10", "11"):
        (tmp_path / name).mkdir()
        if name != "11":
            (tmp_path / name / "file").touch()
    assert newest_version(tmp_path, holds) == tmp_path / "10"


def test_a_version_that_fails_leaves_nothing(tmp_path):
    def fail(part):
        part.mkdir()
        raise UserError("no")

    with pytest.raises(UserError, match="no"):
        publish_version(tmp_path, fail)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"can't write to .*file"):
        publish_version(tmp_path / "file", lambda part: part.mkdir())
