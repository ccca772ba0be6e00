"""Division of many integers by one."""

import numpy as np
import pytest
from esdh_core.division import divmod_array
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays


@pytest.mark.parametrize("kind", [np.int32, np.uint32, np.uint64])
@given(data=st.data())
def test_divided_is_divmod(kind: type[np.integer], data: st.DataObject) -> None:
    """Quotients and remainders, and their types, are NumPy's own."""
    most = int(np.iinfo(kind).max)
    values = data.draw(arrays.arrays(kind, st.integers(0, 20), elements=st.integers(0, most)))
    by = data.draw(st.integers(1, most))
    for expected, actual in zip(np.divmod(values, kind(by)), divmod_array(values, by), strict=True):
        assert expected.tolist() == actual.tolist()
        assert expected.dtype == actual.dtype
