"""The texts of errors."""

import pytest

from tf_distill.common.errors import Diverged, UserError, unknown_name

NETWORKS = ["lenet", "bilstm", "birnn"]


@pytest.mark.parametrize(
    ("got", "known", "text"),
    [
        ("lenett", NETWORKS, "did you mean lenet? known: bilstm, birnn, lenet"),
        ("bistm", NETWORKS, "did you mean bilstm"),
        ("xyz", NETWORKS, "unknown model 'xyz'; known: bilstm, birnn, lenet"),
        ("", ["a"], "unknown model ''; known: a"),
        (3, ["a"], "unknown model 3; known: a"),
        ("trec5", ["trec6", "trec50"], "did you mean trec50 or trec6?"),
    ],
)
def test_unknown_name_gives_the_nearest_first(got, known, text):
    assert text in str(unknown_name("model", got, known))


def test_divergence_is_an_error_of_its_own_status():
    assert issubclass(Diverged, UserError)
    assert (UserError.exit_status, Diverged.exit_status) == (2, 3)
