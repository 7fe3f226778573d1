"""What the compiled programs in a trace tell of their operations."""

from __future__ import annotations

import pytest

from adorym.profiling._programs import programs, word_of

from .messages import computation, instruction, metadata_plane, program, space


@pytest.mark.parametrize(
    ("names", "word"),
    [
        ("jit(f)/jvp(rotate)/while/body/gather", "rotate"),
        ("jit(f)/transpose(jvp(rotate))/mul", "rotate"),
        ("jit(f)/jvp(propagate)/while/body/closed_call/transmit/mul", "transmit"),  # the innermost counts
        ("jit(f)/transpose(jvp(propagate))/checkpoint/rematted_computation/transmit/mul", "transmit"),
        ("vmap(detect)/log", "detect"),
        ("jit(solve)/triangular_solve", ""),  # a function's name is not a word
        ("jit(_value_and_gradient)/add", ""),
        ("", ""),
    ],
)
def test_the_innermost_word_counts_whatever_derivative_is_around_it(names, word):
    assert word_of(names) == word


def operations(*computations, name="jit_kernel"):
    (found,) = programs(space(metadata_plane({7: (name, program(name, *computations))}))).values()
    assert found.name == name
    return found.operations


def test_a_program_is_found_by_its_number():
    one = program("jit_f", computation(1, instruction(1, "add", "add", names="jit(f)/rotate/add")))
    other = program("jit_f", computation(1, instruction(1, "add", "add", names="jit(f)/detect/add")))
    found = programs(space(metadata_plane({3: ("jit_f", one), 12: ("jit_f", other)})))
    assert {number: dict(p.operations["add"]) for number, p in found.items()} == {3: {"rotate": 1}, 12: {"detect": 1}}


def test_a_fusion_is_divided_by_what_is_computed_in_it():
    inside = computation(
        2,
        instruction(1, "p", "parameter", size=(1000,)),
        instruction(2, "m", "multiply", names="jit(f)/propagate/mul", size=(100,)),
        instruction(3, "a", "add", names="jit(f)/propagate/transmit/add", size=(300,)),
        instruction(4, "c", "copy", size=(500,)),  # has no name, and so no say
    )
    found = operations(inside, computation(1, instruction(9, "fusion", "fusion", names="x/propagate", called=(2,))))
    assert found["fusion"] == pytest.approx({"propagate": 0.25, "transmit": 0.75})


def test_exponentials_are_dear_and_what_is_written_in_place_is_small():
    inside = computation(
        2,
        instruction(1, "e", "exponential", names="f/transmit/exp", size=(10,)),
        instruction(2, "u", "add", names="f/rotate/add", size=(80,)),
        instruction(3, "d", "dynamic-update-slice", names="f/accumulate/update", size=(9999,), operands=(1, 2)),
    )
    found = operations(inside, computation(1, instruction(9, "fusion", "fusion", called=(2,))))
    assert found["fusion"] == pytest.approx({"transmit": 1 / 3, "rotate": 1 / 3, "accumulate": 1 / 3})


def test_fusions_within_fusions():
    deep = computation(3, instruction(1, "x", "add", names="f/detect/add"))
    inside = computation(2, instruction(1, "inner", "fusion", called=(3,)))
    found = operations(deep, inside, computation(1, instruction(9, "outer", "call", called=(2,))))
    assert found["outer"] == {"detect": 1.0}


def test_transforms_without_a_name_propagate_and_loops_only_start_others():
    body = computation(2, instruction(1, "copy.1", "copy"))
    found = operations(
        body,
        computation(
            1,
            instruction(1, "fft.3", "fft", names="jit(f)/jit(fft)/fft"),
            instruction(2, "while.1", "while", names="jit(f)/rotate/while", called=(2,)),
        ),
    )
    assert found["fft.3"] == {"propagate": 1.0}
    assert found["while.1"] == {}
    assert found["copy.1"] == {"rotate": 1.0}  # what the compiler adds to a loop is the loop's


def test_what_has_no_name_goes_by_what_uses_it():
    found = operations(
        computation(
            1,
            instruction(1, "broadcast.1", "broadcast", names="jit(f)/while"),
            instruction(2, "copy.2", "copy", operands=(1,)),
            instruction(3, "tuple.3", "tuple", operands=(2,)),
            instruction(4, "while.4", "while", names="jit(f)/rotate/while", operands=(3,)),
            instruction(5, "copy.5", "copy", operands=(4,)),
        )
    )
    assert found["copy.2"] == found["broadcast.1"] == {"rotate": 1.0}
    assert found["copy.5"] == {"other": 1.0}


def test_what_has_no_name_is_the_solvers_in_programs_without_a_model():
    add = instruction(1, "add", "add", names="jit(dot)/add")
    assert operations(computation(1, add))["add"] == {"solve": 1.0}
    model = instruction(2, "mul", "multiply", names="jit(f)/detect/mul")
    assert operations(computation(1, add, model))["add"] == {"other": 1.0}
    bound = instruction(2, "max", "maximum", names="jit(step)/regularise/max")
    assert operations(computation(1, add, bound))["add"] == {"solve": 1.0}


def test_a_message_that_is_cut_off_is_refused():
    data = space(metadata_plane({1: ("jit_f", program("jit_f", computation(1, instruction(1, "add", "add"))))}))
    with pytest.raises(ValueError, match="cut off"):
        _ = [one.operations for one in programs(data[:-3]).values()]
