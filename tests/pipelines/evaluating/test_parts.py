"""Subgroups, abstention and comparison, on made predictions."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from configs import files, tables
from configs.contracts import InputError
from pipelines.evaluating.abstention import COVERAGES, covered, mean_risk, wrong_by_confidence
from pipelines.evaluating.comparison import compare
from pipelines.evaluating.reference import read_reference
from pipelines.evaluating.subgroups import groups
from tests.pipelines.evaluating.made import LABELS, judged


def write_predictions(path, found, logits):
    count = len(LABELS)
    columns = {
        "volume_id": np.repeat([f"v{scan}" for scan in found.ids], count),
        "scan_id": np.repeat(found.ids, count),
        "case": np.repeat(found.ids, count),
        "label": np.tile(LABELS, len(found)),
        "logit": logits.ravel(),
        "probability": np.full(logits.size, 0.5),
    }
    files.write_table(path, pa.table(columns, schema=tables.PREDICTIONS))


def test_groups_are_measured_with_fifty_positives_and_said_to_have_fewer():
    cases = judged(400)
    sex = np.where(np.arange(400) < 350, "F", "M")
    attributes = pd.DataFrame({"sex": sex}, index=cases.ids)
    women, men = groups(cases, attributes, 20, 0)
    assert (women.value, women.scans, men.value, men.scans) == ("F", 350, "M", 50)
    assert [found.label for found in women.labels] == list(LABELS[:2])
    own = roc_auc_score(cases.values_nl[:350, 0], cases.logits_nl[:350, 0])
    assert women.labels[0].measures["auroc"].value == pytest.approx(own)
    assert women.positives[LABELS[2]] == (cases.values_nl[:350, 2] == 1).sum()
    assert men.labels == ()
    assert men.macro_auroc is None


def test_groups_that_have_an_order_come_in_it_others_by_size():
    cases = judged(6)
    attributes = pd.DataFrame(
        {
            "age": ["60-69", "60-69", "not recorded", "18-29", "90+", "30-39"],
            "slice thickness": [
                "to 5 mm",
                "to 5 mm",
                "above 5 mm",
                "up to 1.25 mm",
                "to 2.5 mm",
                "not recorded",
            ],
            "vendor": ["ge", "siemens", "siemens", "siemens", "ge", "philips"],
        },
        index=cases.ids,
    )
    found = [group.value for group in groups(cases, attributes, 20, 0)]
    assert found == [
        *("18-29", "30-39", "60-69", "90+", "not recorded"),
        *("up to 1.25 mm", "to 2.5 mm", "to 5 mm", "above 5 mm", "not recorded"),
        *("siemens", "ge", "philips"),
    ]


def test_the_surest_decisions_come_first():
    cases = judged(400)
    wrong = wrong_by_confidence(cases, 0)
    threshold = cases.calibrations[0].threshold
    called = cases.probability_nl[:, 0] >= threshold
    assert wrong.sum() == (called != (cases.values_nl[:, 0] == 1)).sum()
    assert wrong[:200].mean() < wrong[200:].mean()
    risk = mean_risk(cases, np.array([0.5, 1.0]))
    assert risk[0] < risk[1]


def test_every_label_of_two_values_is_told_at_every_coverage():
    cases = judged(400)
    cases.values_nl[:, 2] = 0
    found = covered(cases)
    assert [(c.label, c.coverage) for c in found] == [(n, c) for n in LABELS[:2] for c in COVERAGES]
    assert found[0].scans == 400
    assert found[0].risk == found[0].errors / 400


def test_a_worse_run_is_told_from_this_one(tmp_path):
    good, bad = judged(400, noise=0.8), judged(400, seed=5, noise=3.0)
    write_predictions(tmp_path / "p.parquet", bad, bad.logits_nl)
    found = compare(good, tmp_path / "p.parquet", 200, 0)
    first = found.labels[0]
    expected = roc_auc_score(good.values_nl[:, 0], good.logits_nl[:, 0]) - roc_auc_score(
        bad.values_nl[:, 0], bad.logits_nl[:, 0]
    )
    assert first.difference.value == pytest.approx(expected, abs=1e-6)
    assert found.macro.low > 0
    assert first.p < 1e-3
    assert found.missing == 0


def test_cases_are_paired_by_name_and_averaged_over_volumes(tmp_path):
    cases = judged(100)
    order = np.random.default_rng(0).permutation(100)
    other = cases.rows(order[:80])
    twice = {
        "volume_id": [f"{v}{scan}" for v in "ab" for scan in np.repeat(other.ids, 3)],
        "scan_id": np.repeat("s", 480),
        "case": np.tile(np.repeat(other.ids, 3), 2),
        "label": np.tile(LABELS, 160),
        "logit": np.concatenate([other.logits_nl.ravel() - 1, other.logits_nl.ravel() + 1]),
        "probability": np.full(480, 0.5),
    }
    files.write_table(tmp_path / "p.parquet", pa.table(twice, schema=tables.PREDICTIONS))
    found = compare(cases, tmp_path / "p.parquet", 20, 0)
    assert (found.scans, found.missing) == (80, 20)
    assert all(abs(label.difference.value) < 1e-3 for label in found.labels)


def test_a_patient_with_two_scans_leaves_delong_out(tmp_path):
    cases = judged(100, patients_of_scans=2)
    write_predictions(tmp_path / "p.parquet", cases, cases.logits_nl)
    assert np.isnan(compare(cases, tmp_path / "p.parquet", 20, 0).labels[0].p)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.assign(case="x" + frame["case"]), "none of these scans"),
        (lambda frame: frame.assign(label="a:" + frame["label"]), "none of these labels"),
        (lambda frame: pd.concat([frame, frame[:1]]), "stands in two rows"),
        (lambda frame: frame.assign(logit=np.inf), "not a finite number"),
        (lambda frame: frame[1:], "lacks some of the labels"),
        (lambda frame: frame[:0], "holds no prediction"),
    ],
)
def test_predictions_that_cannot_be_compared_are_refused(tmp_path, change, message):
    cases = judged(20)
    write_predictions(tmp_path / "p.parquet", cases, cases.logits_nl)
    frame = change(files.read_table(tmp_path / "p.parquet").to_pandas())
    table = pa.Table.from_pandas(frame, schema=tables.PREDICTIONS, preserve_index=False)
    files.write_table(tmp_path / "q.parquet", table)
    with pytest.raises(InputError, match=message):
        compare(cases, tmp_path / "q.parquet", 5, 0)


@pytest.mark.parametrize(
    ("record", "source"),
    [
        ({"verb": "label", "config": {"fusion": "fused"}}, "rules and a taught stage"),
        ({"verb": "label", "config": {"fusion": "rules"}}, "by chestct"),
        ({"verb": "label"}, "by chestct"),
        ({"verb": "dataset"}, "as published with the data set"),
        (None, "as given"),
    ],
)
def test_who_made_the_labels_is_told(tmp_path, record, source):
    table = pa.table({"report_id": ["1"], "Lung nodule": pa.array([1], pa.int8())})
    files.write_table(tmp_path / "labels.parquet", table)
    if record is not None:
        files.write_json(tmp_path / "run.json", record)
    read = read_reference("labels", tmp_path / "labels.parquet", ["ct_rate:Lung nodule"])
    assert read.source.endswith(source)
