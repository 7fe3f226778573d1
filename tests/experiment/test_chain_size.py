"""What waves take, told from shapes."""

from __future__ import annotations

import pytest
from tests.contracts import cases

from adorym.experiment import ChainSize


def test_of_a_full_field() -> None:
    model, _ = cases.one_distance()
    found = ChainSize.of(model)
    ny, nx = model.grid.shape
    assert (found.slabs, found.scanned) == (3, False)
    assert found.spacing == pytest.approx(2 * cases.PIXEL)
    assert found.parts == 2 * 3 * 4 * cases.SIZE * 8
    assert (found.arrival, found.frame) == (16 * ny * nx, 8 * ny * nx)
    assert 16 * 4 * cases.SIZE < 16 * found.pixels[0] * found.pixels[1] == found.wave < found.arrival


def test_of_a_scan_with_modes() -> None:
    model, _ = cases.far_field_ptychography()
    found = ChainSize.of(model)
    assert (found.slabs, found.scanned) == (1, True)
    assert found.wave == 2 * 16 * 8 * 8
    assert found.frame == 8 * 8 * 8


def test_the_way_back_and_the_frames_decide() -> None:
    of_waves = {"wave": 1000, "arrival": 1000, "frame": 1, "scanned": True, "most": 100}
    scan = ChainSize(slabs=64, spacing=1.0, pixels=(5, 5), parts=0, **of_waves)
    field = scan._replace(scanned=False)
    for one in (scan, field):
        taken = [one.taken(10, backward) for backward in ("stored", "segments", "reversible")]
        assert taken == sorted(taken, reverse=True)
        assert len(set(taken)) == 3
    assert scan.taken(20, "stored") == 2 * scan.taken(10, "stored")
    assert field.taken(20, "stored") < 1.5 * field.taken(10, "stored")  # one wave for all frames
    few = [scan.taken(10, "stored", together) for together in (1, 5, 10, 0)]
    assert few == sorted(few)
    assert few[2] == few[3]
    assert scan._replace(most=5).taken(10, "stored") == few[1]  # what a cache holds
    assert scan._replace(slabs=1).taken(10, "stored", 10) == scan._replace(slabs=1).taken(10, "segments", 10)
