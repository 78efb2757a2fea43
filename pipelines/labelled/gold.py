"""Gold for the neural stage: what a label table says of each report, as targets."""

from pathlib import Path

import numpy as np

from labeler import Labeler
from labeler.neural.reading import BLANK, Coding, Floats
from pipelines.labelled.values import labels_file, read_label_values


def read_gold(path: Path, labeler: Labeler, id_column: str | None) -> dict[str, Floats]:
    """Gold by report: 1 or 0 as the convention's binary coding has it; NaN without a column."""
    frame = read_label_values(labels_file(path), id_column, labeler.label_names).frame
    present = Coding.of(labeler).present(frame.fillna(BLANK).to_numpy(np.int8))
    gold = np.full((len(frame), len(labeler.label_names)), np.nan, np.float32)
    for column, name in enumerate(frame.columns):
        gold[:, labeler.label_names.index(name)] = present[:, column]
    return dict(zip(frame.index, gold, strict=True))
