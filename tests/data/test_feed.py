"""The feed: what is served is decided by seed and step alone, once an epoch each, and nothing that was held out."""

from __future__ import annotations

import collections
import dataclasses
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adorym._core import Batch, DataError, JobError
from adorym.data import ArrayFrames, Dataset, Feed, FrameSource


class Watched(FrameSource):
    """Frames that say which they are (100 view + frame), and keep a list of what was asked for."""

    def __init__(self, views: int, frames: int) -> None:
        self.shape = (views, frames, 2, 3)
        self.asked: list[tuple[int, list[int]]] = []

    def read(self, view: int, frames: np.ndarray) -> np.ndarray:
        self.asked.append((view, [int(f) for f in frames]))
        return np.broadcast_to(100.0 * view + np.asarray(frames, np.float32)[:, None, None], (len(frames), 2, 3))


def dataset(views: int, frames: int, **changes: object) -> Dataset:
    plain = Dataset(
        frames=Watched(views, frames),
        technique="ptychography",
        regime="far field",
        pixel=1.0,
        energy=None,
        angles=np.zeros(views),
        distances=np.zeros(0),
        mask=np.ones((2, 3), bool),
        weights=np.ones((views, frames)),
    )
    return dataclasses.replace(plain, **changes)


def served(batch: Batch) -> list[tuple[int, int]]:
    """(view, frame) of everything with a weight, after checking that the counts are those of what it says."""
    pairs = []
    for row, view in enumerate(batch.views):
        for column, frame in enumerate(batch.frames[row]):
            if batch.weights[row, column] > 0:
                np.testing.assert_array_equal(batch.counts[row, column], 100 * view + frame)
                pairs.append((int(view), int(frame)))
    return pairs


def same(one: Batch, other: Batch) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


shapes = st.tuples(st.integers(1, 5), st.integers(1, 7))


@given(shape=shapes, batch=shapes, seed=st.integers(0, 1000), epoch=st.integers(0, 3))
def test_every_frame_once_an_epoch(shape: tuple[int, int], batch: tuple[int, int], seed: int, epoch: int) -> None:
    feed = Feed(dataset(*shape), views_per_batch=batch[0], frames_per_batch=batch[1])
    first = epoch * feed.batches_per_epoch
    batches = [feed.batch(seed, first + i) for i in range(feed.batches_per_epoch)]
    seen = collections.Counter(pair for one in batches for pair in served(one))
    assert seen == {(view, frame): 1 for view in range(shape[0]) for frame in range(shape[1])}
    assert {one.counts.shape for one in batches} == {(*(min(a, b) for a, b in zip(batch, shape, strict=True)), 2, 3)}
    assert sum(one.weights.sum() for one in batches) == feed.total_weight


@given(shape=shapes, batch=shapes, seed=st.integers(0, 1000), step=st.integers(0, 40))
def test_a_batch_is_a_function_of_seed_and_step(
    shape: tuple[int, int], batch: tuple[int, int], seed: int, step: int
) -> None:
    one, other = (Feed(dataset(*shape), views_per_batch=batch[0], frames_per_batch=batch[1]) for _ in range(2))
    list(one.sweep())
    one.batch(seed + 1, step + 3)  # what was served before does not matter
    assert same(one.batch(seed, step), other.batch(seed, step))


def test_epochs_and_seeds_differ() -> None:
    feed = Feed(dataset(4, 6), views_per_batch=2, frames_per_batch=3)
    orders = [
        [pair for i in range(feed.batches_per_epoch) for pair in served(feed.batch(seed, first + i))]
        for seed, first in [(0, 0), (0, feed.batches_per_epoch), (1, 0)]
    ]
    assert orders[0] != orders[1] != orders[2] != orders[0]


def test_a_sweep_shows_everything_in_order() -> None:
    feed = Feed(dataset(3, 5), views_per_batch=2, frames_per_batch=2)
    batches = list(feed.sweep())
    assert len(batches) == feed.batches_per_epoch == 2 * 3
    assert served(batches[0]) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert {pair for one in batches for pair in served(one)} == {(v, f) for v in range(3) for f in range(5)}


def test_padding_has_no_weight_and_valid_indices() -> None:
    feed = Feed(dataset(3, 5), views_per_batch=2, frames_per_batch=4)
    last = list(feed.sweep())[-1]
    assert last.weights.tolist() == [[1, 0, 0, 0], [0, 0, 0, 0]]
    assert last.views.tolist() == [2, 2]
    assert last.frames.tolist() == [[4] * 4] * 2
    np.testing.assert_array_equal(last.counts[last.weights == 0], 0)
    assert (last.views.dtype, last.frames.dtype, last.weights.dtype) == (np.int32, np.int32, np.float32)


def test_what_is_held_out_is_never_trained_on() -> None:
    held_out = np.zeros((3, 5), bool)
    held_out[[0, 2, 2], [1, 0, 4]] = True
    feed = Feed(dataset(3, 5), views_per_batch=2, frames_per_batch=2, held_out=held_out)
    trained = {pair for i in range(2 * feed.batches_per_epoch) for pair in served(feed.batch(7, i))}
    swept = {pair for one in feed.sweep() for pair in served(one)}
    kept_back = {pair for one in feed.sweep(held_out=True) for pair in served(one)}
    assert kept_back == {(0, 1), (2, 0), (2, 4)}
    assert trained == swept == {(v, f) for v in range(3) for f in range(5)} - kept_back
    assert feed.total_weight == 12


def test_rejected_frames_and_weights_are_kept() -> None:
    weights = np.ones((2, 3))
    weights[1, 2], weights[0, 0] = 0.0, 0.25
    feed = Feed(dataset(2, 3, weights=weights), views_per_batch=1, frames_per_batch=3)
    assert feed.total_weight == pytest.approx(4.25)
    for one in [feed.batch(0, i) for i in range(2)]:
        np.testing.assert_array_equal(one.weights[0], weights[one.views[0], one.frames[0]])


def test_a_file_is_read_in_ascending_order() -> None:
    """HDF5 wants sorted indices; the frames come back in the shuffled order that was asked for."""
    feed = Feed(dataset(2, 9), views_per_batch=1, frames_per_batch=4, memory=0)
    for step in range(feed.batches_per_epoch):
        served(feed.batch(3, step))  # counts agree with the indices
    asked = feed.dataset.frames.asked
    assert all(frames == sorted(frames) for _, frames in asked)
    assert sum(len(frames) for _, frames in asked) == 18


def test_frames_that_fit_into_memory_are_read_once() -> None:
    feed = Feed(dataset(2, 9), views_per_batch=1, frames_per_batch=4)
    for step in range(3 * feed.batches_per_epoch):
        served(feed.batch(3, step))
    list(feed.sweep())
    assert sorted(feed.dataset.frames.asked) == [(0, list(range(9))), (1, list(range(9)))]
    kept = Feed(dataset(2, 9), views_per_batch=1, frames_per_batch=4, memory=0)
    assert same(kept.batch(3, 2), feed.batch(3, 2))


def test_streamed_frames_are_those_in_memory() -> None:
    held_out = np.zeros((5, 7), bool)
    held_out[1] = held_out[3, 4] = True
    sizes = {"views_per_batch": 2, "frames_per_batch": 3, "held_out": held_out}
    kept, streamed = Feed(dataset(5, 7), **sizes), Feed(dataset(5, 7), **sizes, memory=0)
    assert (kept.cached_bytes, streamed.cached_bytes) == (4 * 5 * 7 * 6, 0)
    for _ in range(2):
        for held in (False, True):
            pairs = zip(kept.sweep(held_out=held), streamed.sweep(held_out=held), strict=True)
            assert all(same(one, other) for one, other in pairs)
        assert all(same(kept.batch(5, step), streamed.batch(5, step)) for step in (0, 1, 2, 9, 10, 3))


def test_a_part_of_a_feed_has_weights_of_its_own() -> None:
    """What was read ahead for the whole is not served to the part."""
    feed = Feed(dataset(4, 3), views_per_batch=1, frames_per_batch=3, memory=0)
    feed.batch(0, 0)
    part = feed.every(2)
    weights = [part.batch(0, step).weights.sum() for step in range(1, 4)]
    feed.batch(0, 1)
    views = [int(part.batch(0, step).views[0]) for step in range(1, 4)]
    assert weights == [6 * (view in (1, 3)) for view in views]


def test_a_sample_stands_for_all() -> None:
    """Evenly spread, however batches are cut; weights add up to those of all, whatever numbers they are."""
    for weights in (np.ones((160, 3)), np.ones((160, 3), int), np.ones((160, 3), bool)):
        for size in (1, 4, 7):
            feed = Feed(dataset(160, 3, weights=weights), views_per_batch=size, frames_per_batch=3)
            part = feed.sample()
            views = sorted({view for batch in part.sweep() for view, _ in served(batch)})
            assert views == list(range(8, 160, 16))
            assert part.total_weight == pytest.approx(feed.total_weight, rel=1e-6)
    few = Feed(dataset(5, 3), views_per_batch=2, frames_per_batch=3)
    np.testing.assert_array_equal(few.sample()._trained, few._trained)
    scan = Feed(dataset(1, 24), views_per_batch=1, frames_per_batch=5)
    assert np.flatnonzero(scan.sample()._trained[0]).tolist() == list(range(1, 24, 3))


def test_no_step_is_spent_on_what_is_not_trained_on() -> None:
    weights, held = np.ones((6, 4)), np.zeros((6, 4), bool)
    weights[1], held[4] = 0, True
    weights[:, 2] = 0
    feed = Feed(dataset(6, 4, weights=weights), views_per_batch=2, frames_per_batch=1, held_out=held)
    assert feed.batches_per_epoch == 2 * 3
    for epoch in (0, 1):
        batches = [feed.batch(7, epoch * 6 + step) for step in range(6)]
        assert all(batch.weights.any() for batch in batches)
        pairs = sorted(pair for batch in batches for pair in served(batch))
        assert pairs == [(view, frame) for view in (0, 2, 3, 5) for frame in (0, 1, 3)]


class Damaged(Watched):
    def read(self, view: int, frames: np.ndarray) -> np.ndarray:
        if view == 2:
            raise DataError("scan.h5 cannot be read at view 2: the file is damaged.")
        return super().read(view, frames)


@pytest.mark.parametrize("memory", [0, 1 << 20])
def test_what_cannot_be_read_is_told_as_ever(memory: int) -> None:
    data = dataclasses.replace(dataset(4, 3), frames=Damaged(4, 3))
    feed = Feed(data, views_per_batch=1, frames_per_batch=3, memory=memory)
    seen = []
    with pytest.raises(DataError, match="at view 2"):
        seen.extend(int(batch.views[0]) for batch in feed.sweep())
    assert seen == [0, 1]
    with pytest.raises(DataError, match="at view 2"):
        [feed.batch(0, step) for step in range(4)]


def test_a_streamed_sweep_reads_little_ahead() -> None:
    feed = Feed(dataset(50, 2), views_per_batch=1, frames_per_batch=2, memory=0)
    sweep = feed.sweep()
    for _ in range(3):
        next(sweep)
    time.sleep(0.1)
    assert len(feed.dataset.frames.asked) == 5


def test_a_blank_batch_has_the_shape_of_all() -> None:
    feed = Feed(dataset(3, 5), views_per_batch=2, frames_per_batch=4)
    blank = feed.blank()
    assert not feed.dataset.frames.asked
    batch = feed.batch(0, 0)
    assert [part.shape for part in blank] == [part.shape for part in batch]
    assert [part.dtype for part in blank] == [part.dtype for part in batch]


def test_frames_in_memory_have_four_axes() -> None:
    with pytest.raises(DataError, match="four axes"):
        ArrayFrames(np.ones((2, 3, 4)))
    frames = ArrayFrames(np.arange(24.0).reshape(2, 3, 2, 2)).read(1, np.array([2, 0]))
    assert frames.dtype == np.float32
    np.testing.assert_array_equal(frames[:, 0, 0], [20, 12])


def test_a_mask_is_served_as_numbers() -> None:
    mask = np.ones((2, 3), bool)
    mask[0, 1] = False
    batch = Feed(dataset(1, 1, mask=mask), views_per_batch=1, frames_per_batch=1).batch(0, 0)
    np.testing.assert_array_equal(batch.mask, [[1, 0, 1], [1, 1, 1]])


def test_wavelength_of_a_data_set() -> None:
    assert dataset(1, 1, energy=1e4).wavelength == pytest.approx(1.23984198e-10)
    assert not dataset(1, 1, energy=1e4).pixel_units
    assert dataset(1, 1, pixel=2.0).wavelength == pytest.approx(4 * np.pi)  # k = 1 per pixel: δ is a phase per pixel
    assert dataset(1, 1).pixel_units


@pytest.mark.parametrize("sizes", [(0, 1), (1, 0), (-1, 3)])
def test_a_batch_of_nothing_is_refused(sizes: tuple[int, int]) -> None:
    with pytest.raises(JobError, match="a batch has at least one of each"):
        Feed(dataset(2, 3), views_per_batch=sizes[0], frames_per_batch=sizes[1])


def test_what_is_stored_under_the_mask_and_in_rejected_frames_is_never_served() -> None:
    stored = np.ones((2, 2, 2, 3))
    stored[..., 0, 0] = np.nan
    stored[1, 1] = np.inf
    mask, weights = np.ones((2, 3), bool), np.ones((2, 2))
    mask[0, 0], weights[1, 1] = False, 0
    held = dataclasses.replace(dataset(2, 2), frames=ArrayFrames(stored), mask=mask, weights=weights)
    for memory in (0, 1 << 20):
        feed = Feed(held, views_per_batch=2, frames_per_batch=2, memory=memory)
        for batch in (*feed.sweep(), feed.batch(0, 0)):
            assert np.isfinite(batch.counts).all()
            assert batch.counts.sum() == 3 * 5  # frames, and pixels of each
