"""docs/files.md is held to the schemas that the code writes."""

import re
from pathlib import Path

import pyarrow as pa
import pytest

from configs import tables

FILES_PAGE = Path(__file__).parents[2] / "docs" / "files.md"


@pytest.mark.parametrize(
    "schema",
    [
        tables.FACTS,
        tables.REPORTS,
        tables.REJECTED,
        tables.SCANS,
        tables.REFUSED,
        tables.SOFT_LABELS,
        tables.DESCRIBED_COHORT,
        tables.PREDICTIONS,
    ],
)
def test_every_column_is_documented(schema: pa.Schema) -> None:
    documented = set(re.findall(r"`([a-z_0-9]+)`", FILES_PAGE.read_text(encoding="utf-8")))
    assert set(schema.names) <= documented


def test_labels_are_nullable_small_integers() -> None:
    schema = tables.labels_schema(["Lung nodule"])
    assert schema.field("Lung nodule").type == pa.int8()
    assert schema.field("Lung nodule").nullable
