"""A user's own network: a function that makes it, a Keras model to copy, or a name to import.

Copies may have other layers in place of those that don't suit distillation.
"""

import functools
import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable
from typing import Any, TypeAlias

import keras
from keras.src.models import Functional

from tf_distill.common import UserError, reason, say
from tf_distill.core import give_frozen
from tf_distill.networks import checks
from tf_distill.networks.layers import GroupedConv2D, GroupNormalization, LayerNormalization

Config: TypeAlias = dict[str, Any]
Replaced: TypeAlias = Callable[[keras.Layer, Config], keras.Layer | None]


def imported(name: str) -> Callable[..., keras.Model]:
    """The function or class `module:function`, of an installed module or one of this folder.

    Raises:
        UserError: there is none.
    """
    module, _, function = name.partition(":")
    before = list(sys.path)
    try:
        sys.path.append(os.getcwd())
        found = importlib.import_module(module)
    except (ImportError, ValueError) as error:
        raise UserError(
            f"model={name}: {reason(error)}; expected module:function, such as my_networks:build "
            "for the function build of my_networks.py in this folder"
        ) from error
    finally:
        sys.path[:] = before
    make = getattr(found, function, None)
    if make is None:
        own = [key for key, value in vars(found).items() if inspect.isfunction(value)]
        raise UserError(
            f"model={name}: {module} has no {function}; it has the functions {', '.join(own)}"
        )
    return make


def copies(model: keras.Model) -> Callable[[], keras.Model]:
    """A function that makes copies of a model: new weights, but frozen ones stay as they are.

    Raises:
        UserError: Keras can't copy it.
    """

    def copy() -> keras.Model:
        maker = f"lambda: {type(model).__name__}(...)"
        return _copied(model, f"give its class or a function in its place, such as {maker}")

    copy()  # a mistake is told before anything is done
    say(
        f"each network is a copy of the model {model.name} with new weights; frozen layers keep "
        "theirs"
    )
    copy.__name__ = re.sub(r"_\d+$", "", model.name)  # Keras counts the models of a process
    return copy


def without_batch_norm(model: keras.Model) -> keras.Model:
    """A copy of a Keras model with layers that can be differentiated twice and served.

    In place of a BatchNormalization it has a `td.layers.GroupNormalization` of one group, which
    normalises each example over all of its places and channels. A LayerNormalization or
    GroupNormalization of Keras becomes the one of `td.layers`, which computes the same, and so does
    a Conv2D of groups. Frozen batch normalisations stay: they only scale. Weights are new, but
    frozen layers keep theirs.

    Args:
        model: functional or sequential, such as those of `keras.applications`. Models in it are
            changed too.

    Raises:
        UserError: Keras can't copy the model, or a layer of another kind has a normalisation in it.
    """

    def replaced(layer: keras.Layer, config: Config) -> keras.Layer | None:
        if checks.compiled_by_xla(layer) and isinstance(layer, keras.layers.Conv2D):
            return GroupedConv2D.from_config(config)
        if not checks.differentiates_wrongly(layer):
            return None
        is_layer = isinstance(layer, keras.layers.LayerNormalization)
        kind = LayerNormalization if is_layer else GroupNormalization
        known = kind().get_config()
        return kind.from_config({k: v for k, v in ({"groups": 1} | config).items() if k in known})

    write = "write it with the normalisations of tf_distill.layers, such as GroupNormalization(1)"
    made = _copied(model, write, replaced)
    if left := next(filter(checks.differentiates_wrongly, made._flatten_layers()), None):
        raise UserError(
            f"the model {model.name} has {type(left).__name__} {left.name!r} inside of another "
            f"layer, where it can't be replaced; {write}"
        )
    return made


def without_scaling(model: keras.Model) -> keras.Model:
    """A copy of a Keras model without its Rescaling and Normalization layers.

    A network of a distillation gets inputs that are normalised already. Weights are new, but
    frozen layers keep theirs.

    Args:
        model: functional or sequential, such as those of `keras.applications`. Models in it are
            changed too.

    Raises:
        UserError: Keras can't copy the model.
    """

    def replaced(layer: keras.Layer, config: Config) -> keras.Layer | None:
        return keras.layers.Identity(name=layer.name) if isinstance(layer, checks.SCALING) else None

    return _copied(model, "write it without these layers", replaced)


def _copied(
    model: keras.Model, advice: str, replaced: Replaced = lambda layer, config: None
) -> keras.Model:
    """A copy with new weights but the frozen ones, with layers `replaced` unless that is None.

    Layers of float32 become those of Keras's floatx, so that a copy can be tried out in float64.
    """
    pairs: dict[int, tuple[keras.Layer, keras.Layer]] = {}

    def cloned(layer: keras.Layer) -> keras.Layer:
        if id(layer) not in pairs:
            if isinstance(layer, (keras.Sequential, Functional)):
                new = copied(layer)
            else:
                config = _in_floatx(layer.get_config())
                new = replaced(layer, config) or type(layer).from_config(config)
            pairs[id(layer)] = layer, new
        return pairs[id(layer)][1]

    def copied(model: keras.Model) -> keras.Model:
        given = model.inputs if isinstance(model, keras.Sequential) else model.input
        inputs = keras.tree.map_structure(_input_in_floatx, given) if given is not None else None
        return keras.models.clone_model(model, inputs, cloned)

    try:
        if isinstance(model, (keras.Sequential, Functional)):
            made = copied(model)
        else:
            made = keras.models.clone_model(model)
            pairs[id(model)] = model, made
    except (ValueError, NotImplementedError, TypeError) as error:
        raise UserError(
            f"the model {model.name} can't be copied for new weights ({reason(error)}); {advice}"
        ) from error
    for old, new in pairs.values():
        if isinstance(old, keras.Layer):  # not an operation
            give_frozen(new, old.non_trainable_weights)
    return made


def _in_floatx(config: Any) -> Any:
    """A layer's config with Keras's floatx in place of float32."""
    if isinstance(config, list | tuple):
        return type(config)(map(_in_floatx, config))
    if not isinstance(config, dict):
        return config
    return {
        k: keras.config.floatx() if k == "dtype" and _is_float32(v) else _in_floatx(v)
        for k, v in config.items()
    }


def _is_float32(dtype: Any) -> bool:
    policy = dtype.get("config", {}) if isinstance(dtype, dict) else {"name": dtype}
    return policy.get("name") == "float32"


def _input_in_floatx(x: keras.KerasTensor) -> keras.KerasTensor:
    dtype = _in_floatx({"dtype": x.dtype})["dtype"]
    return keras.Input(batch_shape=x.shape, dtype=dtype, name=x.name)


def for_data(make: Any, shape: tuple[int, ...], outputs: int) -> Callable[[], keras.Model]:
    """A function without arguments, from one that may want (input_shape, outputs)."""
    try:
        inspect.signature(make).bind()
    except TypeError:
        return functools.partial(make, shape, outputs)
    except ValueError:  # a builtin that does not tell
        pass
    return make
