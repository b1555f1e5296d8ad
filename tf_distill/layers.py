"""Layers for a network of one's own, under the public name `tf_distill.layers`.

Also copies of models with such layers, or without some.
"""

from tf_distill.networks.layers import (
    Bidirectional,
    ChannelNormalization,
    ConvGlobalMaxPool1D,
    ConvMaxPool2D,
    GroupedConv2D,
    GroupNormalization,
    InstanceNormalization,
    LayerNormalization,
)
from tf_distill.networks.own import without_batch_norm, without_scaling

__all__ = [
    "Bidirectional",
    "ChannelNormalization",
    "ConvGlobalMaxPool1D",
    "ConvMaxPool2D",
    "GroupNormalization",
    "GroupedConv2D",
    "InstanceNormalization",
    "LayerNormalization",
    "without_batch_norm",
    "without_scaling",
]
