"""What Keras and TensorFlow keep for the whole process is changed by one thread at a time."""

import threading

LOCK = threading.RLock()
"""Is held while something of the process is changed, and by what depends on it not being so.

There is one lock for all, since two would wait for each other where such changes are nested.
"""
