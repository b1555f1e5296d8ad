"""The networks that a distilled set trains, all of them Keras models.

registry: names of networks, with their default settings and variants; a new network goes here.
paper: the five networks of the paper. convnet: a later one. parts: what these share.
layers: layers with a right second derivative, for users too.
convolutions, recurrent: fast forms of Keras's convolutions and LSTM, which `paper` uses.
choice: the network that a run or a user asks for, and whether it fits the data.
own: a user's own network, as a function, a model or module:function.
checks: mistakes in a user's own model, found by names and by calling it.
second_derivative: mistakes found by really differentiating the model twice.
"""

from tf_distill.networks.checks import check_keras, check_outputs, outputs_for
from tf_distill.networks.choice import Choice, Model, choose, fitting_names
from tf_distill.networks.registry import ITSELF, NETWORKS, Build, Training, variants
