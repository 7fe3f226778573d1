"""Solvers: what moves the leaves that are free."""

from collections.abc import Callable

from adorym.solvers._conjugate_gradient import ConjugateGradient as ConjugateGradient
from adorym.solvers._conjugate_gradient import ConjugateGradientState as ConjugateGradientState
from adorym.solvers._first_order import FirstOrder as FirstOrder
from adorym.solvers._first_order import FirstOrderState as FirstOrderState
from adorym.solvers._gauss_newton import GaussNewton as GaussNewton
from adorym.solvers._gauss_newton import GaussNewtonState as GaussNewtonState
from adorym.solvers._lbfgs import LBFGS as LBFGS
from adorym.solvers._lbfgs import LBFGSState as LBFGSState
from adorym.solvers._passes import data_product as data_product
from adorym.solvers._passes import objective_and_gradient as objective_and_gradient
from adorym.solvers._passes import summed as summed
from adorym.solvers._proximal import Proximal as Proximal
from adorym.solvers._proximal import ProximalState as ProximalState
from adorym.solvers._proximal_map import Mapped as Mapped
from adorym.solvers._proximal_map import no_duals as no_duals
from adorym.solvers._proximal_map import proximal_map as proximal_map
from adorym.solvers._relaxation import Relaxation as Relaxation
from adorym.solvers._relaxation import RelaxationState as RelaxationState
from adorym.solvers._solver import AbstractSolver as AbstractSolver
from adorym.solvers._solver import Info as Info
from adorym.solvers._solver import Moment as Moment
from adorym.solvers._solver import Work as Work
from adorym.solvers._vectors import axpy as axpy
from adorym.solvers._vectors import dot as dot
from adorym.solvers._vectors import signs as signs

SOLVERS: dict[str, Callable[..., AbstractSolver]] = {
    "first order": FirstOrder,
    "gauss-newton": GaussNewton,
    "l-bfgs": LBFGS,
    "conjugate gradient": ConjugateGradient,
    "proximal": Proximal,
}
"""The solvers a job may name."""
