"""Nearest neighbours with soft labels: known values, scikit-learn's rules and its own classifier."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from tf_distill.knn import SoftLabelKNeighborsClassifier

TWO_POINTS = [[0.0], [3.0]]
THREE_CLASSES = [[0.6, 0.4, 0.0], [0.0, 0.4, 0.6]]


@parametrize_with_checks(
    [SoftLabelKNeighborsClassifier(), SoftLabelKNeighborsClassifier(3, weights="uniform")]
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)  # all apply: no exceptions
