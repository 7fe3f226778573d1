"""Times and memory against the laws that they should follow."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np

LAWS: dict[str, Callable[[float], float]] = {
    "constant": lambda n: 0.0,
    "n": float,
    "n²": lambda n: n**2,
    "n³": lambda n: n**3,
    "n² log n": lambda n: n**2 * math.log(n),
    "n³ log n": lambda n: n**3 * math.log(n),
    "√n": math.sqrt,
}
"""How something should grow with n, beside what does not grow."""

LIMIT = 0.15


@dataclasses.dataclass(frozen=True)
class Fit:
    """A law with its two numbers.

    Attributes:
        law: of `LAWS`.
        fixed: what does not grow, never negative.
        slope: times the law.
        deviation: largest of any point from the law, relative to it.
    """

    law: str
    fixed: float
    slope: float
    deviation: float

    def __call__(self, n: float) -> float:
        """What the law says."""
        return self.fixed + self.slope * LAWS[self.law](n)

    @property
    def met(self) -> bool:
        """Whether the law holds."""
        return self.deviation <= LIMIT


def fit(law: str, sizes: Sequence[float], values: Sequence[float]) -> Fit:
    """The law nearest to the values, each counted relative to itself; neither part of it is negative."""
    grows = np.array([LAWS[law](n) for n in sizes])
    found = np.array(values, float)
    rows = np.stack([1 / found, grows / found], axis=1)
    candidates = [np.linalg.lstsq(rows, np.ones(len(found)), rcond=None)[0]]
    for only in range(2):
        column = rows[:, only]
        alone = np.zeros(2)
        if column @ column > 0:
            alone[only] = column.sum() / (column @ column)
        candidates.append(alone)
    allowed = [one for one in candidates if (one >= 0).all()]
    fixed, slope = min(allowed, key=lambda one: float(np.sum((rows @ one - 1) ** 2)))
    expected = fixed + slope * grows
    return Fit(law, float(fixed), float(slope), float(np.abs(found / expected - 1).max()))
