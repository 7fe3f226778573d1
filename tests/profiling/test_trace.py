"""How the time of a trace is divided: by hand-made traces, of a GPU too, and by traces of this machine."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from adorym import Poisson, Problem, holography, tomography
from adorym._core import DataError
from adorym._core.words import WORDS, scope, span
from adorym.data import ArrayFrames, Feed
from adorym.experiment import plan_holography, plan_tomography
from adorym.profiling import Window, read_trace
from adorym.profiling._programs import programs
from adorym.profiling._timeline import exclusive
from adorym.profiling._trace import trace_of

from .messages import computation, instruction, metadata_plane, plane, program, space

KERNEL = program(
    "jit_kernel",
    computation(2, instruction(1, "m", "multiply", names="f/propagate/mul", size=(30,)),
                instruction(2, "t", "add", names="f/transmit/add", size=(10,))),
    computation(
        1,
        instruction(1, "gather.1", "gather", names="jit(f)/jvp(rotate)/gather"),
        instruction(2, "fft.2", "fft", names="jit(f)/jit(fft)/fft"),
        instruction(3, "fusion.3", "fusion", called=(2,)),
        instruction(4, "while.4", "while", names="jit(f)/propagate/while"),
    ),
)  # fmt: skip
PROGRAMS = metadata_plane({12: ("jit_kernel", KERNEL)})


def on(operation, device=None, **more):
    told = {"hlo_op": operation, "hlo_module": "jit_kernel"}
    return {**told, **({} if device is None else {"program_id": 12, "device_ordinal": device}), **more}


def host(*events, end=100):
    """The thread of the loop, with its marks."""
    return [("mark", 0, 0), *events, ("mark", end, 0)]


def gpu(streams, *events):
    return trace_of(space(PROGRAMS, plane("/device:GPU:0", streams), plane("/host:CPU", {"python": host(*events)})))


def test_nesting():
    events = [(0, 20, 0), (1, 5, 1), (2, 3, 2), (5, 9, 3), (30, 40, 4)]
    assert list(exclusive([(float(start), float(end), one) for start, end, one in events])) == [
        (0, 1, 0), (1, 2, 1), (2, 3, 2), (3, 5, 1), (5, 9, 3), (9, 20, 0), (30, 40, 4),
    ]  # fmt: skip


def test_a_gpu_is_read_from_its_streams_and_not_twice():
    kernels = [
        ("loop_gather", 10, 30, on("gather.1")),
        ("regular_fft", 40, 20, on("fft.2")),
        ("void fused_kernel", 60, 20, on("fusion.3", kernel_details="grid:1,1,1")),
    ]
    found = gpu(
        {
            "Stream #13(Compute)": kernels,
            "Stream #14(MemcpyH2D)": [("MemcpyH2D", 35, 10), ("MemcpyH2D", 85, 5)],
            "XLA Modules": [("jit_kernel(12)", 10, 80)],
            "XLA Ops": kernels,
        }
    )
    ns = {word: round(1e9 * seconds, 6) for word, seconds in found.words.items()}
    # the first copy is hidden behind the kernels; the fusion is divided 3 : 1
    assert ns == {"rotate": 30, "propagate": 35, "transmit": 5, "transfer": 5, "dispatch": 25}
    assert found.seconds == pytest.approx(100e-9)
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.mixed == pytest.approx(20e-9)
    assert found.times == {"rotate": 1, "propagate": 2}
    assert sum(found.devices["/device:GPU:0"].values()) == pytest.approx(70e-9)
    assert found.largest[0][:2] == ("gather.1", "jit_kernel")


def test_where_streams_are_not_told_the_operations_are():
    found = gpu({"XLA Ops": [("gather.1", 0, 100, on("gather.1"))], "Steps": [("1", 0, 100)]})
    assert found.shares == pytest.approx({"rotate": 1})


def test_kernels_of_unknown_programs_go_by_their_own_names():
    kernels = [
        ("a", 0, 60, {"hlo_op": "x.1", "hlo_module": "jit_lost", "tf_op": "jit(f)/transpose(jvp(detect))/mul"}),
        ("b", 60, 40, {"hlo_op": "x.2", "hlo_module": "jit_lost"}),
    ]
    assert gpu({"Stream #1": kernels}).shares == pytest.approx({"detect": 0.6, "other": 0.4})


def test_the_host_counts_where_no_device_works():
    events = [("read", 0, 30), ("np.asarray(jax.Array)", 40, 50), ("backend_compile", 90, 5)]
    found = gpu({"Stream #1": [("k", 20, 40, on("fft.2"))]}, *events)
    ns = {word: round(1e9 * seconds) for word, seconds in found.words.items()}
    assert ns == {"propagate": 40, "read": 20, "wait": 30, "compile": 5, "dispatch": 5}


def test_devices_that_work_at_once_share_the_moment():
    threads = {
        "python": host(),
        "tf_XLAEigen/1": [("while.4", 0, 60, on("while.4", 0)), ("gather.1", 0, 40, on("gather.1", 0))],
        "tf_XLAEigen/2": [
            ("ThunkExecutor::Execute (wait for completion)", 0, 100),
            ("fft.2", 20, 60, on("fft.2", 1)),
            ("end: fft.2", 79, 1),
        ],
        "python worker": [("read", 0, 100)],  # hidden behind the loop, which does not wait for it
    }
    found = trace_of(space(PROGRAMS, plane("/host:CPU", threads)))
    ns = {word: round(1e9 * seconds) for word, seconds in found.words.items()}
    assert ns == {"rotate": 30, "propagate": 50, "dispatch": 20}
    assert 1e9 * found.devices["/device:CPU:0"]["rotate"] == pytest.approx(40)
    assert 1e9 * found.devices["/device:CPU:1"]["propagate"] == pytest.approx(60)


def test_looks_and_checkpoints_are_no_part_of_the_steps():
    kernels = [("k", 0, 20, on("gather.1")), ("k", 30, 20, on("fft.2")), ("k", 60, 20, on("gather.1"))]
    found = gpu({"Stream #1": kernels}, ("look", 25, 30), ("checkpoint", 80, 15))
    ns = {word: round(1e9 * seconds) for word, seconds in found.words.items()}
    assert ns == {"rotate": 40, "dispatch": 15}
    assert found.seconds == pytest.approx(55e-9)
    assert found.times == {"rotate": 2}


def test_a_file_that_is_no_trace_is_refused(tmp_path):
    (tmp_path / "x.xplane.pb").write_bytes(space(plane("/host:CPU", {"python": [("step", 0, 10)]})))
    with pytest.raises(DataError, match="no beginning and no end"):
        read_trace(tmp_path)
    (tmp_path / "x.xplane.pb").write_bytes(b"\x0b\x01nonsense")
    with pytest.raises(DataError, match="is not a trace"):
        read_trace(tmp_path)


# --- this machine -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def _named_programs():
    """Programs with the names of this version, whatever was kept by another: for shapes that no other test has."""
    name = "jax_compilation_cache_include_metadata_in_key"
    before = getattr(jax.config, name)
    jax.config.update(name, True)
    yield
    jax.config.update(name, before)


def traced(kernel, folder):
    """A trace of ten calls, so that what else the machine does weighs little, after one that compiles."""
    jax.block_until_ready(kernel())
    with Window(folder):
        for _ in range(10):
            jax.block_until_ready(kernel())
    return read_trace(folder)


def gradient_of(model, plan, free=("object",)):
    counts = np.random.default_rng(0).poisson(100.0, plan.frames.shape)
    data = dataclasses.replace(plan, frames=ArrayFrames(counts.astype(np.float32)))
    problem = Problem(Poisson(), free=free)
    batch = next(Feed(data, views_per_batch=4, frames_per_batch=1).sweep())
    params, frozen = problem.split(model)
    return lambda: problem.value_and_gradient(params, frozen, batch)


def model_words(trace):
    return {word: trace.words.get(word, 0.0) for word in ("rotate", "transmit", "propagate", "detect")}


def test_a_projection_is_mostly_rotation(tmp_path):
    plan = plan_tomography((94, 94), pixel=1e-6, energy=2e4, views=4)
    found = traced(gradient_of(tomography(plan), plan), tmp_path)
    words = model_words(found)
    assert max(words, key=words.get) == "rotate"
    assert words["rotate"] > 5 * words["propagate"]
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.shares.keys() <= WORDS.keys()


@pytest.mark.parametrize("backward", ["stored", "segments", "reversible"])
def test_many_slabs_of_a_wide_wave_are_mostly_propagation(tmp_path, backward):
    plan = plan_holography((22, 22), pixel=2e-9, energy=1e3, distances=(5e-7,), views=4)
    model = dataclasses.replace(holography(plan, slab_voxels=1), backward=backward)
    found = traced(gradient_of(model, plan), tmp_path)
    words = model_words(found)
    assert max(words, key=words.get) in ("propagate", "transmit")
    assert words["propagate"] > 2 * words["rotate"] > 0
    assert words["detect"] > 0
    assert found.shares.get("other", 0) < 0.1
    kernels = [one for one in programs(Path(found.path).read_bytes()).values() if one.name == "jit__value_and_gradient"]
    of_a_transform = re.compile(r"(i?fft|ffi_call)[.\d]*")
    transforms = [
        shares for one in kernels for name, shares in one.operations.items() if of_a_transform.fullmatch(name)
    ]
    assert len(transforms) >= 4
    assert all(shares == {"propagate": 1.0} for shares in transforms)


def test_marks_of_ones_own_are_seen(tmp_path):
    @jax.jit
    def kernel(x):
        with scope("regularise"):
            return jax.lax.fori_loop(0, 50, lambda _, y: jnp.sin(y) + 0.5, x)

    x = jnp.ones((128, 128))

    def step():
        with span("read"):
            sum(range(200_000))
        return kernel(x)

    shares = traced(step, tmp_path).shares
    assert shares["regularise"] > 0.05
    assert shares["read"] > 0.05


def test_a_window_closes_by_itself_and_only_once(tmp_path):
    window = Window(tmp_path, longest=0.2)
    window.open()
    assert window.is_open
    for _ in range(400):
        if not window.is_open:
            break
        jax.block_until_ready(jnp.ones(64) + 1)
        window._timer.join(0.05)
    assert not window.is_open
    window.close()
    window.close()
    assert read_trace(tmp_path).seconds == pytest.approx(0.2, abs=1.0)


def test_two_windows_at_once_are_refused(tmp_path):
    with Window(tmp_path), pytest.raises(RuntimeError):
        Window(tmp_path).open()
