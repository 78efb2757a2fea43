"""Networks as in the product, with a few channels: for tests of what trains them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from configs.profile import Profile
from model.networks import sizes

COARSE = Profile(
    name="tiny", grid_zyx=(16, 16, 16), spacing_mm_zyx=(20.0, 20.0, 20.0), margin_mm=10.0
)
"""A grid of 4x4x4 cells."""


@contextmanager
def narrow_networks() -> Iterator[None]:
    """Make the `tiny` sizes narrow for as long as this lasts."""
    tables = (sizes.SIZES, sizes.PLAIN_SIZES, sizes.SLICE_SIZES)
    with pytest.MonkeyPatch.context() as patch:
        for table in tables:
            size = table["tiny"]
            widths = tuple(width // 6 for width in size.widths)
            patch.setitem(
                table, "tiny", replace(size, stem_width=size.stem_width // 6, widths=widths)
            )
        yield
