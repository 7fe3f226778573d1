"""Units as plain factors: `10 * nm` is 1e-8 metres, `5 * keV` is 5000 (energies are in eV), `3 * deg` is in radians."""

from __future__ import annotations

import math

m: float = 1.0
cm: float = 1e-2
mm: float = 1e-3
um: float = 1e-6
nm: float = 1e-9
angstrom: float = 1e-10
pm: float = 1e-12

eV: float = 1.0  # noqa: N816
keV: float = 1e3  # noqa: N816

rad: float = 1.0
mrad: float = 1e-3
deg: float = math.pi / 180
