"""What a phrase finds in a text, by the lexicon that searches for it."""

import pytest

from labeler.lexicon import Entry, HitKind, Lexicon, lower


def found(phrase: str, text: str) -> str | None:
    """What a phrase finds first, at its longest."""
    hits = Lexicon([Entry(phrase, HitKind.FINDING, "it")]).hits(lower(text)).findings
    return text[hits[0].start : hits[0].end] if hits else None


@pytest.mark.parametrize(
    ("phrase", "text", "wanted"),
    [
        # a choice of several words stands where one of a single word stands
        ("(subsolid|part solid) nodule*", "A part-solid nodule.", "part-solid nodule"),
        ("(subsolid|part solid) nodule*", "A subsolid nodule.", "subsolid nodule"),
        ("large (end plate|endplate) spur", "A large end plate spur.", "large end plate spur"),
        # words that may be missing belong to the match where they are not
        ("(reversed)? halo sign", "A reversed halo sign.", "reversed halo sign"),
        ("(reversed)? halo sign", "A halo sign.", "halo sign"),
        # the longest of a choice
        ("no (contrast|contrast agent)", "No contrast agent.", "No contrast agent"),
        # both spellings
        ("hemopneumothorax", "A haemopneumothorax.", "haemopneumothorax"),
        ("hemopneumothorax", "A hemopneumothorax.", "hemopneumothorax"),
        ("esophag* tumor*", "Oesophageal tumours.", "Oesophageal tumours"),
        ("hemithorax", "The left hemithorax.", "hemithorax"),
        # what may stand between
        ("aorta {4} dilated", "The aorta at 4.3 cm is dilated.", "aorta at 4.3 cm is dilated"),
        ("heart {3} enlarged", "The heart is not enlarged.", "heart is not enlarged"),
        ("pericardial {3} fluid", "Pericardial thickening without fluid.", None),
        ("lung {3} collapse", "Lung expanded but collapse.", None),
        ("lung {3} collapse", "Lung: a node, collapse.", None),
        ("heart {3} large", "Heart of normal size. Large liver.", None),
    ],
)
def test_a_phrase_finds(phrase: str, text: str, wanted: str | None) -> None:
    assert found(phrase, text) == wanted
