"""What a reader is shown has a name, a group and a meaning for everything that can occur."""

from model.volumes import AssessReason, Volume, assess
from pipelines.rendering.display import Window, load_display


def test_every_measurement_of_a_scan_has_a_name(volume: Volume) -> None:
    assert assess(volume).measurements.keys() <= load_display().measurements.keys()


def test_every_code_of_an_assessment_has_a_meaning() -> None:
    assert set(load_display().assessment) == {reason.value for reason in AssessReason}


def test_umbrella_terms_name_labels_of_their_convention() -> None:
    for labels in load_display().labels.values():
        for shown in labels.values():
            assert set(shown.umbrella_of) <= set(labels)


def test_an_unlisted_label_is_shown_under_its_own_name() -> None:
    shown = load_display().of("my_site:tree_in_bud")
    assert (shown.name, shown.group, shown.window) == ("Tree in bud", "other", Window.LUNG)


def test_what_a_model_covers_is_not_called_uncovered() -> None:
    display = load_display()
    names = {lack.name for lack in display.lacking(["ct_rate:Lung nodule"])}
    assert "Pneumothorax" in names
    covered = {lack.name for lack in display.lacking(["my_site:pneumothorax"])}
    assert "Pneumothorax" not in covered
