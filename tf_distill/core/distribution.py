"""The outer steps divided among devices or machines, by TensorFlow's own distribution.

Every replica has the whole state and works on its part of a step: on some of the networks or, of
one network, on a part of the real batch. Only the hypergradient travels; it has the size of the
distilled set. Every worker makes the same updates; one of them, the chief, evaluates and writes.
"""

import contextlib
import hashlib
import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

import numpy as np
import tensorflow as tf

from tf_distill.common import UserError, WorkerLost, brief, say

JOBS = ("chief", "worker")
"""The jobs of a cluster that take part."""
LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.InternalError,
    tf.errors.DeadlineExceededError,
)
"""Errors of TensorFlow's collective operations when a peer is gone."""
_Nest = TypeVar("_Nest")


class Parts(NamedTuple):
    """The work of a replica: seeds of networks `[networks, 2]`, and real examples."""

    keys: tf.Tensor
    x: tf.Tensor
    y: tf.Tensor


class Distribution:
    """The replicas that share the outer steps.

    Args:
        strategy: of TensorFlow; None for this process's default device alone.
    """

    def __init__(self, strategy: tf.distribute.Strategy | None = None):
        self._strategy = strategy or tf.distribute.get_strategy()
        resolver = self._strategy.cluster_resolver
        cluster = resolver.cluster_spec().as_dict() if resolver else {}
        first = next((job for job in JOBS if cluster.get(job)), None)
        self.workers = sum(len(cluster.get(job, ())) for job in JOBS) or 1
        """Processes that take part."""
        self.chief = not cluster or (resolver.task_type, resolver.task_id) == (first, 0)

    @property
    def replicas(self) -> int:
        """How many there are, on all machines."""
        return self._strategy.num_replicas_in_sync

    def check(self, networks: int, batch_size: int) -> None:
        """Raises UserError where the networks, or else the batch, can't be divided equally."""
        n = self.replicas
        if networks % n and (networks > 1 or batch_size % n):
            what, got = ("networks", networks) if networks > 1 else ("batch_size", batch_size)
            raise UserError(
                f"{what}={got}, expected a multiple of the {n} replicas, which share them "
                f"equally; use {what}={-(-got // n) * n}"
            )

    def mean(self, function: Callable[[Parts], _Nest], whole: Parts) -> _Nest:
        """The mean of a function over the replicas' parts of a whole; to be called in a graph."""
        if self.replicas == 1:
            return function(whole)
        n = self.replicas
        return self._reduce(tf.distribute.ReduceOp.MEAN, lambda i: function(_part(whole, i, n)))

    def share(self, values: _Nest) -> _Nest:
        """The chief's values on every worker; a nest of numbers of the same form on each."""
        if self.workers == 1:
            return values
        tensors = tf.nest.map_structure(lambda v: tf.constant(np.asarray(v)), values)

        def of_chief(replica: tf.Tensor) -> _Nest:
            keep = lambda v: tf.where(replica == 0, v, tf.zeros_like(v))  # noqa: E731
            return tf.nest.map_structure(keep, tensors)

        return self._reduce(tf.distribute.ReduceOp.SUM, of_chief)

    def check_same(self, text: str) -> None:
        """Raises UserError on a worker whose text differs from the chief's."""
        own = int(hashlib.sha256(text.encode()).hexdigest()[:15], 16)
        if int(self.share(own)) != own:
            raise UserError(
                "this worker has other settings or data than the chief, expected the same; start "
                "all workers with the same command"
            )

    def wait(self) -> None:
        """Returns when all workers have called it."""
        self.share(0)

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Turns the errors of a lost worker into WorkerLost, which says how to continue."""
        try:
            yield
        except LOST as error:
            if self.workers == 1:
                raise
            raise WorkerLost(
                f"one of the {self.workers} workers is gone or out of reach; see what the others "
                "say, and start all of them again with the same command, which continues from "
                "the last checkpoint"
            ) from error

    def _reduce(
        self, operation: tf.distribute.ReduceOp, function: Callable[[tf.Tensor], _Nest]
    ) -> _Nest:
        """The values of a function of a replica's number, reduced over all replicas."""

        def one() -> _Nest:
            context = tf.distribute.get_replica_context()
            replica = tf.convert_to_tensor(context.replica_id_in_sync_group)
            return context.all_reduce(operation, function(replica))

        first = lambda v: self._strategy.experimental_local_results(v)[0]  # noqa: E731
        return tf.nest.map_structure(first, self._strategy.run(one))


def start_distribution(kind: str) -> Distribution:
    """The distribution of a kind, as `Config` has them, before TensorFlow is used at all.

    Raises:
        UserError: there is no cluster in TF_CONFIG, or this process can't join it.
    """
    if kind == "mirrored":
        gpus = tf.config.list_logical_devices("GPU")
        devices = [d.name for d in gpus or tf.config.list_logical_devices("CPU")]
        say(f"each outer step is done by {', '.join(devices)}")
        return Distribution(tf.distribute.MirroredStrategy(devices) if len(devices) > 1 else None)
    if kind == "multiworker":
        say(f"waiting till all workers are there, {_workers()} in all")
        before = signal.getsignal(signal.SIGTERM)
        try:
            strategy = tf.distribute.MultiWorkerMirroredStrategy()
        except (tf.errors.OpError, RuntimeError, ValueError) as error:
            raise UserError(
                f"can't join the cluster of TF_CONFIG ({str(error).splitlines()[0]}); expected a "
                "free port of this machine in the place of its task"
            ) from error
        signal.signal(signal.SIGTERM, before)  # TensorFlow's handler would only take notice
        return Distribution(strategy)
    return Distribution()


def _workers() -> int:
    """The workers of the cluster in TF_CONFIG."""
    text = os.environ.get("TF_CONFIG")
    try:
        given = json.loads(text or "")
        cluster, task = given["cluster"], given["task"]
        places = [place for job in cluster for place in cluster[job]]
        well_formed = all(re.fullmatch(r".+:\d{1,5}", place) for place in places)
        known = set(cluster) <= set(JOBS) and len(set(places)) == len(places)
        if well_formed and known and task["index"] in range(len(cluster[task["type"]])):
            return len(places)
        raise LookupError
    except (ValueError, LookupError, TypeError):
        got = brief(text) if text else "none"
        raise UserError(
            f"distribution=multiworker takes the cluster from TF_CONFIG, got {got}; expected "
            "jobs chief and worker with a host:port for each task, and the number of this one "
            'among them, for instance {"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
            '"task": {"type": "worker", "index": 0}}'
        ) from None


def _part(whole: Parts, replica: tf.Tensor, replicas: int) -> Parts:
    """Some of the networks with all examples; or the one network with some of the examples."""

    def of(v: tf.Tensor) -> tf.Tensor:
        return tf.reshape(v, [replicas, v.shape[0] // replicas, *v.shape[1:]])[replica]

    if whole.keys.shape[0] % replicas == 0:
        return whole._replace(keys=of(whole.keys))
    return whole._replace(x=of(whole.x), y=of(whole.y))
