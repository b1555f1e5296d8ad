"""The two-level problem: a set on which training leads to a small loss on real data.

    inner:  w[t+1] = w[t] - lr[t] * grad_w loss(f(x[s]; w[t]), y[s])     s = t mod steps
    outer:  min over x, y, lr of  E_{w[0]}  loss(f(x_real; w[T]), y_real)     t = 0 .. T-1

T = steps * epochs: each epoch goes through the same samples again, with rates of its own.

| symbol | is | file |
| --- | --- | --- |
| f, w[0] | a Keras model as pure functions of its weights, and their random start | learner |
| loss | cross-entropy with labels of any real values; squared error | losses |
| y | classes, or a quantity: a `Task` has its loss, its targets and its score | tasks |
| the inner steps | a `Recipe`: the set's own order, or shuffled; x, y, lr are `Samples` | inner |
| w[t] to w[t+1] | plain descent, momentum, Adam: each an `Optimizer` | optimizers |
| d loss / d (x, y, lr) | the hypergradient, by a manual adjoint | hypergradient |
| min, E | the outer steps with Adam, averaged over networks; real batches | outer |
| x, y, lr as variables | lr stays positive, y can stay probabilities | distilled |
| x, y at the start | noise, real examples, or real ones moved along a linear classifier | starts |
| the accuracy of f(.; w[T]) | on real test data, over networks | evaluate |

Around it: nonfinite (a step with a NaN is skipped), parallel (parts that the cores compute
together), compiled (`tf.function` without Grappler), distribution (steps shared by devices and
machines), callbacks (after each outer step).
"""

from tf_distill.core.callbacks import Callback, KeepBest
from tf_distill.core.compiling import compiled, graph_function
from tf_distill.core.distilled import DistilledSet
from tf_distill.core.distribution import Distribution, start_distribution
from tf_distill.core.evaluate import (
    TEST_BATCH,
    Accuracy,
    Evaluated,
    Fit,
    compiled_train,
    evaluator,
    test_networks,
    tester,
)
from tf_distill.core.hypergradient import REAL_PART, TRAINING, WAY_BACK, Window
from tf_distill.core.inner import (
    OPTIMIZER_WORDS,
    REPLAY,
    Recipe,
    Samples,
    pick,
    recipe_of,
    recipe_words,
    train,
    value_and_gradients,
)
from tf_distill.core.learner import (
    SEED_STATE,
    Initializers,
    Learner,
    Weights,
    call_once,
    fixed_network,
    give_frozen,
    give_weights,
    stateless,
    with_initializers,
)
from tf_distill.core.optimizers import GRADIENT_DESCENT, OPTIMIZERS, Optimizer
from tf_distill.core.outer import (
    Distillation,
    OuterStep,
    distill,
    outer_graph,
    outer_update,
)
from tf_distill.core.starts import (
    EMBED_BATCH,
    Prototypes,
    by_class,
    class_plan,
    draw_real,
    embed,
    initial_samples,
    k_means,
    medoids,
    real_examples,
    real_starts,
    usual_labels,
)
from tf_distill.core.tasks import Task, encode, task_for, task_of
