"""A labelled archive: the output folder of `chestct label`, and the reports it was made from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from configs.contracts import InputError, Stage
from configs.files import finished_table, read_json, read_label_record, read_table, sha256_of
from pipelines.reports_in.archive import read_reports
from pipelines.reports_in.options import PLAIN, ReadOptions
from pipelines.reports_in.rows import Report


@dataclass(frozen=True, slots=True)
class LabelledArchive:
    """How `label` made a folder, from its `run.json`."""

    folder: Path
    reports: Path
    convention: str
    configs: Path | None
    binary: bool
    options: ReadOptions
    labelled: int
    """Number of reports."""
    sha256: str
    """Of the reports, when they were labelled."""

    @classmethod
    def open(cls, folder: Path) -> "LabelledArchive":
        """Raise InputError for a folder of another verb, or one whose archive is not there."""
        finished_table(folder, "labels.parquet")
        record = read_label_record(folder)
        inputs, config = record["inputs"], record["config"]
        reports = Path(inputs["reports"]["path"])
        if not reports.exists():
            raise InputError(f"{reports}: the archive that {folder} was made from is not there")
        overlay = inputs.get("configs")
        return cls(
            folder,
            reports,
            config["convention"],
            Path(overlay["path"]) if overlay else None,
            config["binary"],
            _options(config),
            record["counts"]["labelled"],
            inputs["reports"].get("sha256", ""),
        )

    def read(self) -> Iterator[Report]:
        """The reports that were labelled, in order, read as they were then.

        Raises InputError where the archive has changed since.
        """
        if sha256_of(self.reports) != self.sha256:
            raise InputError(
                f"{self.reports}: has changed since {self.folder} was made; label it anew"
            )
        rejected = read_table(self.folder / "rejected.parquet", ["id", "stage"])
        crashed = rejected.filter(pc.field("stage") == str(Stage.LABEL))
        left_out = set(crashed.column("id").to_pylist())
        for record in read_reports(self.reports, self.options):
            if isinstance(record, Report) and record.id not in left_out:
                yield record


def options_of(labels: Path) -> ReadOptions:
    """How the archive of a label table or folder was read; as most are where no record says it."""
    folder = labels if (labels / "run.json").exists() else labels.parent
    record = read_json(folder / "run.json") if (folder / "run.json").exists() else None
    if not isinstance(record, dict) or record.get("verb") != "label":
        return PLAIN
    return _options(record["config"])


def _options(config: Mapping[str, Any]) -> ReadOptions:
    names = {one.name for one in fields(ReadOptions)} & set(config)
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value := config[name], list) else value for name in names
    }
    return ReadOptions(**given)
