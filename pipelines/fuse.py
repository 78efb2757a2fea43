"""`chestct fuse`: a taught stage beside the rules' labels: what both say, with probabilities."""

from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from configs.contracts import InputError

_REPORTS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Fused:
    """What `fuse` wrote."""

    out: Path
    reports: int
    overruled: int
    """Label values that are not the rules'."""


def fuse(
    labels: Path,
    *,
    stage: Path,
    out: Path,
    fusion: Literal["fused", "neural"] = "fused",
    quiet: bool = False,
) -> Fused:
    """Let a taught stage judge an archive that was labelled: labels and probabilities in OUT.

    `labels.parquet` keeps the rules' value wherever the stage agrees with it, else it has 1 or 0;
    `soft_labels.parquet` has a probability for every label, to train on. The archive is read again,
    as `chestct label` read it.

    Parameters
    ----------
    labels
        The output folder of `chestct label`.
    stage
        The folder that `chestct teach` wrote.
    out
        The folder to write.
    fusion
        Whose word decides: `fused` (rules and network together) or `neural` (the network alone).
    quiet
        No progress bar and no summary.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from configs import tables
    from configs.files import atomic_path
    from labeler import load_labeler
    from labeler.neural import Fusion, load
    from pipelines.labelled.archive import LabelledArchive
    from pipelines.labelled.taught import apply
    from pipelines.running.progress import results, track
    from pipelines.running.run import Run

    made = LabelledArchive.open(labels)
    labeler = load_labeler(made.convention, made.configs)
    taught = load(stage)
    taught.check(labeler, Fusion(fusion))
    schemas = {
        "labels": tables.labels_schema(labeler.label_names),
        "soft_labels": tables.SOFT_LABELS,
    }
    inputs = {"labels": labels, "stage": stage, "reports": made.reports}
    config = {"fusion": fusion, "convention": made.convention, "binary": made.binary}
    with Run("fuse", out, inputs, config) as run, ExitStack() as stack:
        writers = {}
        for name, schema in schemas.items():
            temporary = stack.enter_context(atomic_path(out / f"{name}.parquet"))
            writer = pq.ParquetWriter(temporary, schema, compression="zstd")
            writers[name] = stack.enter_context(writer)
        reports = track(made.read(), "judging", total=made.labelled, quiet=quiet)
        while some := list(islice(reports, _REPORTS_AT_ONCE)):
            ids, texts = [report.id for report in some], [report.text for report in some]
            judged = apply(taught, labeler, ids, texts, Fusion(fusion))
            rows = []
            for report_id, text, values in zip(ids, texts, judged.labels, strict=True):
                ruled = labeler.label(text).labels
                run.counts["overruled"] += sum(values[name] != ruled[name] for name in values)
                shown = labeler.binary(values) if made.binary else values
                rows.append({"report_id": report_id, **shown})
            writers["labels"].write_table(pa.Table.from_pylist(rows, schemas["labels"]))
            writers["soft_labels"].write_table(judged.soft)
            run.counts["judged"] += len(ids)
        if run.counts["judged"] != made.labelled:
            raise InputError(f"{labels}: holds reports that its archive has not; label it anew")
    done = Fused(out, run.counts["judged"], run.counts["overruled"])
    if not quiet:
        cells = done.reports * len(labeler.label_names)
        results.print(
            f"{done.reports:,} reports; {done.overruled:,} of {cells:,} labels are not as the "
            f"rules have them; written to {out}",
            markup=False,
        )
    return done
