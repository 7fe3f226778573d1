"""Samples whose answer is known: a cone, a Siemens star, a dendrite, a foam; seeded, with partial-volume voxels.

Every phantom is drawn in its own units, the field of view being 256 wide, so that `size` changes the sampling and never
the object: twice the size at half the voxel is the same sample on a finer grid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from adorym.phantoms._cone import cone as cone
from adorym.phantoms._dendrite import dendrite as dendrite
from adorym.phantoms._foam import foam as foam
from adorym.phantoms._phantom import Phantom as Phantom
from adorym.phantoms._phantom import bin_volume as bin_volume
from adorym.phantoms._siemens_star import siemens_star as siemens_star

PHANTOMS: Mapping[str, Callable[..., Phantom]] = MappingProxyType(
    {"cone": cone, "siemens_star": siemens_star, "dendrite": dendrite, "foam": foam}
)
"""The phantoms by name; all take `size`, `voxel`, `energy`, `seed` and `oversample` by keyword."""
