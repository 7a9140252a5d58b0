"""HU to network input. In: CT values; out: float32 in [-1, 1], where -1 is the window's lower end and 1 its upper
end."""

from __future__ import annotations

import numpy as np

from hounsfield.core.errors import ImageError
from hounsfield.core.types import AnyArray


def scale_hu(
    array: AnyArray, window_hu: tuple[float, float] = (-1024.0, 400.0)
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Clips to `window_hu` and maps it linearly to [-1, 1].

    Raises: ImageError when the window is empty or reversed.
    Source: Wang et al., Comput Med Imaging Graph 2021;88:101814 (clip to [-1024, 400] HU, D = (HU + 1024) / 1424 * 2 -
        1).
    """
    low, high = window_hu
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ImageError(f"window_hu is (low, high) in HU with low below high; got {window_hu}.")
    # np.array copies: the steps below work in place on the copy, which halves the memory of a whole CT.
    scaled = np.array(array, dtype=np.float32)
    np.clip(scaled, low, high, out=scaled)
    scaled -= np.float32(low)
    scaled *= np.float32(2.0 / (high - low))
    scaled -= np.float32(1.0)
    return scaled
