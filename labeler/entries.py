"""All that a lexicon is made of: the phrases of findings, anatomy and cues."""

from configs.anatomy import Anatomy
from configs.cue import CuePack
from configs.finding import Finding
from labeler.cues import CompiledCue
from labeler.lexicon import Entry, HitKind


def entries(
    findings: dict[str, Finding], anatomy: Anatomy, packs: tuple[CuePack, ...]
) -> list[Entry]:
    """The phrases of findings, places and cues, each with what it belongs to."""
    found: list[Entry] = []
    for name, finding in findings.items():
        found += [Entry(phrase, HitKind.FINDING, name) for phrase in finding.phrases]
        found += [Entry(phrase, HitKind.VETO, name) for phrase in finding.vetoes]
        found += [Entry(phrase, HitKind.SUBJECT, name) for phrase in finding.subjects]
    for name, place in anatomy.places.items():
        found += [Entry(phrase, HitKind.PLACE, name) for phrase in place.phrases]
        found += [Entry(phrase, HitKind.WHOLE, name) for phrase in place.whole]
    for kind, table in (
        (HitKind.SIDE, anatomy.sides),
        (HitKind.LOBE, anatomy.lobes),
        (HitKind.SEGMENT, anatomy.segments),
    ):
        for name, words in table.items():
            found += [Entry(phrase, kind, name) for phrase in words.phrases]
    found += [Entry(phrase, HitKind.LANDMARK, phrase) for phrase in anatomy.landmarks]
    for pack in packs:
        for cue in pack.cues:
            compiled = CompiledCue(
                cue.means, cue.direction, cue.scope, cue.predicate, cue.opens, cue.value
            )
            found += [Entry(phrase, HitKind.CUE, compiled) for phrase in cue.phrases]
    return found
