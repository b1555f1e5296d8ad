"""What is said to TensorFlow before it starts, and what it is kept from saying."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from tf_distill.common import machine
from tf_distill.common.errors import UserError


def share_cores() -> None:
    """On two cores each operation takes one thread, since two run beside each other.

    Call it before TensorFlow is imported. TF_NUM_INTRAOP_THREADS of the user's own counts more.
    On more cores TensorFlow's own choice stays, as nothing was measured there.
    """
    if machine.cores() == 2:
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")


@contextlib.contextmanager
def quiet(silent: bool = False) -> Iterator[None]:
    """Holds back what C++ and Python write to stderr while the block imports TensorFlow.

    TF_CPP_MIN_LOG_LEVEL does not reach the lines before its logger is set up. Where
    the block fails, all that was held back is shown, but for a user's mistake.

    Args:
        silent: C++ does not tell errors later either, which Python raises anyway.
    """
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
