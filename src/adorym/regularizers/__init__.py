"""Penalties."""

from collections.abc import Callable

from adorym.regularizers._regularizer import AbstractRegularizer as AbstractRegularizer
from adorym.regularizers._sparse import L1 as L1
from adorym.regularizers._sparse import ReweightedL1 as ReweightedL1
from adorym.regularizers._tikhonov import Tikhonov as Tikhonov
from adorym.regularizers._total_variation import TotalVariation as TotalVariation
from adorym.regularizers._total_variation import differences as differences

REGULARIZERS: dict[str, Callable[..., AbstractRegularizer]] = {
    "tikhonov": Tikhonov,
    "l1": L1,
    "reweighted l1": ReweightedL1,
    "total variation": TotalVariation,
}
"""The regularisers a job may name."""
