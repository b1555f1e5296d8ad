"""The bench: pairs of sets and networks, and rates chosen on training data alone."""

import dataclasses

import numpy as np
import pytest
import small

from tf_distill.core import evaluate, starts, task_of
from tf_distill.evaluation import baselines, bench
from tf_distill.evaluation.baselines import best_sets
from tf_distill.evaluation.bench import RATES, Bench, Conditions, training_view, with_rate

FIXED = Conditions("fixed", networks=4, batch_size=32, seed=0)
RANDOM = FIXED._replace(init="random")


def sets_of(data, count, seed=0):
    rngs = [np.random.default_rng((seed, i)) for i in range(count)]
    like = small.samples(steps=1, n=3, epochs=2)
    drawn, task = [starts.draw_real(data, 3, rng) for rng in rngs], task_of(data)
    return [baselines.as_samples(real, task, like, 0.3) for real in drawn]


@pytest.fixture(scope="module")
def data():
    return small.dataset(train=300, test=150)


@pytest.fixture(scope="module")
def learner():
    return small.learner()


@pytest.mark.parametrize(("sets", "most", "pairs"), [(1, None, 4), (6, None, 6), (2, 3, 3)])
def test_sets_meet_networks_in_turn(data, learner, sets, most, pairs):
    given = sets_of(data, sets)
    found = Bench(learner, data, RANDOM).test(given, most)
    test = evaluate.tester(learner, data, evaluate.compiled_train(learner))
    networks = list(evaluate.test_networks(learner, "random", pairs, 0))
    assert found == [test(given[i % sets], networks[i]) for i in range(pairs)]


def test_a_fixed_network_meets_each_set_once(data, learner):
    assert len(Bench(learner, data, FIXED).test(sets_of(data, 3))) == 3


def test_training_data_are_what_choices_are_made_on(data):
    view = training_view(data, 0)
    assert {x.tobytes() for x in view.x_test} == {x.tobytes() for x in data.x_train}
    big = small.dataset(train=bench.SUBSET + 500)
    assert len(training_view(big, 0).y_test) == bench.SUBSET


@pytest.mark.parametrize("conditions", [FIXED, RANDOM])
def test_the_best_rate_is_the_best(data, learner, conditions):
    bench, sets = Bench(learner, data, conditions), sets_of(data, 2)
    scores = {r: bench.training_accuracy([with_rate(s, r) for s in sets]) for r in RATES}
    assert scores[bench.best_rate(sets)] == max(scores.values())
    assert max(scores.values()) > min(scores.values()) + 0.1


def test_a_rate_that_diverges_is_not_the_best(data, learner, monkeypatch):
    bench = Bench(learner, data, FIXED)
    lost = lambda sets: np.nan if sets[0].lr[0] > RATES[1] else float(sets[0].lr[0])  # noqa: E731
    monkeypatch.setattr(Bench, "training_accuracy", lambda self, sets: lost(sets))
    assert bench.best_rate(sets_of(data, 1)) == RATES[1]


def test_tuned_rates_are_no_worse_than_the_best_constant_one(data, learner):
    bench, sets = Bench(learner, data, FIXED), sets_of(data, 2)
    lr = bench.tune(sets)
    assert lr.shape == (2,)
    constant = [with_rate(s, bench.best_rate(sets)) for s in sets]
    tuned = bench.training_accuracy([with_rate(s, lr) for s in sets])
    assert tuned >= bench.training_accuracy(constant)


@pytest.mark.long
def test_tuning_one_kind_leaves_no_trace_in_the_next(data, learner):
    first, second = sets_of(data, 2), sets_of(data, 2, seed=9)
    alone = Bench(learner, data, FIXED).tune(second)
    bench = Bench(learner, data, FIXED)
    bench.tune(first)
    np.testing.assert_array_equal(bench.tune(second), alone)


@pytest.mark.long
def test_test_labels_are_never_looked_at_in_choosing(data, learner):
    """Optimized real sets and tuned rates are the same whatever the test labels are."""
    poisoned = dataclasses.replace(data, y_test=(data.y_test + 1) % 3)
    chosen, rates = [], []
    for given in (data, poisoned):
        bench, sets = Bench(learner, given, FIXED), sets_of(given, 10)
        rates.append(bench.tune(sets))
        best = best_sets(bench, [with_rate(s, rates[-1]) for s in sets])
        chosen.append([s.x.numpy().tobytes() for s in best])
        assert len(best) == 2
    assert chosen[0] == chosen[1]
    np.testing.assert_array_equal(*rates)


def test_optimized_sets_are_the_best_of_those_drawn(data, learner):
    bench, sets = Bench(learner, data, FIXED), sets_of(data, 10)
    scores = [bench.training_accuracy([s]) for s in sets]
    kept = [bench.training_accuracy([s]) for s in best_sets(bench, sets)]
    assert kept == sorted(scores, reverse=True)[:2]


def test_a_set_with_its_rates_spoilt_gets_them_back(data, learner):
    bench, samples = Bench(learner, data, FIXED), sets_of(data, 1)[0]
    good = with_rate(samples, bench.best_rate([samples]))
    spoilt = good._replace(lr=good.lr / 10)
    scale, accuracies = bench.test_scaled(spoilt)
    scaled = spoilt._replace(lr=spoilt.lr * scale)
    assert accuracies == bench.test([scaled])
    assert bench.training_accuracy([scaled]) >= bench.training_accuracy([good])
