"""Cuts through an object: which planes, at which scale, drawn how."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from adorym.report import _style
from adorym.report._content import Quantity, Settings
from adorym.report._style import Axes, Figure


@dataclasses.dataclass(frozen=True)
class Cut:
    """One plane of a volume, or the image itself.

    Attributes:
        title: what is seen.
        across, down: the axes to the right and downwards.
        along_beam: whether the beam runs from left to right in it.
        stretch: how many times it is drawn wider than it is, so that few layers can be seen.
    """

    title: str
    across: str
    down: str
    along_beam: bool = False
    stretch: int = 1

    def plane(self, values: np.ndarray) -> np.ndarray:
        """The plane as an image, through the centre of the axis that is cut."""
        if values.ndim == 2:
            return values
        z, y, x = (size // 2 for size in values.shape)
        if not self.along_beam:
            return values[z]
        plane = values[:, :, x].T if self.down == "y" else values[:, y, :].T
        return np.repeat(plane, self.stretch, axis=1)

    @property
    def name(self) -> str:
        """The title, with the stretch where there is one."""
        return f"{self.title}\n(z stretched {self.stretch} ×)" if self.stretch > 1 else self.title


VOLUME_CUTS = (
    Cut("as the beam sees it", "x", "y"),
    Cut("from the side", "z", "y", along_beam=True),
    Cut("from above", "z", "x", along_beam=True),
)
IMAGE_CUTS = (Cut("", "x", "y"),)


def cuts_of(values: np.ndarray) -> tuple[Cut, ...]:
    """The planes to show of a volume or an image; a volume of one layer is shown as an image."""
    if values.ndim == 2 or values.shape[0] == 1:
        return IMAGE_CUTS
    stretch = max(1, max(values.shape[1:]) // (2 * values.shape[0]))
    front, *others = VOLUME_CUTS
    return (front, *(dataclasses.replace(cut, stretch=stretch) for cut in others))


def flat(quantity: Quantity) -> Quantity:
    """A volume of one layer as an image, anything else as it is."""
    if quantity.values.ndim != 3 or quantity.values.shape[0] > 1:
        return quantity
    truth = None if quantity.truth is None else quantity.truth[0]
    return dataclasses.replace(quantity, values=quantity.values[0], truth=truth)


@dataclasses.dataclass(frozen=True)
class Look:
    """How one quantity is coloured: the same for result and truth, and for all runs of a comparison.

    Attributes:
        map: matplotlib's name of the colour map.
        low, high: contrast limits.
        spread: the difference's limits are -spread and +spread.
        exponent: power of ten the labels are divided by.
        label: the colour bar's.
    """

    map: str
    low: float
    high: float
    spread: float
    exponent: int
    label: str


def look_of(quantities: list[Quantity]) -> Look:
    """One look for the same quantity of several runs."""
    first = quantities[0]
    reference = first.truth if first.truth is not None else np.stack([one.values for one in quantities])
    phase = first.unit == "rad"
    amplitude = not phase and _is_bright(reference)
    floor = None if phase or amplitude else 0.0
    low, high = _style.limits(reference, floor=floor, exact=first.truth is not None)
    differences = [np.abs(one.values - one.truth) for one in quantities if one.truth is not None]
    spread = max((_style.limits(one, floor=0.0)[1] for one in differences), default=high - low)
    exponent = _style.power_of_ten((low, high))
    maps = {"β": _style.ABSORPTION, "amplitude": "gray", "phase": _style.COUNTS}
    label = _style.axis_label(first.symbol, first.unit, exponent)
    return Look(maps.get(first.symbol, _style.MAGNITUDE), low, high, min(spread, high - low), exponent, label)


def _is_bright(values: np.ndarray) -> bool:
    """Whether a quantity lies about a level of its own, as an amplitude about 1, and not above nothing."""
    finite = values[np.isfinite(values)]
    return finite.size > 0 and float(np.median(finite)) > 0.25 * float(finite.max())


def show(axes: Axes, plane: np.ndarray, look: Look) -> Any:
    """A cut in its quantity's colours."""
    power = 10.0**look.exponent
    image = axes.imshow(plane / power, cmap=look.map, vmin=look.low / power, vmax=look.high / power)
    _style.bare(axes)
    return image


def show_difference(axes: Axes, plane: np.ndarray, look: Look) -> Any:
    """Result minus truth: white is right, red too much, blue too little."""
    power = 10.0**look.exponent
    spread = look.spread / power
    image = axes.imshow(plane / power, cmap=_style.DIFFERENCE, vmin=-spread, vmax=spread)
    _style.bare(axes)
    return image


def scale(settings: Settings, columns: int) -> tuple[float, str]:
    """A pixel's size and unit for the scale bar of an image of so many columns."""
    if settings.energy is None:
        return 1.0, "px"
    factor, unit = next(
        (factor, unit)
        for factor, unit in ((1e-3, "mm"), (1e-6, "µm"), (1e-9, "nm"), (0.0, "m"))
        if columns * settings.voxel / 4 >= factor
    )
    return (settings.voxel / factor, unit) if factor else (settings.voxel, "m")


def add_marks(axes: Axes, values: np.ndarray, *, cut: Cut, settings: Settings, look: Look) -> None:
    """A scale bar on a cut, and the depth of focus in the view from the side; neither where the cut is stretched."""
    if cut.stretch > 1:
        return
    plane = cut.plane(values)
    add_scale(axes, plane, settings, look=look)
    if cut.along_beam and cut.down == "y":
        _add_depth_of_focus(axes, plane, settings)


def add_scale(axes: Axes, plane: np.ndarray, settings: Settings, *, look: Look) -> None:
    """A scale bar on an image, dark where the corner it lies in is bright."""
    pixel, unit = scale(settings, plane.shape[1])
    corner = plane[-max(plane.shape[0] // 6, 1) :, : max(plane.shape[1] // 3, 1)]
    bright = float(np.nan_to_num(corner, nan=look.low).mean()) > 0.6 * look.high + 0.4 * look.low
    _style.scale_bar(axes, plane.shape[1], pixel=pixel, unit=unit, color="black" if bright else "white")


def _add_depth_of_focus(axes: Axes, plane: np.ndarray, settings: Settings) -> None:
    """The depth of focus, to scale, along the beam; nothing where it is longer than the volume."""
    if settings.depth_of_focus is None or settings.depth_of_focus > plane.shape[1] * settings.voxel:
        return
    size = settings.depth_of_focus / settings.voxel
    middle, height = (plane.shape[1] - 1) / 2, 0.07 * plane.shape[0]
    left, right = (middle - size / 2, height), (middle + size / 2, height)
    ends = "|-|,widthA=0.25,widthB=0.25"
    style = {"arrowstyle": ends, "color": "white", "linewidth": 1.3, "shrinkA": 0, "shrinkB": 0}
    arrow = axes.annotate("", xy=right, xytext=left, arrowprops=style)
    text = axes.text(middle, 1.35 * height, "depth of focus", color="white", ha="center", va="top", fontsize=7.5)
    _style.outline(arrow.arrow_patch, text)


def label_axes(axes: Axes, cut: Cut) -> None:
    """The names of the axes, small, at the cut's edges; the beam's direction where it lies in the plane."""
    across = "z (beam) →" if cut.along_beam else f"{cut.across} →"
    axes.set_xlabel(across, fontsize=8, color=_style.MUTED, labelpad=2)
    axes.set_ylabel(f"← {cut.down}", fontsize=8, color=_style.MUTED, labelpad=2)


def grid(figure: Figure, rows: list[int], columns: list[int]) -> Any:
    """Axes for images of given pixel heights and widths, in proportion, none thinner than a quarter of the thickest."""
    heights = [max(size, max(rows) / 4) for size in rows]
    widths = [max(size, max(columns) / 4) for size in columns]
    return figure.subplots(
        len(rows), len(columns), squeeze=False, gridspec_kw={"height_ratios": heights, "width_ratios": widths}
    )
