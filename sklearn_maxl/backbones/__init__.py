"""Backbones: parameter holders that build a fresh trunk network for a shape of samples.

A backbone is not a network. It holds the parameters of one, with
scikit-learn's ``get_params``, so that a grid search reaches
``backbone__hidden_layer_sizes`` and no weight survives from one fit to the next.
"""

from ._builder import NAMED as NAMED
from ._builder import Backbone as Backbone
from ._builder import Build as Build
from ._builder import builder as builder
from ._builder import is_of_user as is_of_user
from ._builder import with_members as with_members
from ._convnet import ConvNet
from ._custom import Custom
from ._members import Members
from ._mlp import MLP
from ._resnet import ResNet50
from ._vgg import VGG16

__all__ = ["MLP", "VGG16", "ConvNet", "Custom", "Members", "ResNet50"]
