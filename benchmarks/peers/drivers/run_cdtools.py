"""cdtools: its two-dimensional multislice model by Adam.

Chosen: `Adam_optimize` as in cdtools' examples with batches of 10, the step tuned in its favour from the default 0.005,
the probe's three times as long; the object as an exponent (the model's default); no doubled grid
(`prevent_aliasing`), which would only cost time here.
"""

from __future__ import annotations

import numpy as np
import torch as t
from cdtools.datasets import Ptycho2DDataset
from cdtools.models import Multislice2DPtycho
from protocol import THREADS, Driver

RATE = 0.02
PROBE = {"probe_real": 3.0, "probe_imag": 3.0}


def model_of(case: dict[str, np.ndarray]) -> Multislice2DPtycho:
    """The model with the probe and the field that everybody starts from."""
    pixel, size, slices = float(case["pixel"]), int(case["field"]), int(case["slices"])
    probe = case["start"]
    basis = np.array([[0, pixel], [pixel, 0], [0, 0]])
    model = Multislice2DPtycho(
        float(case["wavelength"]),
        {"distance": 1.0, "basis": basis, "corner": np.zeros(3)},
        basis,
        probe,
        np.zeros((slices, size, size), np.complex64),
        float(case["spacing"]),
        slices,
        min_translation=[-(size - probe.shape[-1]) / 2] * 2,
        translation_offsets=np.zeros((len(case["positions"]), 2)),
        weights=np.ones(len(case["positions"])),
        prevent_aliasing=False,
        units="nm",
    )
    model.translation_offsets.requires_grad = False
    model.weights.requires_grad = False
    return model


def main() -> None:
    """Epoch by epoch, until time is over."""
    t.set_num_threads(THREADS)
    driver = Driver()
    case = driver.case
    model = model_of(case)
    places = np.zeros((len(case["positions"]), 3), np.float32)
    places[:, 0], places[:, 1] = (case["positions"][:, axis] * float(case["pixel"]) for axis in (1, 0))
    dataset = Ptycho2DDataset(t.as_tensor(places), t.as_tensor(driver.frames), wavelength=float(case["wavelength"]))
    driver.ready()
    for _ in model.Adam_optimize(
        driver.options.epochs, dataset, lr=RATE, lr_factors=PROBE, batch_size=10, thread=False
    ):
        if not driver.epoch(lambda: np.exp(1j * model.obj.detach().numpy())):
            break


if __name__ == "__main__":
    main()
