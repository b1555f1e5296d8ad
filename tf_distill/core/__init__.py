"""TODO core."""

from tf_distill.core.callbacks import Callback, KeepBest
from tf_distill.core.compiled import LOCK, compiled, graph_function
from tf_distill.core.distilled import DistilledSet, initial_samples
from tf_distill.core.distribution import Distribution, start_distribution
from tf_distill.core.evaluate import (
    TEST_BATCH,
    Accuracy,
    Fit,
    compiled_train,
    distillation_ratio,
    evaluator,
    test_networks,
    tester,
)
from tf_distill.core.hypergradient import REAL_PART, TRAINING, WAY_BACK
from tf_distill.core.inner import Samples, descend, train, value_and_gradients
from tf_distill.core.learner import (
    SEED_STATE,
    Initializers,
    Learner,
    Weights,
    call_once,
    fixed_network,
    give_weights,
    stateless,
    with_initializers,
)
from tf_distill.core.losses import encode
from tf_distill.core.outer import (
    Distillation,
    batch_indices,
    check_step,
    distill,
    network_drawer,
    outer_graph,
    outer_update,
    real_batch,
)
from tf_distill.core.starts import EMBED_BATCH, REAL, Prototypes, by_class, class_plan, embed
