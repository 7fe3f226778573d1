"""An even choice of many."""

from __future__ import annotations

import numpy as np


def spread(indices: np.ndarray, most: int) -> np.ndarray:
    """So many of the indices at most, each from the middle of as many parts of them.

    Example:
        >>> spread(np.arange(9), 3).tolist(), spread(np.arange(2), 3).tolist(), spread(np.arange(0), 3).tolist()
        ([1, 4, 7], [0, 1], [])
    """
    count = min(len(indices), most)
    return indices[((np.arange(count) + 0.5) * len(indices) / max(count, 1)).astype(int)]
