"""Penalties."""

from adorym.regularizers._regularizers import L1 as L1
from adorym.regularizers._regularizers import REGULARIZERS as REGULARIZERS
from adorym.regularizers._regularizers import AbstractRegularizer as AbstractRegularizer
from adorym.regularizers._regularizers import Tikhonov as Tikhonov
from adorym.regularizers._regularizers import TotalVariation as TotalVariation
from adorym.regularizers._regularizers import differences as differences
