"""Reads a SavedModel that was written, and refuses what TensorFlow Serving can't run."""

from collections.abc import Iterator
from pathlib import Path

from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from tf_distill.errors import UserError

PYTHON_OPS = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
JIT = "_XlaMustCompile"


def check(path: Path) -> None:
    """Checks the SavedModel in the folder `path`.

    Raises:
        UserError: the graph calls Python, or asks for a compiler that a server does not
            have; or an output of `serving_default` does not begin with the batch, so that
            it can't be asked over REST.
    """
    model = SavedModel.FromString((path / "saved_model.pb").read_bytes())
    if faults := sorted(set(_faults(model))):
        raise UserError(
            f"TensorFlow Serving can't run this export: {'; '.join(faults)}; build the network "
            "of TensorFlow operations alone, without jit_compile"
        )


def _faults(model: SavedModel) -> Iterator[str]:
    for graph in model.meta_graphs:
        yield from _node_faults(graph.graph_def.node, "the graph")
        for function in graph.graph_def.library.function:
            name = function.signature.name
            yield from _node_faults(function.node_def, f"function {name}")
            if _must_compile(function.attr):
                yield f"function {name} has jit_compile"
        yield from _signature_faults(graph.signature_def)


def _node_faults(nodes, where: str) -> Iterator[str]:
    for node in nodes:
        if node.op in PYTHON_OPS:
            yield f"{node.op} {node.name!r} in {where}"
        if _must_compile(node.attr):
            yield f"{node.name!r} in {where} has jit_compile"


def _must_compile(attributes) -> bool:
    return JIT in attributes and attributes[JIT].b


def _signature_faults(signatures) -> Iterator[str]:
    if "serving_default" not in signatures:
        yield "no signature serving_default"
        return
    for name, output in signatures["serving_default"].outputs.items():
        shape = output.tensor_shape
        if shape.unknown_rank or not shape.dim or shape.dim[0].size != -1:
            yield f"output {name!r} does not begin with the batch"
