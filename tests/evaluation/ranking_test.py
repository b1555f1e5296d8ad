"""The ranking check and the choice of a factor for learning rates."""

import keras
import pytest
import small
import tensorflow as tf

from tf_distill.core import evaluate
from tf_distill.core.inner import Samples
from tf_distill.core.learner import Learner
from tf_distill.evaluation import original, ranking
from tf_distill.networks import choice, registry
from tf_distill.runs.folder import RunFolder
from tf_distill.runs.run import Run


def entry(distilled, full):
    return {
        "name": f"{distilled}",
        "distilled": {"mean": distilled, "std": 0.0, "networks": 4},
        "full": {"mean": full},
    }


def test_summary_has_the_rank_correlations():
    """Of the ranks 1 2 3 4 against 1 3 2 4: one of six pairs is the wrong way round."""
    entries = [entry(0.1, 0.5), entry(0.2, 0.7), entry(0.3, 0.6), entry(0.9, 0.8)]
    summary = ranking.summarize(entries)
    assert summary["spearman"] == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert summary["kendall"] == pytest.approx((5 - 1) / 6)
    assert summary["networks"] == 4
    assert summary["variants"] == entries


@pytest.mark.parametrize("entries", [[], [entry(0.1, 0.2)], [entry(0.1, 0.2), entry(0.1, 0.4)]])
def test_no_correlation_of_too_little(entries):
    summary = ranking.summarize(entries)
    assert summary["spearman"] is None
    assert summary["kendall"] is None
    assert "no rank correlation" in ranking.describe(
        {**summary, "variants": [{"distilled_seconds": 1.0, "full_seconds": 2.0}]}
    )


def test_there_are_over_a_dozen_variants_the_network_itself_among_them():
    for name, network in registry.NETWORKS.items():
        variants = registry.variants(name)
        assert len(variants) > 12
        shape = {"image": (12, 12, 1), "text": (5, 4), "table": (6,)}[network.kind]
        own = [v.shape for v in network.build(shape, 3).variables]
        assert [v.shape for v in variants["width 1, depth 0"](shape, 3).variables] == own


def _network(units):
    """Networks on `small.dataset`, of so many hidden units."""
    dense = keras.layers.Dense

    def build(shape, outputs, dropout=0.0):
        return keras.Sequential([keras.Input(shape), dense(units, "tanh"), dense(outputs)])

    return build


def test_each_variant_is_trained_both_ways_and_none_twice(tmp_path, monkeypatch, capsys):
    data, samples = _rule()
    samples = samples._replace(lr=samples.lr * 300.0)
    some = {"narrow": _network(1), "wide": _network(8)}
    monkeypatch.setattr(ranking, "variants", lambda network: some)
    training = registry.Training(lr=0.05, batch_size=16, epochs=2, steps=100, dropout=0.0)
    quick = registry.NETWORKS["lenet"]._replace(training=training)
    monkeypatch.setitem(registry.NETWORKS, "lenet", quick)
    config = small.config(tmp_path / "run")
    own = choice.choose(lambda: _network(1)(data.encoding.shape, 3), data)
    run = Run(config, data, own._replace(name="lenet"), RunFolder(config.run_dir))
    run.files.path.mkdir()
    results = {"distilled_samples": 60, "seconds": 1.0, "accuracy": {"mean": 0.5}}
    run.files.write("results.json", results)
    narrow, wide = ranking.complete_ranking(run, samples, 2)["variants"]
    assert f"warning: {ranking.FIXED}" in capsys.readouterr().out
    assert [narrow["name"], wide["name"]] == ["narrow", "wide"]
    with monkeypatch.context() as patch:
        patch.setattr(ranking, "both_ways", lambda *_: pytest.fail("trained again"))
        assert ranking.complete_ranking(run, samples, 2)["variants"] == [narrow, wide]
    assert narrow["parameters"] == 5 + 1 + 3 + 3
    learner = Learner(some["wide"](data.encoding.shape, 3))
    scaled = samples._replace(lr=samples.lr * wide["lr_scale"])
    initial = evaluate.test_networks(learner, "random", 2, 0)
    assert (
        wide["distilled"] == evaluate.evaluator(learner, data)(scaled, initial).accuracy._asdict()
    )
    assert wide["distilled"]["mean"] > narrow["distilled"]["mean"]
    full = original.original_accuracy(
        original.maker(some["wide"], data, training), data, training, 0
    )
    assert wide["full"] == {"mean": full.accuracy, "epochs": full.epochs}


def _rule():
    """Samples of `small.dataset`'s own rule, with far too small learning rates."""
    data = small.dataset(train=300, test=50)
    x, y = tf.constant(data.x_train[None, :60]), tf.one_hot(data.y_train[None, :60], 3)
    return data, Samples(x, y, tf.fill([60], 1e-3))
