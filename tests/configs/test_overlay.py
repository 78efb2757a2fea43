from pathlib import Path

import pytest

from configs.contracts import InputError
from labeler import load_labeler

FINDING = """
snow_globe:
  name: Snow globe
  definition: Invented for this test.
  group: lung
  phrases: [snow globe]
  examples: {positive: [A snow globe is seen.], negative: [No snow globe.]}
"""
CONVENTION = """
about: Invented for this test.
binary: {uncertain: 1, blank: 0}
labels:
  Globe: {findings: [snow_globe]}
"""
CUES = """
about: Invented for this test.
cues:
- {means: absent, direction: after, phrases: [bar none of]}
"""


def overlay(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name / "own.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return folder


def test_an_overlay_adds_findings_cues_and_conventions(tmp_path: Path) -> None:
    own = overlay(tmp_path / "own", findings=FINDING, conventions=CONVENTION, cues=CUES)
    labeler = load_labeler("own", own)
    assert labeler.label("A snow globe is seen.").labels == {"Globe": 1}
    assert labeler.label("Bar none of snow globe.").labels == {"Globe": 0}
    with pytest.raises(InputError, match="no convention 'own'"):
        load_labeler("own")


def test_an_overlay_replaces_a_finding_of_the_same_id(tmp_path: Path) -> None:
    text = FINDING.replace("snow_globe:", "hiatal_hernia:")
    own = overlay(tmp_path / "own", findings=text)
    plain, changed = load_labeler(), load_labeler(overlay=own)
    assert plain.label("A snow globe is seen.").labels["Hiatal hernia"] is None
    assert changed.label("A snow globe is seen.").labels["Hiatal hernia"] == 1


@pytest.mark.parametrize("place", ["finding/own.yaml", "findings/own.yml", "own.yaml", "notes.txt"])
def test_what_would_not_be_read_is_refused(tmp_path: Path, place: str) -> None:
    own = overlay(tmp_path / "own", findings=FINDING)
    (own / place).parent.mkdir(exist_ok=True)
    (own / place).write_text(FINDING)
    with pytest.raises(InputError, match="is not read"):
        load_labeler(overlay=own)


def test_a_missing_or_empty_overlay_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load_labeler(overlay=tmp_path / "none")
    with pytest.raises(InputError, match="empty"):
        load_labeler(overlay=tmp_path)
