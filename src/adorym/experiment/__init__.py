"""Experiments: the five parts together, the techniques that choose them, and plans of measurements to come."""

from collections.abc import Callable

from adorym.experiment._chain_size import ChainSize as ChainSize
from adorym.experiment._demands import check_kind as check_kind
from adorym.experiment._demands import check_sampling as check_sampling
from adorym.experiment._experiment import Experiment as Experiment
from adorym.experiment._phase_retrieval import Spectrum as Spectrum
from adorym.experiment._phase_retrieval import back_propagation as back_propagation
from adorym.experiment._phase_retrieval import retrieve_phase as retrieve_phase
from adorym.experiment._plan import GaussianProbe as GaussianProbe
from adorym.experiment._plan import PlannedFrames as PlannedFrames
from adorym.experiment._plan import Raster as Raster
from adorym.experiment._plan import plan_holography as plan_holography
from adorym.experiment._plan import plan_ptychography as plan_ptychography
from adorym.experiment._plan import plan_tomography as plan_tomography
from adorym.experiment._slabs import automatic_slab as automatic_slab
from adorym.experiment._slabs import unnoticed_slab as unnoticed_slab
from adorym.experiment._techniques import cdi as cdi
from adorym.experiment._techniques import holography as holography
from adorym.experiment._techniques import ptychography as ptychography
from adorym.experiment._techniques import tomography as tomography

EXPERIMENTS: dict[str, Callable[..., Experiment]] = {
    "holography": holography,
    "ptychography": ptychography,
    "tomography": tomography,
    "cdi": cdi,
}
"""The techniques a job may name."""
