"""Settings before TensorFlow starts, and a start without its messages."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from tf_distill.common import machine
from tf_distill.common.errors import UserError


def share_cores() -> None:
    """On two cores each operation takes one thread, because two operations run at a time.

    Call it before TensorFlow is imported. The user's own TF_NUM_INTRAOP_THREADS has priority.
    With more cores TensorFlow's own choice stays: nothing was measured there.
    """
    if machine.cores() == 2:
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")


@contextlib.contextmanager
def quiet(silent: bool = False) -> Iterator[None]:
    """Holds back the output to stderr of C++ and Python while the block imports TensorFlow.

    TF_CPP_MIN_LOG_LEVEL does not reach the lines before its logger is set up. If the block
    fails, the output is shown, unless the error is a user's mistake. After `silent` C++ prints
    no errors later either; Python raises them anyway. Keras, if it is not imported yet, takes
    TensorFlow as its backend.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever keras.json says
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3" if silent else "2")
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except (UserError, KeyboardInterrupt):
            raise
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
