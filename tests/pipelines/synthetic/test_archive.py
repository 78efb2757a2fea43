"""The synthetic archive on disk, its truth, and that no global histogram gives its labels away."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from configs.files import sha256_of
from pipelines.synthetic import archive, chest, truth
from pipelines.synthetic.case import Case, Course, DrawnCase, DrawnFinding
from pipelines.synthetic.hospital import plan
from tests.pipelines.synthetic.scenes import a_case, finding

BOX = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)


def test_an_archive_holds_scans_reports_and_truth(tmp_path: Path) -> None:
    cases = archive.make_archive(tmp_path / "a", 2, seed=5, quiet=True, workers=1)
    for case in cases:
        folder = tmp_path / "a" / "scans" / case.patient.patient_id / case.accession
        assert len(list(folder.glob("*.dcm"))) > 30
    reports = pd.read_csv(tmp_path / "a" / "reports.csv")
    assert list(reports.columns) == ["AccessionNo", "report_text"]
    assert list(reports.AccessionNo) == [case.accession for case in cases]
    rows = pq.read_table(tmp_path / "a" / "truth" / "truth.parquet")
    assert rows.schema.equals(truth.SCHEMA)
    archive.make_archive(tmp_path / "b", 2, seed=5, quiet=True, workers=1)
    assert sha256_of(tmp_path / "a") == sha256_of(tmp_path / "b")


def test_truth_lists_what_was_drawn() -> None:
    nodule = finding("nodule", size_mm=12.0, visible=False)
    gone = finding("mass", course=Course.RESOLVED)
    drawn = DrawnCase(a_case(nodule, gone), (DrawnFinding(nodule, BOX),))
    (row,) = truth.table([drawn]).to_pylist()
    assert row["finding"] == "nodule"
    assert row["box_lps_mm"] == list(BOX)
    assert row["visible"] is False


def test_ct_rate_labels_follow_its_convention() -> None:
    case = a_case(
        finding("mass"),
        finding("consolidation"),
        finding("emphysema", visible=False),
        finding("cardiomegaly", course=Course.RESOLVED),
    )
    labels = truth.ct_rate_labels([case]).iloc[0]
    assert labels.report_id == case.accession
    assert len(labels) == 19
    ones = {name for name in truth.CT_RATE_FINDINGS if labels[name] == 1}
    assert ones == {"Consolidation", "Emphysema"}  # a mass is no nodule, nor any opacity
    seen = truth.ct_rate_labels([case], visible_only=True).iloc[0]
    assert seen["Emphysema"] == 0


def test_a_global_histogram_does_not_give_the_labels_away() -> None:
    """Half the patients teach a logistic regression, the other half judge it."""
    cases = [_coarse(case) for case in plan(80, seed=12)]
    edges = [-1100, -960, -920, -880, -840, -780, -650, -400, -150, -60, 0, 40, 80, 150, 300, 4000]
    features = np.array([np.histogram(chest.draw(case)[0], edges)[0] for case in cases])
    labels = truth.ct_rate_labels(cases).drop(columns="report_id").to_numpy()
    half = len(cases) // 2
    scores = []
    for column in labels.T:
        if min(column[:half].sum(), column[half:].sum()) < 4:
            continue
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
        model.fit(np.sqrt(features[:half]), column[:half])
        scores.append(
            roc_auc_score(column[half:], model.decision_function(np.sqrt(features[half:])))
        )
    assert len(scores) > 10
    assert np.mean(scores) < 0.70


def _coarse(case: Case) -> Case:
    """The same patient on a small matrix: quick to draw, near enough for a histogram."""
    field_mm = case.acquisition.matrix * case.acquisition.pixel_mm
    scan = replace(case.acquisition, matrix=48, pixel_mm=field_mm / 48, slice_mm=8.0)
    return replace(case, acquisition=scan)
