"""The version, in a module of its own: whatever has to know it imports nothing else."""

__version__ = "0.1.0"
