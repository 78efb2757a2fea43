import json

import pyarrow as pa

from configs import tables
from configs.contracts import RecordReason, Stage
from pipelines.labelling.tally import Tally
from pipelines.running.run import Rejected

NAMES = ("Emphysema", "Atelectasis")


def of(*rows: tuple[int | None, ...]) -> Tally:
    columns = [[str(n) for n in range(len(rows))], *zip(*rows, strict=True)]
    labels = pa.table(columns, schema=tables.labels_schema(NAMES))
    return Tally.of_tables(labels, tables.FACTS.empty_table(), contradicted=1)


def test_values_and_present_labels_are_counted() -> None:
    tally = of((1, None), (1, 1), (-1, 0))
    assert tally.values["Emphysema"] == {"present": 2, "absent": 0, "uncertain": 1, "blank": 0}
    assert tally.values["Atelectasis"] == {"present": 1, "absent": 1, "uncertain": 0, "blank": 1}
    assert tally.positives == {"0": 1, "1": 1, "2": 1}
    summary = tally.summary()
    assert summary["present_labels_per_report"] == 1
    assert summary["present_labels_per_report_sd"] == 0.8165
    assert summary["blank_share"] == 0.1667


def test_shards_add_up_in_any_order_and_survive_json() -> None:
    parts = [of((1, None)), of((0, -1), (1, 1))]
    parts[1].reject(Rejected("7", Stage.READ, RecordReason.EMPTY, "line 8: no text"))
    forward, backward = Tally(), Tally()
    for part in parts:
        forward += Tally.from_json(json.loads(json.dumps(part.as_json())))
    for part in reversed(parts):
        backward += part
    assert forward == backward
    assert forward.as_json() == backward.as_json()
    assert (forward.read, forward.labelled, forward.rejected) == (4, 3, 1)
    assert forward.contradicted == 2
    assert forward.told_reasons() == "EMPTY 1"
