"""tf_distill: dataset distillation with soft labels, for images and text, on TensorFlow."""

__version__ = "0.1.0"
