"""The pictures of one run: the object, the frames, the probe."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from adorym.report import _style, _views
from adorym.report._content import Frames, Quantity, Settings
from adorym.report._style import Axes, Figure, Picture, picture

_MODES = 4
_FRAMES = 3


def object_picture(quantity: Quantity, settings: Settings) -> Picture:
    """Cuts through one quantity; below them the truth and the difference where they are known."""
    quantity = _views.flat(quantity)
    if quantity.values.ndim == 2:
        return _image_picture(quantity, settings)
    cuts = _views.cuts_of(quantity.values)
    look = _views.look_of([quantity])
    rows = _rows(quantity)
    planes = [cut.plane(quantity.values) for cut in cuts]
    height = max(plane.shape[0] for plane in planes)
    columns = [plane.shape[1] for plane in planes]

    def draw(figure: Figure) -> None:
        axes = _views.grid(figure, [height] * len(rows), columns)
        for row, (name, values, shower) in enumerate(rows):
            images = [shower(place, cut.plane(values), look) for place, cut in zip(axes[row], cuts, strict=True)]
            _row_name(axes[row, 0], name)
            _style.color_bar(figure, images[0], list(axes[row]), label=_bar_label(name, look))
        for column, cut in enumerate(cuts):
            _views.label_axes(axes[-1, column], cut)
            axes[0, column].set_title(cut.name)
            _views.add_marks(axes[0, column], quantity.values, cut=cut, settings=settings, look=look)

    size = size_of(sum(columns), height * len(rows), widest=9.6)
    alt = f"{quantity.symbol} in three central cuts: {', '.join(name for name, _, _ in rows)}"
    return picture(size, alt, draw, layout="compressed")


def _rows(quantity: Quantity) -> list[tuple[str, np.ndarray, Any]]:
    """What stands below one another: (name, values, how it is shown)."""
    rows = [("reconstruction", quantity.values, _views.show)]
    if quantity.truth is not None:
        rows.append(("truth", quantity.truth, _views.show))
        rows.append(("difference", quantity.values - quantity.truth, _views.show_difference))
    return rows


def _image_picture(quantity: Quantity, settings: Settings) -> Picture:
    """One image; beside it the truth and the difference where they are known."""
    panels = _rows(quantity)
    look = _views.look_of([quantity])
    height, width = quantity.values.shape

    def draw(figure: Figure) -> None:
        axes = _views.grid(figure, [height], [width] * len(panels))[0]
        for place, (name, values, shower) in zip(axes, panels, strict=True):
            image = shower(place, values, look)
            place.set_title(name if len(panels) > 1 else quantity.symbol)
            _style.color_bar(figure, image, place, label=_bar_label(name, look))
        _views.add_scale(axes[0], quantity.values, settings, look=look)

    size = size_of(width * len(panels), height, widest=9.6 if len(panels) > 1 else 5.2)
    alt = f"{quantity.symbol}: {', '.join(name for name, _, _ in panels)}"
    return picture(size, alt, draw, layout="compressed")


def _row_name(axes: Any, name: str) -> None:
    axes.text(-0.1, 0.5, name, transform=axes.transAxes, rotation=90, va="center", ha="right", fontsize=9.5)


def _bar_label(name: str, look: _views.Look) -> str:
    return f"difference, {look.label}" if name == "difference" else look.label


def size_of(columns: int, rows: int, *, widest: float) -> tuple[float, float]:
    """Inches for a block of images of so many pixels and its colour bars, as wide as allowed but not too high."""
    width = widest - 1.2
    height = width * rows / columns
    if height > 9.5:
        width, height = 9.5 / height * width, 9.5
    return width + 1.2, height + 0.5


def frames_picture(frames: Frames) -> Picture:
    """Measured frames, their predictions, and the difference in units of the noise."""
    count = min(len(frames.measured), _FRAMES)
    height, width = frames.measured.shape[1:]

    def draw(figure: Figure) -> None:
        axes = _views.grid(figure, [height] * count, [width] * 3)
        for row in range(count):
            shown = show_frame(axes[row, 0], frames.measured[row], frames, row=row)
            show_frame(axes[row, 1], frames.predicted[row], frames, row=row)
            _style.color_bar(figure, shown, axes[row, 1], label="photons per pixel")
            noise = show_residual(axes[row, 2], frames, row=row)
            _style.color_bar(figure, noise, axes[row, 2], label="difference / σ")
            _row_name(axes[row, 0], frames.labels[row])
        for place, title in zip(axes[0], ("measured", "predicted", "measured − predicted"), strict=True):
            place.set_title(title)

    size = size_of(width * 3, height * count, widest=9.6)
    return picture(size, "Measured frames beside predicted frames and their difference", draw, layout="compressed")


def show_frame(axes: Axes, image: np.ndarray, frames: Frames, *, row: int) -> Any:
    """A frame in the brightness of the measured one; unmeasured pixels are grey."""
    shown = axes.imshow(_measured(image, frames), cmap=_style.COUNTS, norm=_brightness(frames, row))
    _unmeasured_is_grey(axes)
    return shown


def show_residual(axes: Axes, frames: Frames, *, row: int) -> Any:
    """Measured minus predicted in units of the noise, from -4 to 4; unmeasured pixels are grey."""
    predicted = frames.predicted[row]
    sigma = np.sqrt(np.maximum(predicted, 1.0)) if frames.sigma is None else frames.sigma[row]
    off = _measured((frames.measured[row] - predicted) / sigma, frames)
    shown = axes.imshow(off, cmap=_style.DIFFERENCE, vmin=-4, vmax=4)
    _unmeasured_is_grey(axes)
    return shown


def _measured(image: np.ndarray, frames: Frames) -> np.ndarray:
    if frames.mask is None:
        return image
    return np.ma.masked_array(image, ~np.asarray(frames.mask, dtype=bool))


def _unmeasured_is_grey(axes: Axes) -> None:
    _style.bare(axes)
    axes.set_facecolor("#9aa5b1")


def _brightness(frames: Frames, row: int) -> Any:
    """One scale for a measured frame and its prediction."""
    from matplotlib.colors import LogNorm, Normalize

    chosen = ... if frames.mask is None else np.asarray(frames.mask, dtype=bool)
    values = np.stack([frames.measured[row][chosen], frames.predicted[row][chosen]])
    low, high = _style.limits(values)
    if not frames.logarithmic:
        return Normalize(low, high)
    high = max(float(values.max(initial=0.0)), 1e-30)
    return LogNorm(max(low, high * 1e-6, min(0.5, high * 1e-2)), high, clip=True)


def probe_picture(probe: np.ndarray, pixel: float, settings: Settings) -> Picture:
    """Amplitude and phase of the probe's strongest modes, and what part of the photons each carries."""
    power = np.sum(np.abs(probe) ** 2, axis=(1, 2))
    order = np.argsort(power)[::-1][:_MODES]
    parts = power / max(float(power.sum()), np.finfo(float).tiny)
    height, width = probe.shape[1:]

    def draw(figure: Figure) -> None:
        axes = _views.grid(figure, [height] * 2, [width] * len(order))
        images = [_show_mode(axes[:, column], probe[mode]) for column, mode in enumerate(order)]
        for column, mode in enumerate(order):
            axes[0, column].set_title(f"mode {column + 1}: {100 * parts[mode]:.3g} %" if len(order) > 1 else "probe")
        for place in axes.flat:
            _style.bare(place)
        columns, unit = _views.scale(_with_pixel(settings, pixel), width)
        _style.scale_bar(axes[0, 0], width, pixel=columns, unit=unit)
        _style.color_bar(figure, images[0][0], list(axes[0]), label="amplitude / peak")
        _bar_of_phase(figure, images[0][1], list(axes[1]))

    size = size_of(width * len(order), height * 2, widest=1.2 + 2.3 * len(order))
    return picture(size, "Amplitude and phase of the probe", draw, layout="compressed")


def _show_mode(axes: Any, mode: np.ndarray) -> tuple[Any, Any]:
    """Amplitude above, phase below, faded where there is no light."""
    amplitude = np.abs(mode)
    amplitude = amplitude / (float(amplitude.max()) or 1.0)
    above = axes[0].imshow(amplitude, cmap=_style.MAGNITUDE, vmin=0, vmax=1)
    visible = np.clip(4 * amplitude, 0, 1)
    return above, axes[1].imshow(np.angle(mode), cmap=_style.CYCLE, vmin=-np.pi, vmax=np.pi, alpha=visible)


def _bar_of_phase(figure: Figure, image: Any, axes: Any) -> None:
    """A colour bar from -π to π, at full opacity although the image fades with the amplitude."""
    from matplotlib.cm import ScalarMappable

    bar = figure.colorbar(ScalarMappable(image.norm, image.cmap), ax=axes, fraction=0.05, pad=0.015, aspect=28)
    bar.outline.set_visible(False)
    bar.set_ticks([-np.pi, 0, np.pi], labels=["−π", "0", "π"])
    bar.set_label("phase (rad)")
    bar.ax.tick_params(length=2.5)


def _with_pixel(settings: Settings, pixel: float) -> Settings:
    return dataclasses.replace(settings, voxel=pixel)
