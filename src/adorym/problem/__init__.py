"""What a solver solves: a likelihood, regularisers, constraints and a selection of leaves."""

from adorym.problem._kernels import Fit as Fit
from adorym.problem._problem import Call as Call
from adorym.problem._problem import Problem as Problem
from adorym.problem._problem import reweighting as reweighting
