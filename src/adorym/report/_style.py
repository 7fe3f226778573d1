"""How pictures look: one font, one palette, colour-blind-safe maps, scale bars; from a drawing to HTML's data."""

from __future__ import annotations

import base64
import dataclasses
import io
import math
import struct
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np

# Matplotlib is imported where it draws, so its types are known by name only.
Axes: TypeAlias = Any
Figure: TypeAlias = Any

# Okabe & Ito: told apart with every kind of colour vision.
BLUE, ORANGE, GREEN, PURPLE, SKY, RED = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"
LINES = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY)
INK, MUTED, RULE = "#1c2733", "#5b6876", "#d5dbe1"
MAGNITUDE, ABSORPTION, DIFFERENCE, CYCLE, COUNTS = "magma", "viridis", "RdBu_r", "twilight", "cividis"

_DPI = 170
_SHOWN_DPI = 100
_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 9.5,
    "axes.linewidth": 0.8,
    "axes.grid": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "image.interpolation": "nearest",
}


@dataclasses.dataclass(frozen=True)
class Picture:
    """A drawing as PNG, with the width in CSS pixels at which its letters have their size."""

    png: bytes
    alt: str

    @property
    def source(self) -> str:
        """The picture as a `data:` address."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")

    @property
    def width(self) -> int:
        """Width at which it is to be shown, CSS pixels."""
        return round(struct.unpack(">I", self.png[16:20])[0] * _SHOWN_DPI / _DPI)


def picture(
    size: tuple[float, float],
    alt: str,
    draw: Callable[[Figure], None],
    *,
    layout: Literal["constrained", "compressed"] = "constrained",
) -> Picture:
    """Draw on a figure of its own, without pyplot's global state.

    Args:
        size: width and height in inches (100 CSS pixels each); white margins are cut off.
        alt: what the picture shows, for those who cannot see it.
        draw: fills the figure.
        layout: matplotlib's layout engine; "compressed" for grids of images.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=size, layout=layout)
        FigureCanvasAgg(figure)
        draw(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=_DPI, bbox_inches="tight", pad_inches=0.04, facecolor="white")
    return Picture(buffer.getvalue(), alt)


def bare(axes: Axes) -> None:
    """An image's frame: thin, no ticks."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(visible=True, color=RULE, linewidth=0.8)


def scale_bar(axes: Axes, columns: int, *, pixel: float, unit: str, color: str = "white") -> None:
    """A bar of a round length, about a quarter of the image, in its lower left corner."""
    from matplotlib.patches import Rectangle

    size = round_length(columns * pixel / 4)
    low, high = axes.get_xlim()
    bottom, top = axes.get_ylim()
    width, height = high - low, top - bottom
    left, base = low + 0.05 * width, bottom + 0.06 * height
    bar = Rectangle((left, base), size / pixel, 0.018 * height, color=color, linewidth=0)
    axes.add_patch(bar)
    text = axes.text(
        left + size / pixel / 2, base + 0.035 * height, f"{size:g} {unit}", color=color, ha="center", fontsize=8
    )
    outline(bar, text, color="white" if color == "black" else "black")


def outline(*artists: Any, color: str = "black") -> None:
    """A thin dark edge that keeps light marks legible on light images."""
    from matplotlib.patheffects import withStroke

    for artist in artists:
        artist.set_path_effects([withStroke(linewidth=1.6, foreground=color, alpha=0.55)])


def round_length(length: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not longer."""
    power = 10.0 ** math.floor(math.log10(length))
    return next(step * power for step in (5, 2, 1) if step * power <= length * (1 + 1e-9))


def color_bar(figure: Figure, image: Any, axes: Any, *, label: str) -> None:
    """A slim colour bar beside one or several axes."""
    bar = figure.colorbar(image, ax=axes, fraction=0.05, pad=0.015, aspect=28)
    bar.outline.set_visible(False)
    bar.set_label(label)
    bar.ax.tick_params(length=2.5)


def limits(values: np.ndarray, *, floor: float | None = None, exact: bool = False) -> tuple[float, float]:
    """Contrast limits without the extreme two per mille, or exact ones; `floor` is the lower if nothing is below."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = (float(one) for one in np.percentile(finite, (0, 100) if exact else (0.2, 99.8)))
    if floor is not None and low >= floor:
        low = floor
    if high > low:
        return low, high
    return (low - 0.5 * abs(low), low + 0.5 * abs(low)) if low else (0.0, 1.0)


def power_of_ten(values: tuple[float, float]) -> int:
    """The exponent to divide by so that the limits read as ordinary numbers; 0 where they do already."""
    largest = max(abs(values[0]), abs(values[1]))
    if largest == 0 or 1e-2 <= largest < 1e4:
        return 0
    return math.floor(math.log10(largest))


def axis_label(symbol: str, unit: str, exponent: int) -> str:
    """A quantity's name with power and unit, for a colour bar."""
    power = f"10$^{{{exponent}}}$" if exponent else ""
    inner = " ".join(part for part in (power, unit) if part)
    return f"{symbol} ({inner})" if inner else symbol
