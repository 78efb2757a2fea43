"""The files that people write for the labeler, and how mistakes in them are answered."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.anatomy import load_anatomy
from configs.contracts import InputError
from configs.convention import load_convention
from configs.cue import PACKS, load_cues
from configs.finding import ancestors, load_findings
from configs.phrase import compile_phrase

GOOD = """\
wheeze:
  name: Wheeze
  definition: A sound.
  group: airways
  phrases: [wheez*]
  examples:
    positive: [Wheeze is present.]
    negative: [No wheeze.]
"""


def folder_with(tmp_path: Path, text: str, name: str = "some.yaml") -> Path:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_a_finding_is_one_entry(tmp_path: Path) -> None:
    (finding,) = load_findings(folder_with(tmp_path, GOOD)).values()
    assert (finding.id, finding.phrases) == ("wheeze", ("wheez*",))


@pytest.mark.parametrize(
    ("old", "new", "answer"),
    [
        ("name: Wheeze", "nam: Wheeze", r"some\.yaml:1: 'name' is missing|some\.yaml:2: 'nam'"),
        ("group: airways", "group: nose", r"some\.yaml:4: .*'lung'"),
        ("group: airways", "grupo: airways", r"some\.yaml:\d: "),
        ("[wheez*]", "[Wheez*]", r"some\.yaml:5: .*lower case"),
        ("[wheez*]", '["(wheez*"]', r"some\.yaml:5: .*never closed"),
        ("[wheez*]", '["{3} wheeze"]', r"some\.yaml:5: .*must stand between words"),
        ("[wheez*]", "[]", r"some\.yaml:5: "),
        ("[wheez*]", "[wheez*", r"some\.yaml:6: not valid YAML"),
        ("group: airways", "group: airways\n  group: lung", r"some\.yaml:5: 'group' stands twice"),
        (
            "group: airways",
            "group: airways\n  parents: [nobody]",
            r"some\.yaml:5: .*unknown parent 'nobody'",
        ),
        (
            "group: airways",
            "group: airways\n  parents: [wheeze]",
            r"some\.yaml:5: .*its own ancestor",
        ),
        (
            "group: airways",
            "group: airways\n  anatomy: [nose]",
            r"some\.yaml:5: .*no place is called",
        ),
        ("[wheez*]", "[no]", r"some\.yaml:5: .*in quotes"),
        ("group: airways", "group: airways\n  place: required", "needs at least one place"),
    ],
)
def test_a_mistake_is_answered_with_its_line(
    tmp_path: Path, old: str, new: str, answer: str
) -> None:
    with pytest.raises(InputError, match=answer):
        load_findings(folder_with(tmp_path, GOOD.replace(old, new)))


def test_a_doubled_id_names_both_files(tmp_path: Path) -> None:
    folder_with(tmp_path, GOOD, "a.yaml")
    with pytest.raises(InputError, match=r"b\.yaml: finding 'wheeze' also stands in .*a\.yaml"):
        load_findings(folder_with(tmp_path, GOOD, "b.yaml"))


def test_files_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no findings"):
        load_findings(tmp_path)
    with pytest.raises(InputError, match="no cue pack 'klingon'; there are tr_en, us"):
        load_cues(("klingon",))
    with pytest.raises(InputError, match="there are clinical, ct_rate, rad_chestct"):
        load_convention("none")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8"):
        load_findings(tmp_path)


def test_the_shipped_files_fit_together() -> None:
    findings, anatomy = load_findings(), load_anatomy()
    assert load_cues(PACKS)
    for finding in findings.values():
        assert set(finding.anatomy) <= set(anatomy.places), finding.id
        assert finding.id not in ancestors(finding.id, findings)
    for name in ("ct_rate", "rad_chestct", "clinical"):
        convention = load_convention(name)
        for label in convention.labels:
            for rule in convention.rules(label):
                assert {*rule.findings, *rule.unless} <= set(findings), label
    assert len(load_convention("ct_rate").labels) == 18
    assert len(load_convention("rad_chestct").labels) == 83


def test_places_lie_inside_each_other() -> None:
    anatomy = load_anatomy()
    assert anatomy.within("coronary_arteries", ("heart",))
    assert not anatomy.within("heart", ("coronary_arteries",))


@given(st.text(alphabet="ab(){}|*?3 -", max_size=12))
def test_any_phrase_compiles_or_is_refused(source: str) -> None:
    with suppress(InputError):
        assert all(phrase.starts and phrase.expression for phrase in compile_phrase(source))
