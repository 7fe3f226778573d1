"""Reading ahead: the same values in the same order, no more of them than wait, errors where they belong."""

from __future__ import annotations

import threading
import time

import pytest

from adorym._core import DataError
from adorym._core.ahead import Foreseen, read_ahead


class Reader:
    """Doubles numbers, and remembers which ones and in what threads."""

    def __init__(self, wrong: int | None = None) -> None:
        self.asked: list[int] = []
        self.threads: set[int] = set()
        self.wrong = wrong

    def __call__(self, number: int) -> int:
        self.asked.append(number)
        self.threads.add(threading.get_ident())
        if number == self.wrong:
            raise DataError(f"Frame {number} is damaged.")
        return 2 * number


def settled(reader: Reader, wanted: int) -> int:
    """How much has been read, given the time to read so much and more."""
    for _ in range(1000):
        if len(reader.asked) >= wanted:
            break
        time.sleep(0.01)
    time.sleep(0.03)
    return len(reader.asked)


def test_everything_in_order_by_another_thread() -> None:
    reader = Reader()
    assert list(read_ahead(reader, range(20))) == list(range(0, 40, 2))
    assert reader.asked == list(range(20))
    assert threading.get_ident() not in reader.threads
    assert len(reader.threads) == 1


@pytest.mark.parametrize("count", [1, 2, 5])
def test_no_more_waits_than_was_asked_for(count: int) -> None:
    reader = Reader()
    values = read_ahead(reader, range(100), count=count)
    for taken in range(4):
        assert next(values) == 2 * taken
        assert settled(reader, taken + 1 + count) == taken + 1 + count


def test_an_error_comes_where_its_value_was_asked_for() -> None:
    values, found = read_ahead(Reader(wrong=3), range(10)), []
    with pytest.raises(DataError, match="Frame 3 is damaged"):
        found.extend(values)
    assert found == [0, 2, 4]


def test_who_stops_early_leaves_no_thread_behind() -> None:
    reader, before = Reader(), threading.active_count()
    values = read_ahead(reader, range(1000))
    next(values)
    values.close()
    assert threading.active_count() == before
    assert len(reader.asked) < 10


def test_what_was_foreseen_is_read_once() -> None:
    reader = Reader()
    foreseen = Foreseen(reader)
    assert [foreseen.value(n, following=n + 1) for n in range(5)] == [0, 2, 4, 6, 8]
    assert foreseen.value(40, following=41) == 80  # not what was expected
    assert foreseen.value(41, following=42) == 82
    settled(reader, 8)
    assert sorted(set(reader.asked) | {5}) == [0, 1, 2, 3, 4, 5, 40, 41, 42]  # 5 may have been called off in time
    assert len(reader.asked) == len(set(reader.asked))


def test_an_error_foreseen_waits_for_its_turn() -> None:
    foreseen = Foreseen(Reader(wrong=1))
    assert foreseen.value(0, following=1) == 0
    with pytest.raises(DataError, match="Frame 1"):
        foreseen.value(1, following=2)
    assert foreseen.value(2, following=3) == 4
