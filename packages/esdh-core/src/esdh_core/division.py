"""Division of many integers by one."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["divmod_array"]

Kind = TypeVar("Kind", bound=np.integer)


def divmod_array(values: NDArray[Kind], by: int) -> tuple[NDArray[Kind], NDArray[Kind]]:
    """Return quotients and remainders of integers that aren't negative, of the same shape and type.

    What `np.divmod` returns, several times as fast: NumPy divides many at once for `//` (it multiplies by an
    inverse), but one by one for a remainder.
    """
    divisor = values.dtype.type(by)
    quotients: NDArray[Kind] = values // divisor
    return quotients, values - quotients * divisor
