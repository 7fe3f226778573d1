"""The words in which a profile tells where the time goes, and how the library marks its work with them.

The mark of what is compiled is a name on JAX's stack of names, which goes with every operation through derivatives and
transposes into the compiled program; the innermost counts. It costs nothing when the program runs. The mark of what the
host does is an annotation that a trace records, if there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any, Literal, TypeVar

import jax

Scope = Literal["rotate", "transmit", "propagate", "detect", "accumulate", "regularise", "solve"]
Span = Literal["read", "compile", "look", "checkpoint", "results", "mark"]
Item = TypeVar("Item")

MODEL = frozenset({"rotate", "transmit", "propagate", "detect"})
"""The words for what a model computes."""

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "rotate": "the volume turned to a view, and its gradient turned back",
        "transmit": "waves multiplied by what the slabs let through",
        "propagate": "waves carried through free space: FFTs and transfer functions",
        "detect": "waves turned into counts and compared with those measured",
        "accumulate": "gradients added up over views and devices",
        "regularise": "penalties, their proximal maps, and constraints",
        "solve": "the solver's own work on vectors",
        "other": "what is computed without a name",
        "transfer": "arrays moved between host and devices",
        "read": "frames read and put into batches",
        "dispatch": "work handed to the devices: Python, JAX, and the gaps between operations",
        "wait": "nothing works: host and devices wait for each other",
        "prepare": "the data opened or simulated, the start of the model",
        "compile": "programs traced and compiled, or fetched from the cache",
        "look": "the fit measured on the way and at the end",
        "checkpoint": "checkpoints written",
        "results": "confidence found out, result files written",
        "untraced": "steps of parts of the run of which there is no trace",
    }
)
"""The words, in the order in which they are shown, and what they mean."""


def scope(word: Scope) -> AbstractContextManager[Any]:
    """Names what is traced for compilation inside the block.

    Example:
        >>> import jax.numpy as jnp
        >>> with scope("rotate"):
        ...     turned = jnp.ones(2) + 1
    """
    return jax.named_scope(word)


def span(word: Span) -> AbstractContextManager[Any]:
    """Names what the host does inside the block.

    Example:
        >>> with span("read"):
        ...     frames = [0.0]
    """
    return jax.profiler.TraceAnnotation(word)


def served(items: Iterable[Item]) -> Iterator[Item]:
    """The items, with the fetching of each named "read".

    Example:
        >>> list(served([1, 2]))
        [1, 2]
    """
    each = iter(items)
    while True:
        with span("read"):
            try:
                item = next(each)
            except StopIteration:
                return
        yield item
