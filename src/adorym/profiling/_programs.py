"""The programs that a trace is of: to which words the work of each of their operations belongs.

A trace names operations as the compiler left them ("fusion.3"). Beside them it holds the compiled programs, where every
operation knows the names that stood around it in the source, through derivatives and transposes:
"jit(f)/transpose(jvp(propagate))/while/body/transmit/mul". The innermost word counts. Where the compiler has fused
operations of several words into one, its time is divided by how many numbers each of them computes.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import math
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple, get_args

from adorym._core.words import MODEL, Scope
from adorym.profiling import _wire

Shares = Mapping[str, float]
"""Word to share; the shares sum to one."""

# Field numbers of XLA's messages: xplane.proto, hlo.proto and xla_data.proto.
_PLANES, _PLANE_NAME, _METADATA = 1, 2, 4
_ENTRY, _ENTRY_NAME, _ENTRY_STATS, _STAT_BYTES = 2, 2, 5, 6
_MODULE, _MODULE_NAME, _COMPUTATIONS = 1, 1, 3
_INSTRUCTIONS, _COMPUTATION_ID = 2, 5
_NAME, _OPCODE, _SHAPE, _OPERATION, _ID, _OPERANDS, _CALLED = 1, 2, 3, 7, 35, 36, 38
_OPERATION_NAME, _DIMENSIONS, _PARTS = 2, 3, 4

_FREE = frozenset({"parameter", "constant", "bitcast", "tuple", "get-tuple-element", "broadcast", "reshape", "iota"})
"""What costs nothing within a fusion."""

_DEAR = frozenset(
    {"exponential", "log", "log-plus-one", "exponential-minus-one", "sine", "cosine", "tan", "atan2", "power", "sqrt"}
    | {"rsqrt", "cbrt", "divide", "tanh", "erf"}
)
_DEARER = 8
"""How many ordinary numbers take as long as a dear one."""

_LOOPS = frozenset({"while", "conditional"})
"""What only starts other operations, which are in the trace themselves."""

_KINDS = frozenset(get_args(Scope))


@dataclasses.dataclass(frozen=True, eq=False)
class Program:
    """A compiled program.

    Attributes:
        name: such as "jit__value_and_gradient".
        module: the bytes that describe it.
    """

    name: str
    module: memoryview

    @functools.cached_property
    def operations(self) -> Mapping[str, Shares]:
        """Shares of the words in every operation, by its name; empty for one that only starts others."""
        return _operations(self.module)


class _Instruction(NamedTuple):
    name: str
    opcode: str
    word: str
    elements: int
    operands: tuple[int, ...]
    called: tuple[int, ...]


_Computations = dict[int, dict[int, _Instruction]]


def word_of(names: str) -> str:
    """The innermost word in a stack of names; empty where there is none.

    Example:
        >>> word_of("jit(f)/transpose(jvp(propagate))/while/body/transmit/mul")
        'transmit'
    """
    for name in reversed(names.split("/")):
        inner = re.sub(r"^(?:(?:transpose|jvp|vmap|checkpoint|remat)\()+|\)+$", "", name)
        if inner in _KINDS:
            return inner
    return ""


def programs(trace: bytes) -> dict[int, Program]:
    """The programs that a trace holds (the bytes of an `.xplane.pb`), by their number."""
    found: dict[int, Program] = {}
    for data in _wire.walk(memoryview(trace), _PLANES):
        if _wire.text(_wire.message(data), _PLANE_NAME) != "/host:metadata":  # the others are JAX's to read
            continue
        for entry in _wire.walk(data, _METADATA, _ENTRY):
            named = re.search(r"\((\d+)\)$", _wire.text(_wire.message(entry), _ENTRY_NAME))
            for module in _wire.walk(entry, _ENTRY_STATS, _STAT_BYTES, _MODULE):
                name = _wire.text(_wire.message(module), _MODULE_NAME)
                found[int(named[1]) if named else -len(found) - 1] = Program(name, module)
    return found


def _operations(module: memoryview) -> dict[str, Shares]:
    computations: _Computations = {}
    for data in _wire.walk(module, _COMPUTATIONS):
        one = _wire.message(data)
        (number,) = one.get(_COMPUTATION_ID, [0])
        computations[number] = dict(map(_instruction, one.get(_INSTRUCTIONS, ())))
    words = {one.word for computation in computations.values() for one in computation.values()}
    models = bool(words & MODEL)
    usual = "other" if models else "solve"  # what computes nothing of the model is a solver's
    inherited = _inherited(computations)
    found = {}
    for number, computation in computations.items():
        served = _served(computation) if models else {}
        for key, one in computation.items():
            found[one.name] = _shares(one, computations, served.get(key) or inherited.get(number) or usual)
    return found


def _instruction(data: memoryview) -> tuple[int, _Instruction]:
    """Number and contents of an instruction."""
    found = _wire.message(data)
    opcode = _wire.text(found, _OPCODE)
    word = word_of(_wire.text(_wire.message(found[_OPERATION][0]), _OPERATION_NAME)) if _OPERATION in found else ""
    if not word and opcode == "fft":
        word = "propagate"
    elements = _elements(found[_SHAPE][0]) if _SHAPE in found else 0
    operands, called = (tuple(_wire.numbers(found, field)) for field in (_OPERANDS, _CALLED))
    (number,) = found.get(_ID, [0])
    return number, _Instruction(_wire.text(found, _NAME), opcode, word, elements, operands, called)


def _elements(shape: memoryview) -> int:
    found = _wire.message(shape)
    if _PARTS in found:
        return sum(map(_elements, found[_PARTS]))
    return math.prod(_wire.numbers(found, _DIMENSIONS))


def _inherited(computations: _Computations) -> dict[int, str]:
    """The word of what calls a computation, for operations that the compiler put into it without a name."""
    found: dict[int, str] = {}
    for _ in range(4):  # as deep as loops within loops go
        for number, computation in computations.items():
            for one in computation.values():
                for called in one.called:
                    found[called] = one.word or found.get(number, "")
    return found


def _served(computation: dict[int, _Instruction]) -> dict[int, str]:
    """The word of what uses an operation: of the zeros that a loop starts from, and of copies, the compiler's own."""
    found = {number: one.word for number, one in computation.items()}
    for number in reversed(computation):  # users come after what they use
        for operand in computation[number].operands:
            found[operand] = found.get(operand) or found[number]
    return found


def _shares(one: _Instruction, computations: _Computations, usual: str) -> Shares:
    """The words of an operation; those of what it is fused from, if anything."""
    if one.opcode in _LOOPS:
        return {}
    weights: collections.Counter[str] = collections.Counter()
    if one.opcode in ("fusion", "call", "async-start"):
        for word, weight in _weights(one, computations):
            weights[word] += weight
    total = weights.total()
    return {word: weight / total for word, weight in weights.items()} if total else {one.word or usual: 1.0}


def _weights(one: _Instruction, computations: _Computations) -> Iterator[tuple[str, int]]:
    """Words in a fusion that have a name, and the work done for them."""
    for called in one.called:
        inside = computations.get(called, {})
        for part in inside.values():
            if part.called and part.opcode in ("fusion", "call"):
                yield from _weights(part, computations)
            elif part.word and part.opcode not in _FREE:
                yield part.word, _computed(part, inside) * (_DEARER if part.opcode in _DEAR else 1)


def _computed(one: _Instruction, beside: Mapping[int, _Instruction]) -> int:
    """How many numbers an operation works on: what is written in place is not all that it is written into."""
    place = {"dynamic-update-slice": 1, "scatter": 2, "reduce": 0}.get(one.opcode)
    if place is not None and place < len(one.operands) and one.operands[place] in beside:
        return beside[one.operands[place]].elements
    return one.elements
