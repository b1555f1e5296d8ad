"""A user's own network: a function that makes it, a Keras model to copy, or a name to import."""

import functools
import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable
from typing import Any

import keras

from tf_distill.common import UserError, reason, say


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
        try:
            made = keras.models.clone_model(model)
        except (ValueError, NotImplementedError, TypeError) as error:
            raise UserError(
                f"the model {model.name} can't be copied for new weights ({reason(error)}); give "
                f"its class or a function in its place, such as lambda: {type(model).__name__}(...)"
            ) from error
        for new, old in zip(made.non_trainable_weights, model.non_trainable_weights, strict=True):
            new.assign(old)
        return made

    copy()  # a mistake is told before anything is done
    say(
        f"each network is a copy of the model {model.name} with new weights; frozen layers keep "
        "theirs"
    )
    copy.__name__ = re.sub(r"_\d+$", "", model.name)  # Keras counts the models of a process
    return copy


def for_data(make: Any, shape: tuple[int, ...], outputs: int) -> Callable[[], keras.Model]:
    """A function without arguments, from one that may want (input_shape, outputs)."""
    try:
        inspect.signature(make).bind()
    except TypeError:
        return functools.partial(make, shape, outputs)
    except ValueError:  # a builtin that does not tell
        pass
    return make
