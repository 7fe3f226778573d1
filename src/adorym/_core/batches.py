"""What passes between layers: a view of the sample, a batch of frames."""

from __future__ import annotations

from typing import Any, NamedTuple


class View(NamedTuple):
    """How the sample stands in the beam.

    Attributes:
        angle: rotation about +y in radians.
        axis_offset: where the axis stands in the field, in pixels right of its centre.

    Example:
        >>> View(angle=0.5, axis_offset=0.0).angle
        0.5
    """

    angle: Any
    axis_offset: Any


class Batch(NamedTuple):
    """Some frames of some views, padded to a fixed shape; NumPy arrays from a feed, JAX arrays within a kernel.

    Attributes:
        views: index of each view, `(view,)`.
        frames: index of each frame within its view, `(view, frame)`.
        weights: weight of each frame; 0 for padding and for frames left out, `(view, frame)`.
        mask: 1 where a pixel is measured, `(y, x)`.
        counts: what was measured, `(view, frame, y, x)`.

    Example:
        >>> Batch(views=[0], frames=[[0, 1]], weights=[[1.0, 0.0]], mask=None, counts=None).weights[0]
        [1.0, 0.0]
    """

    views: Any
    frames: Any
    weights: Any
    mask: Any
    counts: Any
