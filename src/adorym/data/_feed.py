"""A measurement served in batches."""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Iterable, Iterator

import numpy as np

from adorym._core import Batch, JobError
from adorym._core.ahead import Foreseen, read_ahead
from adorym._core.choice import spread
from adorym.data._dataset import Dataset

_SAMPLE, _LEAST = 16, 8
"""Every how many-th view or frame is enough where a sum over all is to be known roughly, and how many at least."""


class Feed:
    """Serves a data set in batches of one shape: in a random order that only the seed and the step decide, or in full.

    Frames are read when a batch is made, and kept in memory if all of them fit into `memory` bytes. What has to be read
    is read ahead, by a thread, while the batches before it are at work.

    Args:
        dataset: the measurement.
        views_per_batch: views in one batch.
        frames_per_batch: frames of each view in one batch.
        held_out: True for frames that are never trained on, `(view, frame)`.
        memory: bytes that cached frames may take.

    Raises:
        JobError: a batch of no views or no frames.

    Example:
        >>> from adorym.data import ArrayFrames, Dataset, Feed
        >>> dataset = Dataset(frames=ArrayFrames(np.ones((3, 1, 2, 2))), technique="holography", regime="near field",
        ...     pixel=1.0, energy=None, angles=np.arange(3.0), distances=np.ones(1), mask=np.ones((2, 2), bool),
        ...     weights=np.ones((3, 1)))
        >>> feed = Feed(dataset, views_per_batch=2, frames_per_batch=1)
        >>> feed.batches_per_epoch, sum(batch.weights.sum() for batch in feed.sweep())
        (2, np.float32(3.0))
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        views_per_batch: int,
        frames_per_batch: int,
        held_out: np.ndarray | None = None,
        memory: int = 2 << 30,
    ) -> None:
        if min(views_per_batch, frames_per_batch) < 1:
            raise JobError(
                f"views_per_batch is {views_per_batch} and frames_per_batch {frames_per_batch}: a batch has at least "
                "one of each (in a job, 0 decides them from the data)."
            )
        views, frames = dataset.frames.shape[:2]
        self.dataset = dataset
        self.views_per_batch = min(views_per_batch, views)
        self.frames_per_batch = min(frames_per_batch, frames)
        self.held_out = np.zeros((views, frames), bool) if held_out is None else held_out
        self._mask = dataset.mask.astype(np.float32)
        self._train_on(np.asarray(dataset.weights, np.float32) * ~self.held_out)
        keep = int(np.prod(dataset.frames.shape)) * 4 <= memory
        self._cache: dict[int, np.ndarray] | None = {} if keep else None
        self._steps = Foreseen(self._of_step)

    @property
    def batches_per_epoch(self) -> int:
        """Number of batches that show every frame that is trained on once."""
        return -(-self.views // self.views_per_batch) * self._blocks

    @property
    def total_weight(self) -> float:
        """Sum of the weights of all frames that are trained on."""
        return float(np.sum(self._trained))

    @property
    def trained(self) -> np.ndarray:
        """Weights of the frames that are trained on, 0 for all others, `(view, frame)`."""
        return self._trained

    @property
    def views(self) -> int:
        """Number of views that are trained on."""
        return len(self._views)

    def _train_on(self, weights: np.ndarray) -> None:
        """Decide the weights that are trained on `(view, frame)`; known from them: which views, and which frames."""
        self._trained = weights
        self._views, self._frames = (np.flatnonzero(weights.any(axis=axis)) for axis in (1, 0))

    @property
    def _blocks(self) -> int:
        """Into how many batches the frames of a view go."""
        return -(-len(self._frames) // self.frames_per_batch)

    def every(self, keep: int) -> Feed:
        """The same data, but of those trained on every `keep`-th view only, which stands for the others too."""
        return self if keep == 1 else self._part([(self._views[keep // 2 :: keep], self._frames)], for_all=True)

    def first(self, batches: int) -> Feed:
        """The same data, but of those trained on only what the first batches of a sweep show."""
        return self._part(itertools.islice(self._groups(False), batches), for_all=False)

    def sample(self) -> Feed:
        """The same data, but of those trained on an even choice of views (of one view: frames), which stands for all.

        A sixteenth, eight at least, however batches are cut: for what is only to be known roughly.
        """
        several = len(self._trained) > 1
        views, frames = (_sample(self._views), self._frames) if several else (self._views, _sample(self._frames))
        return self._part([(views, frames)], for_all=True)

    def kept_back(self) -> Feed:
        """The same data, but what is held out is trained on, and nothing else; then nothing is held out."""
        part = copy.copy(self)
        part.held_out = np.zeros_like(self.held_out)
        part._train_on(np.asarray(self._allowed(True), np.float32))
        part._steps = Foreseen(part._of_step)
        return part

    def _part(self, groups: Iterable[tuple[np.ndarray, np.ndarray]], *, for_all: bool) -> Feed:
        """The same data, but of those trained on only the views and frames of some groups, which may stand for all."""
        part, kept = copy.copy(self), np.zeros_like(self._trained)
        for views, frames in groups:
            kept[np.ix_(views, frames)] = self._trained[np.ix_(views, frames)]
        part._train_on(kept * (np.sum(self._trained) / np.sum(kept) if for_all else 1))
        part._steps = Foreseen(part._of_step)
        return part

    @property
    def cached_bytes(self) -> int:
        """What the frames take in memory once all have been read; 0 where they are read anew every time."""
        return 0 if self._cache is None else 4 * int(np.prod(self.dataset.frames.shape))

    def batch(self, seed: int, step: int) -> Batch:
        """The batch of a step: a pure function of seed and step, so that resuming needs no state.

        Every epoch shuffles the views and, for each group of views, the frames.
        """
        if self._at_hand(self._views):
            return self._of_step((seed, step))
        return self._steps.value((seed, step), following=(seed, step + 1))

    def _of_step(self, moment: tuple[int, int]) -> Batch:
        seed, step = moment
        epoch, position = divmod(step, self.batches_per_epoch)
        order = np.random.default_rng([seed, epoch]).permutation(self.batches_per_epoch)
        group, block = divmod(int(order[position]), self._blocks)
        chosen = _slice(np.random.default_rng([seed, epoch, 1]).permutation(self._views), group, self.views_per_batch)
        shuffled = np.random.default_rng([seed, epoch, 2, group]).permutation(self._frames)
        return self._collect((chosen, _slice(shuffled, block, self.frames_per_batch)), held_out=False)

    def sweep(self, *, held_out: bool = False) -> Iterator[Batch]:
        """All frames in order: those trained on, or those held out; views and frames that have none are passed over."""
        read = functools.partial(self._collect, held_out=held_out)
        groups = self._groups(held_out)
        at_hand = self._at_hand(np.flatnonzero(self._allowed(held_out).any(axis=1)))
        return map(read, groups) if at_hand else read_ahead(read, groups)

    def blank(self) -> Batch:
        """A batch of the shape that all have, with nothing in it: for compilers."""
        shape = (self.views_per_batch, self.frames_per_batch)
        counts = np.zeros((*shape, *self.dataset.frames.shape[2:]), np.float32)
        return Batch(
            np.zeros(shape[0], np.int32), np.zeros(shape, np.int32), np.zeros(shape, np.float32), self._mask, counts
        )

    def _at_hand(self, views: np.ndarray) -> bool:
        """Whether nothing of these views has to be read any more."""
        return self._cache is not None and all(view in self._cache for view in views.tolist())

    def batches(self, *, held_out: bool = False) -> int:
        """Number of batches of a sweep."""
        return sum(1 for _ in self._groups(held_out))

    def _groups(self, held_out: bool) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Views and frames of each batch of a sweep."""
        wanted = self._allowed(held_out) > 0
        views = np.flatnonzero(wanted.any(axis=1))
        for first in range(0, len(views), self.views_per_batch):
            chosen = views[first : first + self.views_per_batch]
            frames = np.flatnonzero(wanted[chosen].any(axis=0))
            for start in range(0, len(frames), self.frames_per_batch):
                yield chosen, frames[start : start + self.frames_per_batch]

    def _allowed(self, held_out: bool) -> np.ndarray:
        return self.dataset.weights * self.held_out if held_out else self._trained

    def _collect(self, which: tuple[np.ndarray, np.ndarray], *, held_out: bool) -> Batch:
        (views, frames), allowed = which, self._allowed(held_out)
        weights = np.zeros((self.views_per_batch, self.frames_per_batch), np.float32)
        weights[: len(views), : len(frames)] = allowed[np.ix_(views, frames)]
        counts = np.zeros((*weights.shape, *self.dataset.frames.shape[2:]), np.float32)
        for row, view in enumerate(views):
            counts[row, : len(frames)] = self._read(int(view), frames)
        counts[weights == 0] = 0  # whatever a rejected frame holds, nought times it is to be nought
        padded_views = np.concatenate([views, np.repeat(views[:1], self.views_per_batch - len(views))])
        padded_frames = np.concatenate([frames, np.repeat(frames[:1], self.frames_per_batch - len(frames))])
        indices = np.broadcast_to(padded_frames.astype(np.int32), weights.shape)
        return Batch(padded_views.astype(np.int32), indices, weights, self._mask, counts)

    def _read(self, view: int, frames: np.ndarray) -> np.ndarray:
        if self._cache is None:
            return self.dataset.read(view, np.sort(frames))[np.argsort(np.argsort(frames))]
        if view not in self._cache:
            whole = np.empty(self.dataset.frames.shape[1:], np.float32)
            for part in self.dataset.frames.parts:
                whole[part] = self.dataset.read(view, part)
            self._cache[view] = whole
        return self._cache[view][frames]


def _sample(indices: np.ndarray) -> np.ndarray:
    return spread(indices, max(_LEAST, -(-len(indices) // _SAMPLE)))


def _slice(order: np.ndarray, index: int, size: int) -> np.ndarray:
    return order[index * size : (index + 1) * size]
