"""What SIGINT and SIGTERM do while there is something to save."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def handling(handler: Callable, checkpoints: object | None) -> Iterator[None]:
    """Gives SIGINT and SIGTERM a handler, where there are checkpoints to go on from."""
    if not checkpoints or threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is told of signals
        return
    before = {s: signal.signal(s, handler) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
