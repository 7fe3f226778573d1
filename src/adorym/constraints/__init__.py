"""Projections."""

from adorym.constraints._constraints import CONSTRAINTS as CONSTRAINTS
from adorym.constraints._constraints import AbstractConstraint as AbstractConstraint
from adorym.constraints._constraints import Bounds as Bounds
from adorym.constraints._constraints import Support as Support
from adorym.constraints._constraints import non_negative as non_negative
