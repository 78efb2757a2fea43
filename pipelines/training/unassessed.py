"""What an examination could not show: blank in a label table, and told apart by its facts."""

from pathlib import Path

import pandas as pd
import pyarrow.compute as pc

from configs import files
from configs.anatomy import load_anatomy
from configs.contracts import Assessability, InputError
from configs.convention import load_convention
from configs.finding import load_findings
from labeler.conventions import CompiledConvention
from model.losses import BLANK, NOT_ASSESSABLE
from pipelines.labelled.facts import read_facts


def mark_unassessed(frame: pd.DataFrame, path: Path, convention: str) -> pd.DataFrame:
    """Labels by report, with NOT_ASSESSABLE where a blank one's facts say it could not be judged.

    `path` is where `model.data.read_labels` read `frame`: the facts of `chestct label` lie beside
    it. A table without facts, or whose convention gives such a label a value, stays as it is.
    Raises InputError where the site's own rules that `label` used are gone.
    """
    folder = path if path.is_dir() and path.name != "labels.parquet" else path.parent
    if not (folder / "labels.parquet").exists() or not (folder / "facts.parquet").exists():
        return frame
    # Few among many: picked before they become facts.
    missed = pc.field("assessability") == Assessability.NONE
    unjudged = list(read_facts(folder / "facts.parquet", missed))
    if not unjudged:
        return frame
    compiled = _compiled(folder, convention)
    values = frame.to_numpy(copy=True)
    rows = {report: row for row, report in enumerate(frame.index)}
    columns = {label: column for column, label in enumerate(frame.columns)}
    for report, fact in unjudged:
        row = rows.get(report)
        for number, _ in compiled.weights(fact) if row is not None else ():
            column = columns.get(compiled.names[number])
            if column is not None and values[row, column] == BLANK:
                values[row, column] = NOT_ASSESSABLE
    return pd.DataFrame(values, frame.index, frame.columns)


def _compiled(folder: Path, convention: str) -> CompiledConvention:
    """The convention as `label` used it, with the site's own rules where it had some."""
    record = files.read_json(folder / "run.json") if (folder / "run.json").exists() else {}
    config = record.get("config", {}) if isinstance(record, dict) else {}
    own = Path(config["configs"]) if config.get("configs") else None
    if own is not None and not own.is_dir():
        raise InputError(f"{folder}: made with the rules in {own}, which is no folder; put it back")
    rules = load_convention(convention, overlay=own)
    return CompiledConvention(rules, load_findings(overlay=own), load_anatomy())
