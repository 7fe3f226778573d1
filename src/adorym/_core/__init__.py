"""Errors, types and the small helpers every layer may use."""

from adorym._core.batches import Batch as Batch
from adorym._core.batches import View as View
from adorym._core.errors import AdorymError as AdorymError
from adorym._core.errors import DataError as DataError
from adorym._core.errors import JobError as JobError
from adorym._core.errors import SamplingError as SamplingError
from adorym._core.quantity import Angle as Angle
from adorym._core.quantity import Energy as Energy
from adorym._core.quantity import Length as Length
from adorym._core.quantity import Memory as Memory
from adorym._core.quantity import Quantity as Quantity
from adorym._core.quantity import QuantityKind as QuantityKind
from adorym._core.quantity import expected_quantity as expected_quantity
from adorym._core.quantity import format_quantity as format_quantity
from adorym._core.quantity import parse_quantity as parse_quantity
