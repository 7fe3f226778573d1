"""Writes the pages that follow from the code: `python docs/generate.py`. A test fails where they are out of date."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from adorym.cli._main import COMMANDS
from adorym.config import registries, schema_markdown

FOLDER = Path(__file__).resolve().parent

JOB = """\
# The job

A job is a TOML file. It says what the Python API says, in the same words: every table names a constructor, and the
keys of a table are that constructor's parameters. Lengths, energies, angles and memory are text with a unit ("2 nm",
"5 keV", "3 deg", "4 GB") or numbers in metres, eV, radians and bytes. An unknown key is an error that names the nearest
known one.

```toml
version = 1

[data]
file = "scan.cxi"            # relative to the job
focus_distance = "3.65 mm"   # what the file lacks

[[stages]]
free = ["object", "probe", "geometry.position_offset"]
```

Everything else has a default, and what is decided automatically (kinds, slabs, batches, scales, devices, and
[what fits into memory](architecture.md#memory)) is written into the `job.toml` of the RUN folder: that file says all,
and reconstructing it again gives the same result on the same machine. Any key can be changed from the command line:
`--set stages.0.epochs=200`.

What can be refined (`free`), beside the sample and where a model has it: `probe` (of a plane wave its
`probe.log_photons`), `geometry.position_offset` (of the scan, in pixels), `geometry.angles` (radians),
`geometry.axis_offset` (pixels), `transport.distance_offset` (metres, near field), `detector.gain` and
`detector.background`; of the sample also single parts, such as `object.delta` and `object.beta`, or `object.phase` and
`object.log_amplitude`.

A job with `[phantom]` and `[scan]` in place of `[data]` is simulated, by `adorym simulate` into a file, or on the way
by `adorym reconstruct`.

This page is made from the code by `docs/generate.py`.

"""

COMMAND_LINE = """\
# The command line

Results go to the standard output, progress and errors to the standard error. An error that is yours to mend is one
sentence and the exit code 2, a failure of the program is 1 (`--debug` shows where); Ctrl-C ends with 130 and SIGTERM
with 143, a reconstruction with a checkpoint that `adorym resume` goes on from.

A RUN folder holds `job.toml` (the resolved job), `metrics.jsonl` (one line per step), `checkpoints/`, `volume.zarr` or
`image.zarr` (OME-Zarr, with the region that the measurement reached), `slices.h5` (each slice by itself, of multislice
ptychography; the image is what they do together), `probe.h5`, `predicted.h5` (a few measured frames
and their predictions), `confidence.h5` (how well every view and every detector pixel is explained, and the
[deviations](confidence.md) that the job asks for), `summary.json` and `report.html`; with `--profile` also `profile/`
([where the time goes](profile.md)).

What JAX compiles for a job is kept for the next one with arrays of the same shapes, in the user's cache
(`$XDG_CACHE_HOME/adorym`, or `~/.cache/adorym`; a month at most) or where `JAX_COMPILATION_CACHE_DIR` says.

On a processor Fourier transforms are made by a library where one is installed and the system has a C compiler (`CC`,
or `cc`), which is needed once; else by XLA. On Intel's processors MKL is looked for first (`pip install mkl`; x86-64
Linux), on others FFTW (`pip install pyfftw`, or that of the system; its licence is the GPL). FFTW tries what is fastest
when it first meets a size, which takes it up to a second, and keeps what it found. The summary and the foot of the
report say who made the transforms, and why. In the environment `ADORYM_FFT=xla` leaves them to XLA, and `mkl` or `fftw`
refuses to run without that library.

With `devices = 0` every core has a device of its own. XLA is then told, by `XLA_FLAGS`, not to cut the kernels of each
device up for all cores, which [takes longer](speed.md). Where that variable has `xla_disable_hlo_passes` in it already,
it is left as it is.

This page is made from the code by `docs/generate.py`.
"""


class Recorder(argparse.ArgumentParser):
    """An argument parser that only remembers what it is told."""

    def __init__(self) -> None:
        super().__init__(add_help=False)
        self.words: list[str] = []
        self.rows: list[str] = []

    def add_argument(self, *names, help, metavar=None, choices=None, action=None, required=False, nargs=None, **_):
        value = "" if action == "store_true" else metavar or "|".join(map(str, choices or ()))
        shown = f"{names[-1]} {value}".strip() if names[0].startswith("-") else value
        optional = nargs == "?" or (names[0].startswith("-") and not required)
        self.words.append(f"[{shown}]" if optional else shown)
        written = ", ".join(names) if names[0].startswith("-") else ""
        cell = f"{written} {value}".strip().replace("|", r"\|")
        self.rows.append(f"| `{cell}` | {help} |")


def job_page() -> str:
    """docs/job.md."""
    return JOB + schema_markdown(registries())


def command_line_page() -> str:
    """docs/command-line.md."""
    parts = [COMMAND_LINE]
    for name, command in COMMANDS.items():
        arguments = Recorder()
        command.add_arguments(arguments)
        examples = re.sub(r"^  ", "", command.EXAMPLES.partition("\n")[2], flags=re.MULTILINE)
        table = "\n".join(["| argument | meaning |", "|---|---|", *arguments.rows])
        usage = f"```text\nadorym {name} {' '.join(arguments.words)}".rstrip() + "\n```"
        parts.append(f"## {name}\n\n{command.DESCRIPTION}\n{usage}\n\n{table}\n\n```text\n{examples}```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    (FOLDER / "job.md").write_text(job_page(), encoding="utf-8")
    (FOLDER / "command-line.md").write_text(command_line_page(), encoding="utf-8")
