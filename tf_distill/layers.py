"""Layers for a network of one's own, under the public name `tf_distill.layers`."""

from tf_distill.networks.layers import (
    Bidirectional,
    ChannelNormalization,
    ConvGlobalMaxPool1D,
    ConvMaxPool2D,
    InstanceNormalization,
    LayerNormalization,
)

__all__ = [
    "Bidirectional",
    "ChannelNormalization",
    "ConvGlobalMaxPool1D",
    "ConvMaxPool2D",
    "InstanceNormalization",
    "LayerNormalization",
]
