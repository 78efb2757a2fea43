from pathlib import Path

import pytest

from configs.contracts import InputError
from labeler import load_labeler

CUES = """
about: Invented for this test.
cues:
- {means: absent, direction: after, phrases: [bar none of]}
"""


def test_an_overlay_adds_findings_cues_and_conventions(own_configs: Path) -> None:
    (own_configs / "cues").mkdir()
    (own_configs / "cues" / "own.yaml").write_text(CUES)
    labeler = load_labeler("own", own_configs)
    assert labeler.label("A snow globe is seen.").labels == {"Globe": 1}
    assert labeler.label("Bar none of snow globe.").labels == {"Globe": 0}
    with pytest.raises(InputError, match="no convention 'own'"):
        load_labeler("own")


def test_an_overlay_replaces_a_finding_of_the_same_id(own_configs: Path) -> None:
    path = own_configs / "findings" / "own.yaml"
    path.write_text(path.read_text().replace("snow_globe:", "hiatal_hernia:"))
    (own_configs / "conventions" / "own.yaml").unlink()
    plain, changed = load_labeler(), load_labeler(overlay=own_configs)
    assert plain.label("A snow globe is seen.").labels["Hiatal hernia"] is None
    assert changed.label("A snow globe is seen.").labels["Hiatal hernia"] == 1


@pytest.mark.parametrize("place", ["finding/own.yaml", "findings/own.yml", "own.yaml", "notes.txt"])
def test_what_would_not_be_read_is_refused(own_configs: Path, place: str) -> None:
    (own_configs / place).parent.mkdir(exist_ok=True)
    (own_configs / place).write_text("x: 1")
    with pytest.raises(InputError, match="is not read"):
        load_labeler(overlay=own_configs)


def test_a_missing_or_empty_overlay_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load_labeler(overlay=tmp_path / "none")
    with pytest.raises(InputError, match="empty"):
        load_labeler(overlay=tmp_path)
