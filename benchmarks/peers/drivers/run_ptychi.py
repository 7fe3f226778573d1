"""Pty-Chi: autodiff with Adam, or LSQML.

Chosen: the settings of Pty-Chi's own multislice tests (autodiff: Adam on object and probe, square-root loss; LSQML:
step size 1), with batches of 10; Adam's steps tuned in its favour from the tests' 1e-3. Without a display of progress.
"""

from __future__ import annotations

import logging

import numpy as np
import torch
from protocol import THREADS, Driver
from ptychi import api
from ptychi.api.task import PtychographyTask
from ptychi.utils import rescale_probe

ADAM_OBJECT, ADAM_PROBE = 2e-2, 3e-2


def options_of(driver: Driver) -> api.options.task.PtychographyTaskOptions:
    """What a user would set."""
    case = driver.case
    autodiff = driver.options.variant == "autodiff"
    options = api.AutodiffPtychographyOptions() if autodiff else api.LSQMLOptions()
    options.data_options.wavelength_m = float(case["wavelength"])
    options.object_options.pixel_size_m = float(case["pixel"])
    options.object_options.slice_spacings_m = [float(case["spacing"])] * (int(case["slices"]) - 1)
    options.object_options.optimizer = api.Optimizers.ADAM if autodiff else api.Optimizers.SGD
    options.object_options.step_size = ADAM_OBJECT if autodiff else 1.0
    options.probe_options.optimizer = options.object_options.optimizer
    options.probe_options.step_size = ADAM_PROBE if autodiff else 1.0
    options.probe_position_options.optimizable = False
    options.reconstructor_options.batch_size = 10
    options.reconstructor_options.num_epochs = 1
    options.reconstructor_options.default_device = api.Devices.CPU
    options.reconstructor_options.random_seed = 1
    if autodiff:
        options.reconstructor_options.forward_model_class = api.ForwardModels.PLANAR_PTYCHOGRAPHY
        options.reconstructor_options.loss_function = api.LossFunctions.MSE_SQRT
    return options


def main() -> None:
    """Epoch by epoch, until time is over."""
    logging.disable(logging.WARNING)
    torch.set_num_threads(THREADS)
    driver = Driver()
    case = driver.case
    frames, size, slices = driver.frames, int(case["field"]), int(case["slices"])
    task = PtychographyTask(
        options_of(driver),
        diffraction_data=frames,
        object_data=np.ones((slices, size, size), np.complex64),
        probe_data=rescale_probe(case["start"][None], frames),
        probe_position_y_px=case["positions"][:, 0].astype(np.float32),
        probe_position_x_px=case["positions"][:, 1].astype(np.float32),
    )
    driver.ready()
    going = True
    while going:
        task.run(1)
        going = driver.epoch(lambda: task.get_data_to_cpu("object", as_numpy=True))


if __name__ == "__main__":
    main()
