"""How a reconstruction is cut so that it goes into the memory that there is: the fastest cut that does.

Shapes tell what a cut takes, rather more than it does. What fits by that measure is taken as it is. What may fit is
compiled, as the run would do anyway, and the compiler's own measure decides.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
from jaxtyping import PyTree

from adorym._core.trees import selection
from adorym.experiment import ChainSize, Experiment
from adorym.propagation import Backward
from adorym.reconstruct._levels import Leg, Level
from adorym.reconstruct._loop import Task
from adorym.reconstruct._stages import resized
from adorym.sharding import dealt_bytes, nbytes

_HOPE, _CARE, _GROWTH = 0.35, 1.3, 1.1
"""Of what shapes tell of a kernel: what it may take at the least, and at the most; what another may take more."""

_LOOP, _PENALTIES = 3, 6
"""Copies of what is free: of a pass through the slabs; of a gradient of penalties on it."""

SEARCH = 4
"""Copies of what is free, beside model and state: of a step that searches along a line."""

_COMPILED, _COMPILING = 40, 24
"""Copies of a transfer function that compiled kernels hold on the host; and that only their making takes besides."""

_BATCHES = 6
"""Batches at a time: read ahead, at work, and on the device."""

_FEW = 8
"""Frames of a scan for whose sake a volume is not turned again."""


class Cut(NamedTuple):
    """How the work of a task is cut.

    Attributes:
        backward: see `Experiment.backward`.
        together: see `Experiment.together`.
        sizes: views and frames of a batch, for every stage.

    Example:
        >>> Cut("stored", 0, ((8, 1),)).backward
        'stored'
    """

    backward: Backward
    together: int
    sizes: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, task: Task) -> Cut:
        """How a task is cut."""
        sizes = tuple((one.solver.views_per_batch, one.solver.frames_per_batch) for one in task.stages)
        return cls(task.model.backward, task.model.together, sizes)

    def applied(self, task: Task) -> Task:
        """The task, cut."""
        model = dataclasses.replace(task.model, backward=self.backward, together=self.together)
        stages = (resized(stage, size) for stage, size in zip(task.stages, self.sizes, strict=True))
        return dataclasses.replace(task, model=model, stages=tuple(stages))


class Freedom(NamedTuple):
    """What of a cut is left to be decided.

    Attributes:
        backward: whether the backward pass is, and with it the number of frames together, unless that is given.
        batches: for every stage, whether the views and the frames of a batch are; only where a solver adds up all
            batches, which do not change what it does.

    Example:
        >>> Freedom(True, ((True, False),)).batches
        ((True, False),)
    """

    backward: bool
    batches: tuple[tuple[bool, bool], ...]


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A task that was cut.

    Attributes:
        task: as it is cut now; as little as can be where nothing fits.
        need: bytes that it takes, on one device or of the host that all share.
        fits: whether there is room for it.

    Example:
        >>> Fitted.__dataclass_fields__["need"].type
        'int'
    """

    task: Task
    need: int
    fits: bool


class _Size(NamedTuple):
    """What shapes tell of a leg, in bytes.

    Attributes:
        leg: which it is.
        chain: of the waves.
        free: of what is refined.
        own, penalized: of what is refined, and of those leaves that penalties act on, as much as each device has.
        model: of the models, at the leg's resolution and at the full one.
        state: what the solver keeps on each device.
        rewritten: what of it a step writes anew.
        sweeps: whether penalties have a kernel of their own.
        frame: of one frame.
        transfer: of one transfer function.
    """

    leg: Leg
    chain: ChainSize
    free: int
    own: int
    penalized: int
    model: int
    state: int
    rewritten: int
    sweeps: bool
    frame: int
    transfer: int

    @classmethod
    def of(cls, task: Task, leg: Leg) -> _Size:
        stage = task.stages[leg.stage]
        problem = dataclasses.replace(task.problem, free=stage.free)

        def shapes(model: Experiment) -> tuple[PyTree, ...]:
            own = model if leg.factor == 1 else model.binned(leg.factor)
            penalized = selection(own, tuple(path for one in problem.regularizers for path in one.where))
            state = stage.solver.blank(problem, own)
            free = problem.split(own)[0]
            return own, free, eqx.filter(own, penalized), state, stage.solver.rewritten(state)

        own, free, *parts = eqx.filter_eval_shape(shapes, task.model)
        penalized, state, rewritten = map(dealt_bytes, parts)
        models = model_bytes(own, free) + (nbytes(task.model) if leg.factor > 1 else 0)
        frame = 4 * math.prod(task.dataset.frames.shape[2:]) // leg.factor**2
        chain, sweeps = ChainSize.of(own), stage.solver.sweeps
        sizes = dealt_bytes(free), penalized, models, state, rewritten
        return cls(leg, chain, nbytes(free), *sizes, sweeps, frame, 2 * chain.frame)

    def kernel(self, cut: Cut) -> int:
        """The largest of the kernels on one device, beside its arguments."""
        devices = jax.local_device_count()
        views, frames = cut.sizes[self.leg.stage]
        each = frames if views >= devices or frames < devices else -(-frames // devices)
        data = _LOOP * self.free + self.chain.taken(each, cut.backward, cut.together)
        if self.sweeps:
            return max(data, _PENALTIES * self.penalized)
        return data + (_PENALTIES - _LOOP) * self.penalized

    def need(self, cut: Cut, share: float) -> int:
        """All that is there at the worst moment, if kernels take this share of what shapes tell."""
        views, frames = cut.sizes[self.leg.stage]
        kernel = share * self.kernel(cut) + SEARCH * self.own
        device = self.model + self.state + max(self.rewritten, int(kernel))
        batches = _BATCHES * views * frames * self.frame
        if jax.default_backend() != "cpu":
            return device + batches
        arrays = jax.local_device_count() * device + batches
        return _COMPILED * self.transfer + max(_COMPILING * self.transfer, arrays)


def fitted(
    task: Task,
    room: float,
    *,
    freedom: Freedom,
    walks_back: Callable[[], bool] = lambda: False,
    tell: Callable[[str], None] = lambda what: None,
) -> Fitted:
    """The task as it is, or cut into the fastest pieces for which there is room.

    Args:
        task: with what its solvers would best have.
        room: bytes there are, of the device where that has a memory of its own, else of the host.
        freedom: what may be changed.
        walks_back: whether a wave may be walked back through the sample; asked only where it matters.
        tell: told what is being done.

    Example:
        >>> callable(fitted)
        True
    """
    measure = _Measure([_Size.of(task, leg) for leg in task.legs()], room)
    whole = Cut.of(task)
    if measure.fits(whole, _CARE):
        return Fitted(task, measure.need(whole, 1.0), True)
    cuts = _cuts(task, measure.sizes, freedom=freedom, walks_back=walks_back)
    told: dict[Backward, float] = {}  # shares, by the way through the slabs
    for cut in cuts:
        way = cut.backward
        if not measure.fits(cut, told.get(way, _HOPE)):
            continue
        sure = measure.fits(cut, _CARE)
        if not sure:
            tell("compiling, to see what memory that takes")
            worst = measure.worst(cut)
            told[way] = _compiled(cut.applied(task), worst) / worst.kernel(cut)
        certain = 1.0 if sure else told[way]
        if measure.fits(cut, certain):
            best = cut._replace(sizes=_as_large_as_fits(cut, cuts, fits=functools.partial(measure.fits, share=certain)))
            return Fitted(best.applied(task), measure.need(best, certain), True)
        told[way] *= _GROWTH  # what is hardly less is not compiled as well
    needs = [measure.need(cut, told.get(cut.backward, 1.0)) for cut in cuts]
    return Fitted(cuts[needs.index(min(needs))].applied(task), min(needs), False)


@dataclasses.dataclass(frozen=True)
class _Measure:
    """What cuts take, and what there is.

    Attributes:
        sizes: of all legs.
        room: bytes there are.
    """

    sizes: list[_Size]
    room: float

    def need(self, cut: Cut, share: float) -> int:
        """Bytes of the worst leg, if kernels take this share of what shapes tell."""
        return max(size.need(cut, share) for size in self.sizes)

    def fits(self, cut: Cut, share: float, *, stage: int | None = None) -> bool:
        """Whether there is room for that; for a stage's legs alone."""
        return all(size.need(cut, share) <= self.room for size in self.sizes if stage in (None, size.leg.stage))

    def worst(self, cut: Cut) -> _Size:
        """The leg that takes most."""
        return max(self.sizes, key=lambda size: size.need(cut, 1.0))


def _as_large_as_fits(cut: Cut, cuts: list[Cut], *, fits: Callable[..., bool]) -> tuple[tuple[int, int], ...]:
    """For every stage the largest batches that there is room for with the cut's way through the slabs."""
    alike = [other for other in cuts if other[:2] == cut[:2]]
    return tuple(
        next((other.sizes[stage] for other in alike if fits(other, stage=stage)), size)
        for stage, size in enumerate(cut.sizes)
    )


def _cuts(task: Task, sizes: list[_Size], *, freedom: Freedom, walks_back: Callable[[], bool]) -> list[Cut]:
    """All cuts, the fastest first.

    What a cut costs: most where full-field waves, or a volume for few frames, are computed again for every part of the
    frames; then where waves are computed again for the backward pass; then where a volume is turned again for parts of
    the frames; then little.
    """
    found = []
    for (again, fewer, backward, together), (batches, (few, parts, groups)) in itertools.product(
        _ways(task, sizes, freedom=freedom, walks_back=walks_back), _batches(task, freedom).items()
    ):
        found.append(((few, again, parts, groups + fewer), Cut(backward, together, batches)))
    return [cut for _, cut in sorted(found, key=lambda one: one[0])]


def _batches(task: Task, freedom: Freedom) -> dict[tuple[tuple[int, int], ...], tuple[bool, int, int]]:
    """Sizes of the stages' batches, with how they were come by: whether few frames are left, halvings of both."""
    whole = Cut.of(task).sizes
    most = max(max(size) for size in whole).bit_length() + 1
    found: dict[tuple[tuple[int, int], ...], tuple[bool, int, int]] = {}
    for parts, groups in itertools.product(range(most), repeat=2):
        sizes = tuple(
            _halved(size, (groups * views, parts * frames))
            for size, (views, frames) in zip(whole, freedom.batches, strict=True)
        )
        enough = _FEW if task.model.geometry.scanned else math.inf
        few = any(new < min(old, enough) for (_, new), (_, old) in zip(sizes, whole, strict=True))
        found.setdefault(sizes, (few, parts, groups))
    return found


def _halved(size: tuple[int, int], often: tuple[int, int]) -> tuple[int, int]:
    """A batch with its views and its frames halved so often; the devices still divide what they share."""
    devices = jax.local_device_count()
    shared = size[0] >= devices

    def half(whole: int, times: int, least: int) -> int:
        return min(whole, -(-whole // 2**times // least) * least)

    least = (devices, 1) if shared else (1, min(devices, size[1]))
    views, frames = map(half, size, often, least)
    return views, frames


class _Way(NamedTuple):
    """A way through the slabs: whether waves are computed again, and by how many halvings fewer frames go together."""

    again: bool
    fewer: int
    backward: Backward
    together: int


def _ways(task: Task, sizes: list[_Size], *, freedom: Freedom, walks_back: Callable[[], bool]) -> list[_Way]:
    """All ways through the slabs."""
    model = task.model
    if not freedom.backward:
        return [_Way(False, 0, model.backward, model.together)]
    kept: list[Backward] = ["stored"]
    if max(size.chain.slabs for size in sizes) > 1:
        if walks_back():
            kept.append("reversible")
        kept.append("segments")
    together = [model.together]
    if model.geometry.scanned and not model.together:
        frames = max(frames for _, frames in Cut.of(task).sizes)
        most = min(frames, max(size.chain.most for size in sizes))
        together += [max(1, most // 2**i) for i in range(1, most.bit_length())]
    return [_Way(way != "stored", fewer, way, n) for way in kept for fewer, n in enumerate(together)]


def _compiled(task: Task, size: _Size) -> int:
    """Bytes of the largest kernel of a leg as the compiler tells them."""
    stage, factor, _ = size.leg
    problem = dataclasses.replace(task.problem.with_weight(0.0), free=task.stages[stage].free)
    model = Level.begun(0, 0, factor=factor, base=task.model).model
    products, batch = task.stages[stage].solver.products, task.feed(stage, factor).blank()
    try:
        return max(problem.compile_ahead(model, batch, products=products).values())
    except RuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return 1 << 60


def model_bytes(model: PyTree, free: PyTree) -> int:
    """Of a model on each device: whole for a pass, and what is free dealt out as well.

    Example:
        >>> model_bytes(jax.ShapeDtypeStruct((4,), "float32"), ())
        16
    """
    return nbytes(model) + (dealt_bytes(free) if jax.local_device_count() > 1 else 0)
