"""phaser: its gradient engine on JAX with Adam.

Chosen: the Anscombe noise model (the amplitude model gives no numbers where a pixel is dark), groups of 10, Adam on
object and probe with steps tuned in its favour, no regularisers, no limit of the bandwidth, all frames kept in memory.
"""

from __future__ import annotations

import logging

import numpy as np
from phaser.execute import execute_engine, initialize_reconstruction
from phaser.observer import Observer
from phaser.plan import ReconsPlan
from phaser.state import PartialReconsState, PixelatedObjectState, PixelatedProbeState, ScanState
from phaser.utils.num import Sampling
from phaser.utils.object import ObjectSampling
from protocol import Driver

ADAM_OBJECT, ADAM_PROBE = 2e-2, 4.0
ANGSTROM = 1e-10


class OverError(Exception):
    """Time is over."""


class Reporter(Observer):
    """Tells the driver of every epoch."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver

    def start_engine(self, init_state: object) -> None:
        """Everything is there but the compiled step."""
        self.driver.ready()

    def update_iteration(self, state: object, i: int, n: int, errors: dict[str, float]) -> None:
        """An epoch is done: its losses were already waited for."""
        if not self.driver.epoch(lambda: np.asarray(state.object.data)):
            raise OverError


def plan_of(driver: Driver) -> ReconsPlan:
    """What a user would write into a plan; lengths are in angstroms."""
    case = driver.case
    wavelength, pixel = (float(case[name]) / ANGSTROM for name in ("wavelength", "pixel"))
    side = case["start"].shape[-1]
    engine = {
        "type": "gradient",
        "niter": driver.options.epochs,
        "probe_modes": int(case["modes"]),
        "grouping": 10,
        "bwlim_frac": None,
        "buffer_n_groups": None,
        "noise_model": {"type": "anscombe"},
        "solvers": {
            "object": {"type": "adam", "learning_rate": ADAM_OBJECT},
            "probe": {"type": "adam", "learning_rate": ADAM_PROBE},
        },
        "regularizers": [],
        "group_constraints": [],
        "iter_constraints": [],
    }
    return ReconsPlan.from_data(
        {
            "name": "peers",
            "backend": "jax",
            "raw_data": {
                "type": "manual",
                "path": str(driver.options.case / "frames.npy"),
                "wavelength": wavelength,
                "diff_step": wavelength / (side * pixel) * 1e3,
                "adu": 1.0,
            },
            "slices": {"n": int(case["slices"]), "slice_thickness": float(case["spacing"]) / ANGSTROM},
            "engines": [engine],
        }
    )


def start_of(case: dict[str, np.ndarray]) -> PartialReconsState:
    """The probe, the positions and the field that everybody starts from."""
    pixel, side, size = float(case["pixel"]) / ANGSTROM, case["start"].shape[-1], int(case["field"])
    slices = int(case["slices"])
    places = (case["positions"] * pixel).astype(np.float32)
    return PartialReconsState(
        wavelength=float(case["wavelength"]) / ANGSTROM,
        probe=PixelatedProbeState(Sampling((side, side), sampling=(pixel, pixel)), case["start"]),
        object=PixelatedObjectState(
            ObjectSampling((size, size), (pixel, pixel)),
            np.ones((slices, size, size), np.complex64),
            np.full(slices, float(case["spacing"]) / ANGSTROM, np.float32),
        ),
        scan=ScanState(places, places.copy()),
    )


def main() -> None:
    """Epoch by epoch, until time is over."""
    logging.disable(logging.WARNING)
    driver = Driver()
    plan = plan_of(driver)
    prepared = initialize_reconstruction(
        plan, seed=1, init_state=start_of(driver.case), override_observers=Reporter(driver)
    )
    try:
        for engine in plan.engines:
            prepared = execute_engine(prepared, engine)
    except OverError:
        pass


if __name__ == "__main__":
    main()
