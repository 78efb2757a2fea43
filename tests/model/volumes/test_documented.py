"""What a data manager may meet stands in docs/volumes.md."""

from pathlib import Path

import pytest

from model.volumes import AssessReason, VolumeReason

PAGE = (Path(__file__).parents[3] / "docs" / "volumes.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("reason", [*VolumeReason, *AssessReason])
def test_each_reason_is_explained(reason: VolumeReason | AssessReason) -> None:
    assert f"`{reason}`" in PAGE
