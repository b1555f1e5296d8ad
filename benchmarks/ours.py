"""Our side of the benchmark; also a program that measures one case in its own process.

  python benchmarks/ours.py '{"case": 0, "inner_steps": 30, "threads": 2, "repeats": 3}'

A process of its own is needed for the first call, which traces and compiles, and for the
peak of memory. PyTorch is not loaded there.
"""

import json
import os
import sys
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import numpy as np
import tensorflow as tf
from cases import CASES, Case, Problem, learner, problem, with_steps

from tf_distill.common import machine
from tf_distill.core import Learner, Samples, compiled, compiled_train, parallel, task_for
from tf_distill.core.evaluate import predictor
from tf_distill.core.hypergradient import hypergradient


def use_threads(threads: int) -> None:
    """Call it first. Of two threads an operation takes one, as in the main program."""
    tf.config.threading.set_intra_op_parallelism_threads(1 if threads <= 2 else threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def use_precision(dtype: str) -> None:
    """The precision of everything that is made from now on."""
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)


def make(case: Case) -> tuple[Learner, Problem]:
    """The network and a problem with its random weights."""
    network = learner(case)
    return network, problem(case, [w.numpy() for w in network.init(tf.constant([0, 1]))])


def step(network: Learner, given: Problem) -> Callable[[], list[np.ndarray]]:
    """A function that computes one hypergradient: loss, and its gradient by x, y and lr."""
    samples, real_x, real_y, weights = _tensors(given)
    compute = compiled(
        lambda *arguments: hypergradient(network, *arguments, together=parallel.at_once())
    )

    def run():
        result = compute(samples, weights, real_x, real_y)
        return [result.loss.numpy(), *(g.numpy() for g in result.gradients)]

    return run


def evaluation(network: Learner, given: Problem, test_x: np.ndarray) -> Callable[[], np.ndarray]:
    """A function that trains one network on the samples and predicts the test inputs' classes."""
    samples, _, _, weights = _tensors(given)
    fit = compiled_train(network)
    task = task_for(None, network.outputs)
    classes = predictor(network, lambda x: x, test_x, task)
    return lambda: classes(fit(samples, weights)).numpy()


def _tensors(given: Problem):
    samples = Samples(*map(tf.constant, given[:3]))
    weights = [tf.constant(w) for w in given.weights]
    return samples, tf.constant(given.real_x), tf.constant(given.real_y), weights


def measure(case: Case, repeats: int) -> dict[str, float]:
    """Seconds of the first call, median seconds of later ones, peak memory in MB."""
    run = step(*make(case))
    seconds = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return {
        "first_call_s": seconds[0],
        "step_s": float(np.median(seconds[1:])),
        "peak_mb": (machine.most_resident() or 0) / 2**20,
    }


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    use_threads(asked["threads"])
    asked_case = with_steps(CASES[asked["case"]], asked["inner_steps"])
    print(json.dumps(measure(asked_case, asked["repeats"])))
