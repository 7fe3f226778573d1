"""A library's transforms are NumPy's, are in use where they were asked for, and what is missing is said."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from adorym._core.crossing import cross_and_convolve, cross_and_convolve_transposed
from adorym._core.fourier import convolve, convolve_transposed, fft2, ifft2, plain_fft2, plain_ifft2
from adorym.cli._jax import choose_transforms
from adorym.fft import FftError, _library, fastest_first, use_library


@pytest.fixture(autouse=True, scope="module", params=["mkl", "fftw"])
def library(request, tmp_path_factory):
    """The library in use, and nothing left that another one's tests had compiled; afterwards all is as it was."""
    jax.clear_caches()  # of one function JAX would go on with what it compiled for the library before
    try:
        use_library(request.param, tmp_path_factory.getbasetemp() / "fft")
    except FftError as error:
        pytest.skip(str(error))
    yield request.param
    choose_transforms()
    jax.clear_caches()


def waves(shape, dtype=np.complex128, seed=0):
    random = np.random.default_rng(seed)
    return jnp.asarray((random.normal(size=shape) + 1j * random.normal(size=shape)).astype(dtype))


SHAPES = [(4, 4), (1, 7), (5, 1), (3, 16, 24), (2, 3, 31, 17), (2, 1, 3, 2, 40, 6), (128, 96), (0, 8, 8)]
SHAPES += [(2, 90, 134), (67, 71), (300, 22), (2, 260, 264)]  # too large for a first cache


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("dtype", "relative"), [(np.complex64, 2e-6), (np.complex128, 1e-14)])
def test_both_directions_are_numpys(library, shape, dtype, relative):
    if library == "mkl" and shape == (2, 90, 134) and dtype == np.complex128:
        relative = 4e-14  # a prime factor of 67: on a processor with 512-bit vectors MKL errs by 2.3e-14
    field = waves(shape, dtype)
    for ours, numpys in ((plain_fft2, np.fft.fft2), (plain_ifft2, np.fft.ifft2)):
        found, right = jax.jit(ours)(field), numpys(field)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, right, rtol=0, atol=relative * np.abs(right).max(initial=1.0))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("dtype", "relative"), [(np.complex64, 2e-6), (np.complex128, 1e-14)])
def test_a_filter_is_numpys_and_its_transpose_goes_the_other_way(shape, dtype, relative):
    field, transfer = waves(shape, dtype), waves(shape[-2:], dtype, seed=3)
    right = np.fft.ifft2(np.fft.fft2(field) * transfer), np.fft.fft2(np.fft.ifft2(field) * transfer)
    for ours, numpys in zip((convolve, convolve_transposed), right, strict=True):
        found = jax.jit(ours)(field, transfer)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, numpys, rtol=0, atol=4 * relative * np.abs(numpys).max(initial=1.0))


def test_it_says_its_version(library, tmp_path):
    assert {"mkl": "Math Kernel Library", "fftw": "FFTW 3."}[library] in use_library(library, tmp_path)


def test_mkl_is_for_intels_processors(monkeypatch):
    told = {"GenuineIntel": ("mkl", "fftw"), "AuthenticAMD": ("fftw", "mkl")}
    for vendor, order in told.items():
        monkeypatch.setattr("pathlib.Path.read_text", lambda path, vendor=vendor, **_: f"vendor_id : {vendor}")
        assert fastest_first() == order


def test_what_is_compiled_calls_it_on_a_processor_and_xla_elsewhere():
    traced = jax.jit(fft2).trace(jnp.ones((8, 8), complex))
    assert "adorym_fft2" in traced.lower(lowering_platforms=("cpu",)).as_text()
    other = traced.lower(lowering_platforms=("cuda",)).as_text()
    assert "stablehlo.fft" in other
    assert "adorym_fft2" not in other


@pytest.mark.parametrize("transform", [fft2, ifft2, plain_fft2, plain_ifft2])
def test_derivatives_of_all_orders_and_ways(transform):
    field, other = waves((3, 6, 10)), waves((3, 6, 10), seed=1)
    out, moved = jax.jvp(transform, (field,), (other,))
    np.testing.assert_allclose(out, transform(field), atol=1e-13)
    np.testing.assert_allclose(moved, transform(other), atol=1e-12)
    # JAX's transpose is without conjugation: <y, F x> = <F' y, x>
    (back,) = jax.vjp(transform, field)[1](other)
    np.testing.assert_allclose(jnp.sum(other * transform(field)), jnp.sum(back * field), rtol=1e-12)
    check_grads(lambda x: jnp.sum(jnp.abs(transform(jnp.asarray(x))) ** 4), (field,), order=2)


@pytest.mark.parametrize("ours", [convolve, convolve_transposed])
def test_a_filter_is_one_operation_with_derivatives_of_all_orders_and_ways(ours):
    field, transfer, moved, changed = (
        waves((3, 6, 10)),
        waves((6, 10), seed=1),
        waves((3, 6, 10), seed=2),
        waves((6, 10)),
    )
    forward, back = (jnp.fft.fft2, jnp.fft.ifft2) if ours is convolve else (jnp.fft.ifft2, jnp.fft.fft2)
    assert "filter2" in jax.jit(ours).lower(field, transfer).as_text()

    def plainly(field, transfer):
        return back(forward(field) * transfer)

    for tangents in ((moved, changed), (moved, 0 * changed), (0 * moved, changed)):
        found, right = (jax.jvp(one, (field, transfer), tangents) for one in (ours, plainly))
        np.testing.assert_allclose(found[0], right[0], atol=1e-13)
        np.testing.assert_allclose(found[1], right[1], atol=1e-12)
    for found, right in zip(*(jax.vjp(one, field, transfer)[1](moved) for one in (ours, plainly)), strict=True):
        np.testing.assert_allclose(found, right, atol=1e-12)
    check_grads(lambda x, h: jnp.sum(jnp.abs(ours(jnp.asarray(x), jnp.asarray(h))) ** 4), (field, transfer), order=2)


CROSSED = [((4, 4), (4, 4)), ((2, 3, 31, 17), (20, 17)), ((2, 1, 16, 24), (1, 1, 16, 9)), ((3, 128, 96), (65, 32))]
CROSSED += [((2, 90, 134), (1, 134)), ((0, 8, 8), (4, 4)), ((3, 2, 40, 6), (3, 1, 22, 4))]


@pytest.mark.parametrize(("shape", "of_slab"), CROSSED, ids=str)
@pytest.mark.parametrize(("dtype", "relative"), [(np.complex64, 2e-6), (np.complex128, 1e-14)])
def test_a_slab_in_the_middle_is_crossed_before_a_filter(shape, of_slab, dtype, relative):
    field, seen, transfer = waves(shape, dtype), waves(of_slab, dtype, seed=1), waves(shape[-2:], dtype, seed=3)
    behind = np.array(field)
    top, left = ((n - m) // 2 for n, m in zip(shape[-2:], of_slab[-2:], strict=True))
    behind[..., top : top + of_slab[-2], left : left + of_slab[-1]] *= seen
    right = np.fft.ifft2(np.fft.fft2(behind) * transfer), np.fft.fft2(np.fft.ifft2(behind) * transfer)
    for ours, numpys in zip((cross_and_convolve, cross_and_convolve_transposed), right, strict=True):
        compiled = jax.jit(ours)
        found = compiled(field, seen, transfer)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, numpys, rtol=0, atol=4 * relative * np.abs(numpys).max(initial=1.0))
        text = compiled.lower(field, seen, transfer).as_text()
        assert ("multiply" in text) == (of_slab[0] == 3)  # a frame's own part of a slab is left to XLA


@pytest.mark.parametrize("ours", [cross_and_convolve, cross_and_convolve_transposed])
def test_crossing_has_derivatives_of_all_orders_and_ways(ours):
    field, seen, transfer = waves((3, 6, 10)), waves((4, 7), seed=1), waves((6, 10), seed=2)
    moves = waves((3, 6, 10), seed=4), waves((4, 7), seed=5), waves((6, 10), seed=6)
    filtered = convolve if ours is cross_and_convolve else convolve_transposed

    def plainly(field, seen, transfer):
        return filtered(field.at[..., 1:5, 1:8].multiply(seen), transfer)

    for still in ((), (0,), (1, 2), (0, 1)):
        tangents = tuple(0 * move if i in still else move for i, move in enumerate(moves))
        found, right = (jax.jvp(one, (field, seen, transfer), tangents) for one in (ours, plainly))
        np.testing.assert_allclose(found[0], right[0], atol=1e-12)
        np.testing.assert_allclose(found[1], right[1], atol=1e-12)
    pulled = (jax.vjp(one, field, seen, transfer)[1](moves[0]) for one in (ours, plainly))
    for found, right in zip(*pulled, strict=True):
        np.testing.assert_allclose(found, right, atol=1e-12)
    mapped = jax.vmap(ours, in_axes=(0, None, None))(field, seen, transfer)
    np.testing.assert_allclose(mapped, plainly(field, seen, transfer), atol=1e-12)
    check_grads(lambda *x: jnp.sum(jnp.abs(ours(*map(jnp.asarray, x))) ** 4), (field, seen, transfer), order=2)


def test_fftw_calls_its_own_functions_where_mkl_is_loaded(tmp_path):
    """MKL has functions of the same names, and offers them to all that is loaded after it."""
    script = (
        "import sys, pathlib, jax, numpy as np; from adorym.fft import use_library; "
        "from adorym._core.fourier import plain_fft2; folder = pathlib.Path(sys.argv[1])\n"
        "for name in ('mkl', 'fftw'):\n"
        "    use_library(name, folder)\n"
        "    jax.clear_caches()\n"
        "    found = jax.jit(plain_fft2)(np.eye(24, dtype=np.complex64))\n"
        "    np.testing.assert_allclose(found, np.fft.fft2(np.eye(24)), atol=1e-4)\n"
    )
    for name in ("mkl", "fftw"):
        try:
            use_library(name, tmp_path)
        except FftError as error:
            pytest.skip(str(error))
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)


MAPPED = [
    ((0, None), (6, 3, 4, 5), (4, 5)),
    ((2, None), (3, 4, 6, 5), (4, 5)),
    ((None, 0), (3, 4, 5), (6, 4, 5)),
    ((1, 2), (3, 6, 4, 5), (4, 5, 6)),
    ((0, 1), (6, 4, 5), (4, 6, 5)),
]


@pytest.mark.parametrize(("axes", "shape", "by"), MAPPED, ids=str)
def test_a_filter_mapped_over_what_is_filtered_or_by_what(axes, shape, by):
    both = waves(shape), waves(by, seed=5)
    found = jax.vmap(convolve, in_axes=axes)(*both)
    for i in range(6):
        field, transfer = (x if a is None else jnp.take(x, i, axis=a) for x, a in zip(both, axes, strict=True))
        np.testing.assert_allclose(found[i], np.fft.ifft2(np.fft.fft2(field) * transfer), atol=1e-13)


@pytest.mark.parametrize("axis", [0, 1, 2, 3])
def test_mapped_over_any_axis(axis):
    field = waves((2, 3, 4, 5))
    found = jax.vmap(plain_fft2, in_axes=axis)(field)
    np.testing.assert_allclose(found, np.fft.fft2(np.moveaxis(field, axis, 0)), atol=1e-13)


def test_in_a_loop_that_is_differentiated():
    def chain(by_numpys_name, field):
        forward, inverse = by_numpys_name

        def slab(wave, _):
            wave = inverse(forward(wave) * kernel) * jnp.exp(jax.lax.complex(0.0 * field.real, field.real))
            return wave, None

        return jnp.sum(jnp.abs(jax.lax.scan(slab, field, None, length=5)[0]) ** 4)

    field, kernel = waves((4, 12, 12)), jnp.exp(waves((12, 12), seed=2))
    ours, jaxs = (
        jax.jit(jax.grad(lambda x, pair=pair: chain(pair, x)))(field)
        for pair in ((plain_fft2, plain_ifft2), (jnp.fft.fft2, jnp.fft.ifft2))
    )
    np.testing.assert_allclose(ours, jaxs, rtol=1e-10, atol=1e-10 * np.abs(jaxs).max())


def test_many_threads_at_once_with_shapes_that_are_new():
    fields = [waves((1 + i % 3, 20 + i // 6, 18), seed=i) for i in range(36)]
    compiled = [jax.jit(plain_fft2).lower(field).compile() for field in fields]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda pair: pair[0](pair[1]), zip(compiled, fields, strict=True)))
    for field, one in zip(fields, found, strict=True):
        np.testing.assert_allclose(one, np.fft.fft2(field), atol=1e-12)


def test_it_is_compiled_once(library, tmp_path):
    use_library(library, tmp_path)
    (file,) = tmp_path.iterdir()
    made = file.stat().st_mtime_ns
    use_library(library, tmp_path)
    assert [(one, one.stat().st_mtime_ns) for one in tmp_path.iterdir()] == [(file, made)]


def test_plans_that_fftw_found_are_kept_and_taken_again(library, tmp_path):
    """Another plan rounds differently: a run that goes on in another process is to go on bit for bit."""
    if library != "fftw":
        pytest.skip("MKL does not try what is fastest")
    script = (
        "import sys, pathlib, jax, numpy as np; from adorym.fft import use_library; "
        "from adorym._core.fourier import plain_fft2; use_library('fftw', pathlib.Path(sys.argv[1])); "
        "jax.jit(plain_fft2)(np.ones((2, 24, 40), np.complex64)).block_until_ready()"
    )
    kept = tmp_path / "fftwf-plans"
    told = []
    for _ in range(2):
        subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
        told.append(sorted(kept.read_text(encoding="utf-8").splitlines()))
    assert any("fftwf_" in line for line in told[0])
    assert told[0] == told[1]
    assert {file.suffix for file in tmp_path.iterdir()} == {"", ".so"}  # no draft is left


def test_no_library_is_said(library, monkeypatch, tmp_path):
    monkeypatch.setattr(_library, "_candidates", lambda package, stem: iter(["/nowhere/lib.so"]))
    with pytest.raises(FftError, match=f"pip install (py)?{library}"):
        use_library(library, tmp_path)


def test_a_library_without_the_functions_is_said(library, monkeypatch, tmp_path):
    use_library(library, tmp_path / "made")
    (another,) = (tmp_path / "made").glob("*.so")
    monkeypatch.setattr(_library, "_candidates", lambda package, stem: iter([another]))
    with pytest.raises(FftError, match=r"cannot be used: .*undefined symbol"):
        use_library(library, tmp_path)


def test_no_compiler_is_said(library, monkeypatch, tmp_path):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FftError, match="no C compiler: install gcc"):
        use_library(library, tmp_path)
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(FftError, match="no-such-compiler"):
        use_library(library, tmp_path)


def test_what_the_compiler_says_is_passed_on_and_nothing_is_left(library, monkeypatch, tmp_path):
    source, folder = tmp_path / "fft.c", tmp_path / "made"
    source.write_text("int broken(void) { return lacking; }")
    source.with_name(f"{library}.h").touch()
    monkeypatch.setattr(_library, "_SOURCE", source)
    with pytest.raises(FftError, match="lacking"):
        use_library(library, folder)
    assert not list(folder.iterdir())


def test_a_folder_that_cannot_be_made_is_said(library, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FftError, match="cannot be made"):
        use_library(library, tmp_path / "file" / "fft")
