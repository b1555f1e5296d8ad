"""DD-Ranking's scores, by hand, by the package's own arithmetic, and in a report."""

import itertools
import sys

import evaluated
import pytest

from tf_distill.report import record, scores


def test_scores_by_hand():
    """Alpha = 0.5 (0.8 - 0.6) - 0.5 (0.95 - 0.7) = -0.025; (e^alpha - 0.36788) / 2.35040."""
    found = scores.label_robust_score(full=0.95, hard=0.7, own=0.8, random=0.6)
    assert found == pytest.approx(0.258437, abs=1e-6)
    # beta = 0.5 (0.75 - 0.65) + 0.5 (0.8 - 0.6) = 0.15
    found = scores.augmentation_robust_score(0.75, 0.65, 0.8, 0.6)
    assert found == pytest.approx(0.337795, abs=1e-6)
    assert (
        scores.label_robust_score(0, 1, 1, 0) == scores.augmentation_robust_score(1, 0, 1, 0) == 1
    )
    assert (
        scores.label_robust_score(1, 0, 0, 1) == scores.augmentation_robust_score(0, 1, 0, 1) == 0
    )


def test_the_weights_are_of_the_first_part():
    assert scores.label_robust_score(0.9, 0.5, 0.8, 0.8, weight=1) == scores.label_robust_score(
        0.5, 0.5, 0.7, 0.7
    )
    assert scores.augmentation_robust_score(0.9, 0.8, 0.3, 0.1, weight=0) == pytest.approx(
        scores.augmentation_robust_score(0.2, 0, 0.2, 0)
    )


@pytest.fixture
def package(monkeypatch):
    """Makes an evaluator of DD-Ranking's package without its data, networks and trainings."""
    metrics = pytest.importorskip("ddranking.metrics", exc_type=ImportError)

    def make(name, **helpers):
        cls = getattr(metrics, name)
        for silent in ("logging", "save_results"):
            monkeypatch.setattr(sys.modules[cls.__module__], silent, lambda *_: None)
        made = object.__new__(cls)
        given = {"num_eval": 1, "use_dist": False, "rank": 0, "eval_full_data": True, "ipc": 1,
                 "num_classes": 2, "save_path": "", "soft_label_mode": "M", "label_type": "soft",
                 "_get_random_data_helper": lambda eval_iter: [None] * made.values}  # fmt: skip
        vars(made).update(given | helpers)
        return made

    return make


@pytest.mark.parametrize("weight", [0.5, 0.2])
def test_the_package_gives_the_same_label_robust_score(package, weight):
    full, hard, own, random = 0.95, 0.7, 0.8, 0.62
    soft = iter([own, random])
    made = package(
        "LabelRobustScoreSoft",
        values=3,
        _compute_hard_label_metrics_helper=lambda mode, **_: (full if mode == "real" else hard, 1),
        _compute_soft_label_metrics_helper=lambda **_: (next(soft), 1),
    )
    found = made.compute_metrics(image_tensor=0, lrs_lambda=weight)["label_robust_score_mean"]
    assert scores.label_robust_score(full, hard, own, random, weight) == pytest.approx(found)


@pytest.mark.parametrize("weight", [0.5, 0.2])
def test_the_package_gives_the_same_augmentation_robust_score(package, weight):
    changed, plain = iter([0.75, 0.66]), iter([0.8, 0.62])
    made = package(
        "AugmentationRobustScore",
        values=4,
        _compute_with_aug_metrics_helper=lambda **_: (next(changed), 1),
        _compute_without_aug_metrics_helper=lambda **_: (next(plain), 1),
    )
    found = made.compute_metrics(image_tensor=0, ars_lambda=weight)
    own = scores.augmentation_robust_score(0.75, 0.66, 0.8, 0.62, weight)
    assert own == pytest.approx(found["augmentation_robust_score_mean"])


MEANS = {
    "distilled": 0.8, "random_real": 0.5, "hard_labels": 0.7, "learned_labels": 0.6,
    "augmentation": 0.75, "random_real_augmentation": 0.55,
}  # fmt: skip


def read(folder, rows, **settings):
    named = {"dataset": "digits", "model": "lenet", "init": "random", "labels": "probabilities"}
    accuracy = {"mean": 0.8, "std": 0.0, "networks": 1}
    results = {"distilled_samples": 10, "seconds": 1.0, "accuracy": accuracy,
               "original": {"accuracy": 0.95}}  # fmt: skip
    rows = [evaluated.row(name, "control", mean, 1) for name, mean in rows.items()]
    evaluated.write(folder, config=named | settings, results=results, comparison={"rows": rows})
    return record.read_numbers(folder)


@pytest.mark.parametrize("augment", ["none", "shift"])
def test_a_record_has_the_scores_that_its_rows_allow(tmp_path, augment):
    found = read(tmp_path, MEANS, use="training", augment=augment).dd_ranking
    assert found["hard label recovery"] == pytest.approx(0.25)
    assert found["improvement over random"] == pytest.approx(0.2)
    assert found["label-robust score"] == scores.label_robust_score(0.95, 0.7, 0.8, 0.6)
    lead = scores.augmentation_robust_score(0.75, 0.55, 0.8, 0.5)
    assert found["augmentation-robust score"] == pytest.approx(lead)
    assert scores.describe(found).startswith("DD-Ranking: hard label recovery 0.2500, improvement")


def test_without_its_rows_or_for_replay_there_is_no_score(tmp_path):
    texts = dict(itertools.islice(MEANS.items(), 4))
    found = read(tmp_path, texts, use="training").dd_ranking
    assert list(found)[-1] == "label-robust score"
    assert not read(tmp_path, {"distilled": 0.8}, use="training").dd_ranking
    assert not read(tmp_path, MEANS).dd_ranking
    assert scores.describe({}) == ""
