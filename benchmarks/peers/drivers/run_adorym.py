"""adorym, as a user would write it: batches of 10 by first-order steps, or the default job without a numerical knob."""

from __future__ import annotations

import jax
import numpy as np
from protocol import Driver

JOB = """\
version = 1

[data]
file = "{file}"

[experiment]
kind = "ptychography"
modes = {modes}
slices = {slices}
spacing = {spacing}
"""

FIRST_ORDER = """
[[stages]]
free = ["object", "probe"]
solver = "first order"
frames_per_batch = 10
epochs = {epochs}
"""


def main() -> None:
    """Step by step, until time is over or the job is done."""
    driver = Driver()
    from adorym.cli._jax import prepared_jax
    from adorym.cli._prepare import prepare
    from adorym.config import parse_job
    from adorym.reconstruct import iterate

    case, first_order = driver.case, driver.options.variant == "first order"
    text = JOB.format(
        file=(driver.options.case / "scan.h5").resolve(),
        modes=int(case["modes"]),
        slices=int(case["slices"]),
        spacing=float(case["spacing"]),
    )
    epochs = min(driver.options.epochs, 1000)
    with prepared_jax(32, 0) as devices:
        task = prepare(parse_job(text + (FIRST_ORDER.format(epochs=epochs) if first_order else "")), devices).task
        task.compile_ahead()
        per_epoch = task.stages[0].solver.steps_per_epoch(task.feed(0))
        driver.ready()
        for progress in iterate(task):
            if progress.step % per_epoch == 0 or progress.last:
                jax.block_until_ready(progress.model)
                if not driver.epoch(lambda model=progress.model: transmissions(model)):
                    break
        driver.say("end", step=progress.step)


def transmissions(model: object) -> np.ndarray:
    """Complex transmissions of the slices."""
    log_amplitude, phase = model.object.parametrization.exponent(lambda pixels: pixels, 1.0)
    return np.exp(np.asarray(log_amplitude) + 1j * np.asarray(phase))


if __name__ == "__main__":
    main()
