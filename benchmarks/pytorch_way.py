"""The paper's authors' way, in PyTorch: one graph over all inner steps.

`torch.func.functional_call` runs the network with weights that are tensors, and
`torch.autograd.grad(create_graph=True)` takes the inner gradients so that the outer one
passes through them.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from cases import Case, Problem
from torch import nn
from torch.nn import functional as F


class Settings(NamedTuple):
    """What PyTorch lets one choose: oneDNN's kernels or its own, and the order of channels."""

    onednn: bool
    channels_last: bool

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Inside, PyTorch computes so."""
        with torch.backends.mkldnn.flags(enabled=self.onednn):
            yield


class Images(nn.Module):
    """Channels first, as PyTorch wants them, from `[batch, height, width, channels]`."""

    def __init__(self, channels_last: bool):
        super().__init__()
        self.channels_last = channels_last

    def forward(self, x):
        """A view where channels may come last, else a copy."""
        x = x.permute(0, 3, 1, 2)
        return x if self.channels_last else x.contiguous()


class TextCNN(nn.Module):
    """Three convolutions over words, their maxima, one dense layer."""

    def __init__(self, shape, outputs):
        super().__init__()
        self.wide = nn.ModuleList(nn.Conv1d(shape[1], 100, size) for size in (3, 4, 5))
        self.dense = nn.Linear(300, outputs)

    def forward(self, x):
        """Logits of `[batch, words, numbers]`."""
        x = x.transpose(1, 2)
        return self.dense(torch.cat([F.relu(conv(x)).amax(2) for conv in self.wide], 1))


class Recurrent(nn.Module):
    """Two bidirectional layers by PyTorch's own fused functions, with one bias as in Keras."""

    def __init__(self, shape, outputs, gates):
        super().__init__()
        units, self.function = 100, torch._VF.lstm if gates == 4 else torch._VF.rnn_tanh
        for layer, direction in itertools.product(range(2), range(2)):
            inputs = shape[1] if layer == 0 else 2 * units
            for name, size in (("w", (gates * units, inputs)), ("u", (gates * units, units)),
                               ("b", (gates * units,))):  # fmt: skip
                self.register_parameter(
                    f"{name}{layer}{direction}", nn.Parameter(torch.zeros(size))
                )
        self.register_buffer("no_bias", torch.zeros(gates * units))
        self.dense = nn.Linear(2 * units, outputs)
        self.units, self.states = units, 2 if gates == 4 else 1

    def forward(self, x):
        """Logits of `[batch, words, numbers]`."""
        flat = []
        for place in ("00", "01", "10", "11"):
            flat += [getattr(self, name + place) for name in "wub"] + [self.no_bias.to(x.dtype)]
        zero = x.new_zeros(4, len(x), self.units)
        start = (zero, zero) if self.states == 2 else zero
        last = self.function(x, start, flat, True, 2, 0.0, False, True, True)[1]
        return self.dense(torch.cat([last[2], last[3]], 1))


def build(case: Case, settings: Settings) -> nn.Module:
    """The network of a case."""
    if case.network == "textconvnet":
        return TextCNN(case.shape, case.outputs)
    if case.network in ("birnn", "bilstm"):
        return Recurrent(case.shape, case.outputs, {"birnn": 1, "bilstm": 4}[case.network])
    channels = case.shape[-1]
    if case.network == "lenet":
        parts = [nn.Conv2d(channels, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
                 nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)]  # fmt: skip
        widths = (400, 120, 84, case.outputs)
    else:
        norm = nn.LocalResponseNorm(4, alpha=0.001 / 9, beta=0.75, k=1.0)
        pool = nn.MaxPool2d(3, 2, 1)
        parts = [nn.Conv2d(channels, 64, 5, padding=2), nn.ReLU(), pool, norm,
                 nn.Conv2d(64, 64, 5, padding=2), nn.ReLU(), norm, pool]  # fmt: skip
        widths = (4096, 384, 192, case.outputs)
    parts += [nn.Flatten()]
    for n, m in itertools.pairwise(widths):
        parts += [nn.Linear(n, m), nn.ReLU()]
    return nn.Sequential(Images(settings.channels_last), *parts[:-1])


def from_keras(case: Case, model: nn.Module, weights: Sequence[np.ndarray]) -> dict:
    """Our weights by PyTorch's names and in its layouts."""
    if case.network in ("birnn", "bilstm"):
        arrays = [w.T for w in weights]
    else:
        arrays = [_layout(w) for w in weights]
        if case.network in ("lenet", "alexcifarnet"):
            arrays[4] = _channels_first(weights[4], weights[2].shape[-1])
    names = [name for name, _ in model.named_parameters()]
    return {n: torch.tensor(np.ascontiguousarray(a)) for n, a in zip(names, arrays, strict=True)}


def _layout(w: np.ndarray) -> np.ndarray:
    """Kernels `[..., inputs, outputs]` as `[outputs, inputs, ...]`."""
    return np.moveaxis(w, (-1, -2), (0, 1)) if w.ndim > 1 else w


def _channels_first(w: np.ndarray, channels: int) -> np.ndarray:
    """The dense kernel after Flatten, whose inputs here come channel by channel."""
    side = round((len(w) / channels) ** 0.5)
    ordered = w.reshape(side, side, channels, -1).transpose(2, 0, 1, 3)
    return ordered.reshape(len(w), -1).T


def cross_entropy(y: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy with soft labels; one logit is a binary task."""
    if logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits, y)
    return -(y * F.log_softmax(logits, 1)).sum(1).mean()


class Learned(NamedTuple):
    """The distilled samples as leaves of the graph."""

    x: torch.Tensor
    y: torch.Tensor
    lr: torch.Tensor


def step(case: Case, problem: Problem, settings: Settings) -> Callable[[], list[np.ndarray]]:
    """A function that computes one hypergradient: loss, and its gradient by x, y and lr."""
    model = build(case, settings)
    weights = from_keras(case, model, problem.weights)
    learned = Learned(*(torch.tensor(a).requires_grad_() for a in problem[:3]))
    real = torch.tensor(problem.real_x), torch.tensor(problem.real_y)

    def compute():
        with settings.active():
            trained = train(model, learned, weights, case.steps, create_graph=True)
            loss = loss_of(model, trained, *real)
            return [loss.detach().numpy()] + [g.numpy() for g in torch.autograd.grad(loss, learned)]

    return compute


def loss_of(model: nn.Module, weights: dict, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The loss on one batch."""
    return cross_entropy(y, torch.func.functional_call(model, weights, (x,)))


def train(model: nn.Module, learned: Learned, weights: dict, steps: int, create_graph: bool):
    """All inner steps."""
    weights = {n: w.clone().requires_grad_() for n, w in weights.items()}
    for t, lr in enumerate(learned.lr):
        loss = loss_of(model, weights, learned.x[t % steps], learned.y[t % steps])
        gradients = torch.autograd.grad(loss, list(weights.values()), create_graph=create_graph)
        weights = {n: w - lr * g for (n, w), g in zip(weights.items(), gradients, strict=True)}
        if not create_graph:
            weights = {n: w.detach().requires_grad_() for n, w in weights.items()}
    return weights


def every_setting(case: Case) -> list[Settings]:
    """The ways that PyTorch offers for this network."""
    orders = (False, True) if len(case.shape) == 3 else (False,)
    return [Settings(onednn, last) for onednn in (True, False) for last in orders]


def evaluation(
    case: Case, problem: Problem, settings: Settings, test_x: np.ndarray
) -> Callable[[], np.ndarray]:
    """A function that trains one network on the samples and predicts the test inputs' classes."""
    model = build(case, settings)
    weights = from_keras(case, model, problem.weights)
    samples = Learned(*map(torch.tensor, problem[:3]))
    batches = torch.tensor(test_x).split(500)

    def compute():
        with settings.active():
            trained = train(model, samples, weights, case.steps, create_graph=False)
            with torch.no_grad():
                logits = [torch.func.functional_call(model, trained, (x,)) for x in batches]
            return torch.cat(logits).argmax(1).numpy()

    return compute
