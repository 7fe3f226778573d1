"""The clock of the loop, and the whole that is put together from it and the traces."""

from __future__ import annotations

import math
import threading

import jax
import jax.numpy as jnp
import pytest

from adorym.profiling import Account, Piece, Trace, profile_of


class Clock:
    """Goes on when it is told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_every_second_is_counted_once(clock):
    account = Account("prepare", clock=clock)
    clock.now = 1
    with account.span("steps"):
        clock.now = 3
        with account.span("read"):
            clock.now = 7
        assert account.word == "steps"
        clock.now = 8
    clock.now = 10
    account.settle()
    assert account.seconds == {"prepare": 3, "steps": 3, "read": 4}


def test_a_span_that_fails_is_closed(clock):
    account = Account("prepare", clock=clock)

    def fails():
        with account.span("read"):
            clock.now = 2
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        fails()
    assert account.word == "prepare"
    assert account.seconds["read"] == 2


def test_other_threads_cost_nothing(clock):
    account = Account("prepare", clock=clock)

    def reads():
        with account.span("read"):
            clock.now = 5

    thread = threading.Thread(target=reads)
    thread.start()
    thread.join()
    account.settle()
    assert account.seconds == {"prepare": 5}


def test_parts_of_compiling_that_hold_one_another_are_counted_once(clock):
    account = Account("steps", clock=clock)
    trace, lower = "/jax/core/compile/jaxpr_trace_duration", "/jax/core/compile/jaxpr_to_mlir_module_duration"
    for now, event, duration in ((3, trace, 1.0), (4, trace, 3.0), (6, lower, 1.5), (7, "/jax/other", 5.0)):
        clock.now = now
        account._heard(event, duration)
    clock.now = 10
    account.settle()
    assert account.seconds["compile"] == pytest.approx(4.5)  # from 1 to 4, and from 4.5 to 6
    assert account.seconds["steps"] == pytest.approx(5.5)


def test_compiling_is_heard_of():
    account = Account("steps")
    with account.compiling():
        jax.block_until_ready(jax.jit(lambda x: jnp.sin(x) * 3.25)(jnp.ones(7)))
    assert account.seconds["compile"] > 0
    heard = account.seconds["compile"]
    jax.block_until_ready(jax.jit(lambda x: jnp.cos(x) * 4.25)(jnp.ones(7)))
    assert account.seconds["compile"] == heard


def trace(**words):
    return Trace(seconds=math.fsum(words.values()), words=words, times={"rotate": 6}, devices={}, mixed=0.5)


def test_traces_stand_for_their_steps():
    pieces = [
        Piece(0, 4, 1, 10, 20.0, (2, 4), trace(rotate=1.5, wait=0.5, compile=8.0)),  # an account knows of compiling
        Piece(0, 1, 11, 20, 60.0, (12, 14), trace(propagate=3.0, rotate=1.0)),
        Piece(1, 1, 21, 21, 4.0),
    ]
    found = profile_of({"prepare": 6.0, "steps": 84.0, "compile": 10.0, "profile": 7.0}, pieces)
    seconds = {word: spent.seconds for word, spent in found.words.items()}
    assert seconds == pytest.approx(
        {"rotate": 30, "propagate": 45, "wait": 5, "untraced": 4, "prepare": 6, "compile": 10}
    )
    assert found.seconds == pytest.approx(100)
    assert sum(spent.share for spent in found.words.values()) == pytest.approx(1)
    assert found.steps == 21
    assert found.words["rotate"].per_step == pytest.approx(30 / 21)
    assert found.words["rotate"].times == pytest.approx((6 * 20 / 10 + 6 * 60 / 4) / 21)
    assert found.words["prepare"].per_step == 0
    assert found.overhead == 7
    assert found.mixed == pytest.approx(1 / 14)


def test_a_trace_of_nothing_says_nothing():
    piece = Piece(0, 1, 1, 3, 6.0, (2, 3), Trace(0.0, {}, {}, {}, 0.0))
    assert profile_of({"steps": 6.0}, [piece]).words.keys() == {"untraced"}


def test_words_are_told_with_their_meanings():
    plain = profile_of({"look": 1.0}, []).plain()
    assert plain["words"]["look"]["share"] == 1
    assert "fit" in plain["words"]["look"]["meaning"]
