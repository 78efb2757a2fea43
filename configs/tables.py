"""The columns of every table that passes from one part to the next (described in docs/files.md)."""

from collections.abc import Iterable

import pyarrow as pa

FACTS = pa.schema(
    [
        ("report_id", pa.string()),
        ("section", pa.string()),
        ("sentence", pa.int32()),
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("text", pa.string()),
        ("finding", pa.string()),
        ("existence", pa.string()),
        ("temporality", pa.string()),
        ("change", pa.string()),
        ("hypothetical", pa.bool_()),
        ("experiencer", pa.string()),
        ("assessability", pa.string()),
        ("anatomy", pa.string()),
        ("side", pa.string()),
        ("lobe", pa.string()),
        ("segment", pa.string()),
        ("size_mm", pa.float32()),
        ("sizes_mm", pa.list_(pa.float32())),
        ("other_sizes_mm", pa.list_(pa.float32())),
        ("size_below", pa.bool_()),
        ("prior_size_mm", pa.float32()),
        ("severity", pa.string()),
        ("count", pa.int32()),
        ("cue", pa.string()),
    ]
)

LOCATIONS = pa.schema(
    [
        ("report_id", pa.string()),
        ("label", pa.string()),
        ("location", pa.string()),
        ("value", pa.int8()),
    ]
)
"""A convention's labels by location, in long form."""

REPORTS = pa.schema(
    [
        ("report_id", pa.string()),
        ("status", pa.string()),
        ("time", pa.timestamp("us", tz="UTC")),
        ("exam", pa.string()),
    ]
)

REJECTED = pa.schema(
    [
        ("id", pa.string()),
        ("stage", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)

SCANS = pa.schema(
    [
        ("volume_id", pa.string()),
        ("scan_id", pa.string()),
        ("study_id", pa.string()),
        ("patient_id", pa.string()),
        ("date", pa.string()),
        ("time", pa.string()),
        ("site", pa.string()),
        ("sex", pa.string()),
        ("age_band", pa.string()),
        ("vendor", pa.string()),
        ("kernel", pa.string()),
        ("contrast", pa.bool_()),
        ("phase", pa.int16()),
        ("synthetic", pa.bool_()),
        ("shape", pa.list_(pa.int32())),
        ("spacing_mm", pa.list_(pa.float64())),
        ("affine_lps", pa.list_(pa.float64())),
        ("source_shape", pa.list_(pa.int32())),
        ("source_spacing_mm", pa.list_(pa.float64())),
        ("source_affine_lps", pa.list_(pa.float64())),
        ("quality", pa.list_(pa.string())),
        ("lung_volume_ml", pa.float32()),
        ("share_below_950", pa.float32()),
        ("warnings", pa.list_(pa.string())),
        ("array", pa.string()),
        ("array_sha256", pa.string()),
        ("source_sha256", pa.string()),
    ]
)

REFUSED = pa.schema(
    [
        ("volume_id", pa.string()),
        ("scan_id", pa.string()),
        ("study_id", pa.string()),
        ("reason", pa.string()),
    ]
)
"""The series of a store's archive that are known but not in the store."""

SOFT_LABELS = pa.schema(
    [
        ("report_id", pa.string()),
        ("label", pa.string()),
        ("probability", pa.float32()),
        ("confidence", pa.float32()),
        ("start", pa.int32()),
        ("end", pa.int32()),
    ]
)

COHORT = pa.schema(
    [
        ("volume_id", pa.string()),
        ("scan_id", pa.string()),
        ("patient_id", pa.string()),
        ("report_id", pa.string()),
        ("split", pa.string()),
    ]
)
"""Who belongs to whom: what training and evaluation read."""

DESCRIBED_COHORT = pa.schema(
    [
        *COHORT,
        ("date", pa.string()),
        ("time", pa.string()),
        ("site", pa.string()),
        ("sex", pa.string()),
        ("age_band", pa.string()),
        ("exam", pa.string()),
        ("report_status", pa.string()),
        ("report_time", REPORTS.field("time").type),
    ]
)
"""A cohort with what is known of each scan and report: what `chestct cohort` writes."""

PREDICTIONS = pa.schema(
    [
        ("volume_id", pa.string()),
        ("scan_id", pa.string()),
        ("case", pa.string()),
        ("label", pa.string()),
        ("logit", pa.float32()),
        ("probability", pa.float32()),
    ]
)


def labels_schema(labels: Iterable[str]) -> pa.Schema:
    """The schema of `labels.parquet`: `report_id`, then one nullable int8 column per label."""
    return pa.schema([("report_id", pa.string()), *((name, pa.int8()) for name in labels)])
