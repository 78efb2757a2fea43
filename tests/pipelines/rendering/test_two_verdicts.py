"""A finding that a worklist flags and a report does not call present: every form says both."""

from pathlib import Path
from typing import Any

import pytest

from model.prediction import Prediction
from model.volumes import Assessment, Volume
from model.volumes.anatomy import find_anatomy
from pipelines.rendering import assemble, finding_wording, wording
from pipelines.rendering.content import Decision, ScanReport
from pipelines.rendering.html import page
from pipelines.rendering.reading import Reading
from tests.pipelines.rendering.conftest import LABELS

EMPHYSEMA, EFFUSION, NODULE = LABELS[4], LABELS[3], LABELS[0]


@pytest.fixture(scope="module")
def made(volume: Volume, prediction: Prediction, bundle: Any, bundle_path: Path) -> ScanReport:
    """Emphysema of <1 %, effusion of 50 % and nodule of >99 %, which a list flags from 0 % on."""
    return assemble.read(
        volume, Assessment(True, (), {}), find_anatomy(volume), bundle, prediction, bundle_path,
        flagged_from={EMPHYSEMA: 0.001, EFFUSION: 0.2, NODULE: 0.2},
    )  # fmt: skip


def test_what_is_only_flagged_is_told_with_both_thresholds(made: ScanReport) -> None:
    found = {finding.label: finding for finding in made.findings}
    assert found[EMPHYSEMA].decision is Decision.ABSENT
    assert found[EFFUSION].decision is Decision.INDETERMINATE
    assert [f.label for f in made.findings if f.only_flagged] == [EFFUSION, EMPHYSEMA]
    (told,) = wording.two_verdicts(made)
    assert (
        "Emphysema <1 %* (flagged in a worklist, at the sensitive threshold <1 %*; absent" in told
    )
    assert "Pleural effusion 50 % (flagged in a worklist, at the sensitive threshold 20 %*" in told
    assert "Lung nodule" not in told
    assert told in made.draft
    assert "A worklist flags it all the same" in finding_wording.decision(found[EMPHYSEMA])
    assert "worklist" not in finding_wording.decision(found[NODULE])


def test_the_page_says_it_before_any_number_and_at_the_row(
    made: ScanReport, volume: Volume, prediction: Prediction
) -> None:
    text = page(Reading(made, volume, prediction)).replace("&lt;", "<")
    (told,) = wording.two_verdicts(made)
    assert text.index(told) < text.index('id="findings"')
    for finding in made.findings:
        (row,) = (
            part for part in text.split("<li>") if f'data-label="{finding.label}"' in part[:300]
        )
        assert ("flagged in a worklist" in row) == finding.only_flagged


def test_without_a_worklist_nothing_is_said_of_one(report: ScanReport) -> None:
    assert not list(wording.two_verdicts(report))
    assert all(finding.flagged_from is None for finding in report.findings)
