"""Weighted choices by exact integer thresholds: no floating point decides a value."""

from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

__all__ = ["Choice"]

_GUIDE_BITS = 16  # a guide of 65,536 entries stays in the second-level cache
_BUCKET_BITS = 5
_SCALAR_LIMIT = 16  # choices: so many cost less one by one than NumPy's calls do


class Choice:
    """A weighted choice among the members of a group, by exact integer thresholds.

    `weights[g][j]` is the integer weight of member j of group g (zero: never chosen). Members are
    numbered through all groups, so the code of member j of group g is the number of members in the
    groups before g, plus j. Within a group with running sums C of total W the choice for 32 random
    bits b is the first j with b < floor(C[j] * 2^32 / W).

    The look-up is a guide table (Chen and Asau, "On generating random variates from an empirical
    distribution", AIIE Transactions 6, 1974): the top bits name the code at the lower edge of their
    bucket, and as many steps as the fullest bucket has thresholds finish the search.
    """

    def __init__(self, weights: Sequence[Sequence[int]]) -> None:
        if not weights or any(w < 0 for group in weights for w in group):
            raise ValueError("a choice needs at least one group, and no negative weight")
        self._weights = tuple(tuple(group) for group in weights)
        group_bits = (len(weights) - 1).bit_length()
        # Some buckets for each member: a shorter guide is made sooner and stays nearer, a longer one saves no step.
        guide_bits = max(map(len, weights)).bit_length() + _BUCKET_BITS
        bits = max(4, min(guide_bits, _GUIDE_BITS - group_bits))
        shift, buckets = 32 - bits, 1 << bits
        self._shift = np.uint32(shift)
        self._bits = np.uint32(bits)
        guides: list[NDArray[np.int64]] = []
        bounds: list[NDArray[np.int64]] = []
        members: list[int] = []
        first = steps = 0
        self._firsts = [0]  # of the members that can be chosen, by group
        for group in self._weights:
            total = sum(group)
            if total >= 1 << 32:
                raise ValueError(f"weights sum to {total}, which is not below 2^32")
            # Only of members that can be chosen: to step over the others would take as many steps more.
            possible = [member for member, weight in enumerate(group) if weight]
            thresholds = [(c << 32) // total for c in accumulate(group[member] for member in possible)]
            # A threshold is passed at the lower edge of a bucket if it is not above it, and at the upper if it
            # is below the next one's lower edge.
            bound = np.array(thresholds, dtype=np.uint64).astype(np.int64)
            at_edge = np.cumsum(np.bincount(-(-bound >> shift), minlength=buckets)[:buckets])
            at_end = np.cumsum(np.bincount(bound >> shift, minlength=buckets)[:buckets])
            guides.append(at_edge + len(members))
            steps = max(steps, int((at_end - at_edge).max()))
            bounds.append(bound)
            members += [first + member for member in possible]
            self._firsts.append(len(members))
            first += len(group)
        self._steps = steps
        self._guide = np.concatenate(guides).astype(np.int32)
        # The last threshold of a group is 2^32, one past 32 bits: compare with "greater than bound - 1".
        self._last = (np.concatenate(bounds) - 1).astype(np.uint32)
        self._members = np.array(members, dtype=np.int32) if len(members) < first else None

    def codes(self, bits: NDArray[np.uint32], group: NDArray[np.integer] | None = None) -> NDArray[np.int32]:
        """Return the code chosen for each 32 bits, shape of `bits`; `group` names each row's group."""
        if len(bits) <= _SCALAR_LIMIT:
            return self._few(bits.tolist(), [0] * len(bits) if group is None else group.tolist())
        bucket = bits >> self._shift
        if group is not None:
            bucket += group.astype(np.uint32) << self._bits
        codes: NDArray[np.int32] = self._guide.take(bucket)
        for _ in range(self._steps):
            codes += bits > self._last.take(codes)
        return codes if self._members is None else self._members.take(codes)

    def _few(self, bits: list[int], groups: list[int]) -> NDArray[np.int32]:
        """Return `codes`, each by a search in its group's thresholds."""
        firsts, last = self._firsts, self._last_list
        codes = [
            bisect_left(last, each, firsts[group], firsts[group + 1])
            for each, group in zip(bits, groups, strict=True)
        ]
        found = np.array(codes, dtype=np.int32)
        return found if self._members is None else self._members.take(found)

    @cached_property
    def _last_list(self) -> list[int]:
        found: list[int] = self._last.tolist()
        return found

    def weights(self, group: int = 0) -> tuple[int, ...]:
        """Return the weight of each member of a group."""
        return self._weights[group]

    def shares(self, group: int = 0) -> list[Fraction]:
        """Return the declared probability of each member of a group, as exact fractions."""
        weights = self._weights[group]
        total = sum(weights)
        return [Fraction(w, total) for w in weights]
