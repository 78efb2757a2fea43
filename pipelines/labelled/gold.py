"""Gold for the neural stage: what people say of reports and of sentences, as targets."""

from pathlib import Path

import numpy as np

from configs.contracts import InputError
from configs.files import finished_table, read_table
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


def read_sentence_gold(folder: Path, labeler: Labeler) -> list[tuple[str, Floats]]:
    """Sentences and their gold, from the folder that `chestct review --apply` wrote.

    Raises InputError for another folder, or one that judges no sentence.
    """
    words = folder / "sentences.parquet"
    if not words.is_file():
        raise InputError(f"{folder}: not a folder of `chestct review --apply` with sentences")
    gold = read_gold(finished_table(folder, "gold.parquet"), labeler, "report_id")
    table = read_table(words, ["report_id", "report_text"])
    texts = zip(*(column.to_pylist() for column in table.columns), strict=True)
    found = [(text, gold[item]) for item, text in texts if item in gold]
    if not found:
        raise InputError(f"{folder}: holds no judged sentence")
    return found
