"""Runs a SavedModel by TensorFlow's C++ loader, in a process without Python's tensorflow.

  python tests/cpp_loader.py MODEL REQUESTS ANSWERS [REPEATS]

REQUESTS is a pickled list of (signature name, {input name: array}), texts as arrays of
bytes objects. ANSWERS becomes a pickled list of (answer, seconds): the answer {output
name: array}, or the error's text; seconds a float for each of the repeats. The same C
library that a server is built on; it runs on one thread.
"""

import ctypes
import importlib.util
import pickle
import sys
import time
from collections.abc import Iterator
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path

import numpy as np

STRING, STRING_BYTES = 7, 24
TYPES = {1: np.float32, 2: np.float64, 3: np.int32, 4: np.uint8, 9: np.int64}
ONE_THREAD = b"\x10\x01\x28\x01"  # ConfigProto: intra_op and inter_op_parallelism_threads


class Buffer(ctypes.Structure):
    """TF_Buffer."""

    _fields_ = (("data", c_void_p), ("length", c_size_t), ("free", c_void_p))


class Output(ctypes.Structure):
    """TF_Output."""

    _fields_ = (("operation", c_void_p), ("index", c_int))


def load_library() -> ctypes.CDLL:
    """The C library in tensorflow's wheel, found without importing it."""
    folder = Path(importlib.util.find_spec("tensorflow").origin).parent
    ctypes.CDLL(str(folder / "libtensorflow_framework.so.2"), ctypes.RTLD_GLOBAL)
    library = ctypes.CDLL(str(folder / "libtensorflow_cc.so.2"), ctypes.RTLD_GLOBAL)
    pointers = (
        "NewStatus NewSessionOptions NewGraph NewBuffer LoadSessionFromSavedModel AllocateTensor "
        "TensorData GraphOperationByName"
    )
    for name in pointers.split():
        getattr(library, f"TF_{name}").restype = c_void_p
    library.TF_Message.restype = c_char_p
    library.TF_NewBuffer.restype = POINTER(Buffer)
    library.TF_Dim.restype = c_int64
    library.TF_TensorByteSize.restype = c_size_t
    library.TF_StringGetSize.restype = c_size_t
    library.TF_StringGetDataPointer.restype = c_void_p
    return library


class Model:
    """A loaded SavedModel.

    Args:
        path: its folder.
    """

    def __init__(self, path: str):
        self.c = load_library()
        self.status = c_void_p(self.c.TF_NewStatus())
        options = c_void_p(self.c.TF_NewSessionOptions())
        self.c.TF_SetConfig(options, ONE_THREAD, c_size_t(len(ONE_THREAD)), self.status)
        self.check()
        self.graph = c_void_p(self.c.TF_NewGraph())
        meta_graph, tags = self.c.TF_NewBuffer(), (c_char_p * 1)(b"serve")
        session = self.c.TF_LoadSessionFromSavedModel(
            options, None, path.encode(), tags, 1, self.graph, meta_graph, self.status
        )
        self.check()
        self.session = c_void_p(session)
        content = meta_graph.contents
        self.signatures = signatures(ctypes.string_at(content.data, content.length))

    def check(self) -> None:
        """Raises RuntimeError where the last call failed."""
        if self.c.TF_GetCode(self.status):
            raise RuntimeError(self.c.TF_Message(self.status).decode(errors="replace"))

    def run(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs of a signature, by name."""
        takes, gives = self.signatures[signature]
        if set(takes) != set(inputs):
            raise KeyError(f"{signature} takes {sorted(takes)}, got {sorted(inputs)}")
        values = (c_void_p * len(inputs))(*(self.tensor(v) for v in inputs.values()))
        results = (c_void_p * len(gives))()
        self.c.TF_SessionRun(
            self.session,
            None,
            self.outputs(takes[name] for name in inputs),
            values,
            len(inputs),
            self.outputs(gives.values()),
            results,
            len(gives),
            None,
            0,
            None,
            self.status,
        )
        for value in values:
            self.c.TF_DeleteTensor(c_void_p(value))
        self.check()
        return {name: self.array(c_void_p(r)) for name, r in zip(gives, results, strict=True)}

    def outputs(self, names):
        """TF_Outputs of tensor names such as `call:0`."""
        pairs = [name.rsplit(":", 1) for name in names]
        found = [self.c.TF_GraphOperationByName(self.graph, op.encode()) for op, _ in pairs]
        return (Output * len(pairs))(*zip(found, (int(i) for _, i in pairs), strict=True))

    def tensor(self, array: np.ndarray) -> int:
        """A new TF_Tensor with the array's values."""
        shape = (c_int64 * array.ndim)(*array.shape)
        kind = STRING if array.dtype == object else _type_number(array.dtype)
        size = array.size * STRING_BYTES if kind == STRING else array.nbytes
        tensor = self.c.TF_AllocateTensor(kind, shape, array.ndim, c_size_t(size))
        data = self.c.TF_TensorData(c_void_p(tensor))
        if kind == STRING:
            for i, text in enumerate(array.ravel()):
                place = c_void_p(data + i * STRING_BYTES)
                self.c.TF_StringInit(place)
                self.c.TF_StringCopy(place, text, c_size_t(len(text)))
        else:
            ctypes.memmove(data, np.ascontiguousarray(array).ctypes.data, size)
        return tensor

    def array(self, tensor: c_void_p) -> np.ndarray:
        """The values of a TF_Tensor, which is deleted."""
        shape = [self.c.TF_Dim(tensor, i) for i in range(self.c.TF_NumDims(tensor))]
        data, kind = self.c.TF_TensorData(tensor), self.c.TF_TensorType(tensor)
        if kind == STRING:
            places = (c_void_p(data + i * STRING_BYTES) for i in range(int(np.prod(shape))))
            texts = [self.text(place) for place in places]
            values = np.array([*texts, None], object)[:-1].reshape(shape)
        else:
            raw = ctypes.string_at(data, self.c.TF_TensorByteSize(tensor))
            values = np.frombuffer(raw, TYPES[kind]).reshape(shape)
        self.c.TF_DeleteTensor(tensor)
        return values

    def text(self, place: c_void_p) -> bytes:
        """The bytes of a TF_TString."""
        size = self.c.TF_StringGetSize(place)
        return ctypes.string_at(self.c.TF_StringGetDataPointer(place), size)


def signatures(meta_graph: bytes) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """Signature names with the tensor names of inputs and outputs, of a MetaGraphDef."""
    entries = (dict(fields(entry)) for number, entry in fields(meta_graph) if number == 5)
    return {e[1].decode(): (_tensors(e[2], 1), _tensors(e[2], 2)) for e in entries}


def fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a serialized protobuf: number and value, empty for a number's value."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind, size = key & 7, {1: 8, 5: 4}.get(key & 7, 0)
        if kind == 0:
            _, at = _varint(message, at)
        if kind == 2:
            size, at = _varint(message, at)
        yield key >> 3, message[at : at + size]
        at += size


def _tensors(signature: bytes, field: int) -> dict[str, str]:
    entries = (dict(fields(entry)) for number, entry in fields(signature) if number == field)
    return {e[1].decode(): dict(fields(e[2]))[1].decode() for e in entries}


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _type_number(dtype: np.dtype) -> int:
    return next(number for number, known in TYPES.items() if known == dtype)


def _answer(model: Model, signature: str, inputs: dict[str, np.ndarray], repeats: int):
    seconds = []
    try:
        for _ in range(repeats):
            started = time.perf_counter()
            answer = model.run(signature, inputs)
            seconds.append(time.perf_counter() - started)
    except RuntimeError as error:
        return str(error), seconds
    return answer, seconds


def main() -> None:
    """Answers all requests."""
    path, requests, answers, *repeats = sys.argv[1:]
    model = Model(path)
    asked = pickle.loads(Path(requests).read_bytes())
    times = int(repeats[0]) if repeats else 1
    given = [_answer(model, *request, times) for request in asked]
    if "tensorflow" in sys.modules:
        sys.exit("this process must not import tensorflow")
    Path(answers).write_bytes(pickle.dumps(given))


if __name__ == "__main__":
    main()
