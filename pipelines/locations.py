"""`chestct locations`: where labels lie, from the facts that `chestct label` wrote."""

from itertools import groupby
from operator import itemgetter
from pathlib import Path

from configs.contracts import InputError


def locations(
    labels: Path,
    *,
    out: Path,
    convention: str = "rad_chestct",
    configs: Path | None = None,
    restart: bool = False,
) -> int:
    """Write the label x location table in long form; returns its number of rows.

    The facts stay as they were read: only the convention is applied, no text is needed.

    Parameters
    ----------
    labels
        The output folder of `chestct label`.
    out
        The folder to write `locations.parquet` to: a row for each report, label and location that
        some fact puts together, with 1 (present) or -1 (uncertain).
    convention
        A convention that has locations: `rad_chestct`, another name, or a .yaml file.
    configs
        The folder of your own rules that the reports were labelled with.
    restart
        Replace a finished table in OUT that was made with other arguments.
    """
    import pyarrow as pa

    from configs import files, tables
    from configs.anatomy import load_anatomy
    from configs.convention import load_convention
    from configs.finding import load_findings
    from labeler.conventions import CompiledConvention
    from labeler.locations import label_locations
    from pipelines.labelled.facts import read_facts
    from pipelines.running.progress import results
    from pipelines.running.run import Run

    rules = load_convention(convention, overlay=configs)
    if not rules.locations:
        raise InputError(f"--convention {convention}: has no locations; rad_chestct has some")
    compiled = CompiledConvention(rules, load_findings(overlay=configs), load_anatomy())
    source = files.finished_table(labels, "facts.parquet")
    if not source.exists():
        raise InputError(f"{labels}: no facts.parquet here; give the output folder of label")
    run = Run("locations", out, {"labels": labels}, {"convention": convention}, restart=restart)
    with run.alone():
        rows = [
            (report_id, *place)
            for report_id, group in groupby(read_facts(source), itemgetter(0))
            for place in label_locations(tuple(fact for _, fact in group), compiled)
        ]
        columns = zip(*rows, strict=True) if rows else [()] * len(tables.LOCATIONS)
        arrays = [
            pa.array(values, field.type)
            for values, field in zip(columns, tables.LOCATIONS, strict=True)
        ]
        run.counts["rows"] = len(rows)
        with run:
            files.write_table(
                out / "locations.parquet", pa.Table.from_arrays(arrays, schema=tables.LOCATIONS)
            )
    results.print(f"{out / 'locations.parquet'}: {len(rows):,} rows", markup=False)
    return len(rows)
