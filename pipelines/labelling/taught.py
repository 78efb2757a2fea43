"""A taught stage beside the rules: its place, and what it makes of a stretch of reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import pyarrow as pa

from configs import tables
from configs.contracts import InputError
from configs.files import read_json

if TYPE_CHECKING:
    from labeler import Labeler, ReportLabels
    from labeler.neural import Fusion, NeuralStage

_PRESENT_FROM = 0.5
_BYTES_A_WEIGHT, _CHARS_A_TOKEN = 4, 3
_LEAST_FLOPS = 1e9  # a second, of a core that has other things to do


@dataclass(frozen=True, slots=True)
class Taught:
    """A stage that judges beside the rules."""

    folder: Path
    fusion: Literal["rules", "neural", "fused"]
    seconds_a_char: float
    """What it takes a core at most."""

    @classmethod
    def open(
        cls,
        folder: Path | None,
        fusion: Literal["rules", "neural", "fused"] | None,
        labels: Sequence[str],
    ) -> "Taught | None":
        """The stage in a folder, by default fused; None without a folder.

        Raises InputError for what is no stage, or none of these labels or that fusion. The rest is
        seen where it is loaded: that takes seconds and much memory.
        """
        if folder is None and fusion in ("neural", "fused"):
            raise InputError(f"--fusion {fusion}: needs --stage, a folder of `chestct teach`")
        if folder is None:
            return None
        fusion = fusion or "fused"
        weights = folder / "weights.safetensors"
        stage = read_json(folder / "stage.json") if weights.is_file() else None
        if not isinstance(stage, dict) or not (folder / "run.json").is_file():
            raise InputError(f"{folder}: not a finished folder of `chestct teach`")
        if stage.get("labels") != list(labels):
            raise InputError(
                f"{folder}: was taught other labels than this convention's; teach anew"
            )
        if fusion == "fused" and "fused" not in stage.get("combinations", {}):
            raise InputError(f"{folder}: was taught without gold; give --fusion neural or rules")
        multiplications = 2 * weights.stat().st_size / _BYTES_A_WEIGHT
        return cls(folder.resolve(), fusion, multiplications / _CHARS_A_TOKEN / _LEAST_FLOPS)


class TaughtLabels(NamedTuple):
    """What the stage makes of some reports."""

    labels: list[dict[str, int | None]]
    """One a report, as `ReportLabels.labels`: the rules' own wherever the stage agrees."""
    soft: pa.Table
    """`SOFT_LABELS`: a row a report and label."""
    overruled: int
    """Values that are not the rules'."""


def apply(
    stage: "NeuralStage",
    labeler: "Labeler",
    reports: Sequence[tuple[str, str, "ReportLabels"]],
    fusion: "Fusion",
) -> TaughtLabels:
    """Judge reports, each an identifier, its text and what the rules say of it.

    Each different sentence is encoded once; give some thousands of reports at most. Raises
    InputError as `NeuralStage.judge`.
    """
    from labeler.neural.reading import as_labels

    ids = [report_id for report_id, _, _ in reports]
    ruled = [labels for _, _, labels in reports]
    stage.forget()
    judged = stage.judge(labeler, [text for _, text, _ in reports], fusion, ruled)
    names = labeler.label_names
    probability_n = judged.probability_rl.ravel().astype(np.float32)
    start_n, end_n = judged.span_rl2.reshape(-1, 2).T
    silent_n = (probability_n < _PRESENT_FROM) | (start_n == end_n)
    columns = {
        "report_id": np.repeat(np.array(ids, dtype=object), len(names)),
        "label": np.tile(np.array(names, dtype=object), len(ids)),
        "probability": probability_n,
        "confidence": judged.confidence_rl.ravel().astype(np.float32),
        "start": pa.array(start_n, mask=silent_n),
        "end": pa.array(end_n, mask=silent_n),
    }
    soft = pa.table(columns, schema=tables.SOFT_LABELS)
    labels = [as_labels(names, row) for row in judged.value_rl]
    overruled = sum(
        values[name] != rules.labels[name]
        for values, rules in zip(labels, ruled, strict=True)
        for name in names
    )
    return TaughtLabels(labels, soft, overruled)
