"""One frame as a picture of its own."""

from __future__ import annotations

import os
from pathlib import Path

from adorym.io import write_atomic
from adorym.report import _style
from adorym.report._content import Frames
from adorym.report._figures import show_frame, size_of
from adorym.report._style import Figure, picture


def write_frame_picture(path: str | os.PathLike[str], frames: Frames) -> Path:
    """Write the first measured frame as a PNG with its scale.

    Args:
        path: the file.
        frames: what to show.

    Returns:
        the file.

    Raises:
        AdorymError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> frames = Frames(measured=np.ones((1, 8, 8)), predicted=np.ones((1, 8, 8)), labels=("view 0",))
        >>> write_frame_picture(tempfile.mkdtemp() + "/frame.png", frames).name
        'frame.png'
    """
    height, width = frames.measured.shape[1:]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        shown = show_frame(axes, frames.measured[0], frames, row=0)
        axes.set_title(frames.labels[0])
        _style.color_bar(figure, shown, axes, label="photons per pixel")

    made = picture(size_of(width, height, widest=6.0), frames.labels[0], draw, layout="compressed")
    write_atomic(path, made.png)
    return Path(path)
