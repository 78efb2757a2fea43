"""Write a synthetic study's report: what a radiologist would have said of the plan.

The report is not the truth. It leaves out what is too subtle to see and, rarely, what is not; it
hedges, misspells, and now and then contradicts itself, as real ones do.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from configs.contracts import SYNTHETIC_NOTICE
from pipelines.synthetic.case import Case, Course, Idiom, PlannedFinding, Side
from pipelines.synthetic.grammar import Grammar, Region, Remark, draw, load_grammar, sentence
from pipelines.synthetic.wording import date_text, finding_slots, other_side

OMITTED_SHARE = 0.04
_HEDGED_SHARE = 0.08
_RESOLVED_SHARE = 0.6
_COURSE_SHARE = 0.75  # of comparable findings whose course is put into words
_SPECIAL_SHARE = 0.35  # of findings said in a sentence of their own rather than a frame
_MERGED_SHARE = 0.4
_DENIED_SHARE = 0.5
_CLOSED_SHARE = 0.35
_NORMAL_SHARE = 0.4
_TERSE_SHARE = 0.35
_DENIED_FIRST_SHARE = 0.2
_INCIDENTAL_SHARE = 0.22
_ADVICE_SHARE = 0.35
_MISSPELT_SHARE = 0.1
_CONTRADICTED_SHARE = 0.02
_PROSE_SHARE = 0.2  # of headed reports whose findings come as one paragraph
# What nobody hedges.
_PLAIN = {"medical_device", "cardiomegaly", "coronary_calcification", "arterial_calcification"}


class Manner(StrEnum):
    """How a statement stands to its finding."""

    PRESENT = "present"
    HEDGED = "hedged"
    RESOLVED = "resolved"  # mentioned as gone


@dataclass(frozen=True, slots=True)
class Statement:
    """One finding, or several of a kind, that the report puts into words."""

    finding: PlannedFinding
    manner: Manner


def write_report(case: Case, prior: Case | None) -> str:
    """The report of a case in its idiom; the same case gives the same text.

    `prior` is the patient's earlier case, if there is one: it dates the comparison.
    Raises ValueError for a finding that the grammar has no words for.
    """
    return _Writer(case, prior).report()


def statements(case: Case) -> tuple[Statement, ...]:
    """What the report of the case states; all other findings are denied or left out."""
    rng = Random(f"statements {case.seed}")  # noqa: S311 - drawn text, no secret
    noticed = [f for f in case.findings if f.visible and rng.random() >= OMITTED_SHARE]
    return tuple(_stated(_merged(noticed, rng), rng))


def _stated(findings: Iterable[PlannedFinding], rng: Random) -> Iterable[Statement]:
    for finding in findings:
        if finding.course is Course.RESOLVED:
            if rng.random() < _RESOLVED_SHARE:
                yield Statement(finding, Manner.RESOLVED)
            continue
        fresh = finding.course in (Course.FIRST, Course.NEW)
        doubted = fresh and finding.finding not in _PLAIN and rng.random() < _HEDGED_SHARE
        yield Statement(finding, Manner.HEDGED if doubted else Manner.PRESENT)


def _merged(findings: Sequence[PlannedFinding], rng: Random) -> list[PlannedFinding]:
    """The findings, some of one kind told together: "bilateral nodules, the largest 9 mm"."""
    groups: dict[tuple[str, Course, str | None], list[PlannedFinding]] = {}
    for finding in findings:
        key = (finding.finding, finding.course, finding.texture)
        groups.setdefault(key, []).append(finding)
    told: list[PlannedFinding] = []
    for group in groups.values():
        if len(group) > 1 and rng.random() < _MERGED_SHARE:
            told.append(_merge(group))
        else:
            told.extend(group)
    return told


def _merge(group: Sequence[PlannedFinding]) -> PlannedFinding:
    largest = max(group, key=lambda f: f.size_mm or 0)
    sides = {f.side for f in group}
    lobes = {f.lobe for f in group}
    return replace(
        largest,
        side=sides.pop() if len(sides) == 1 else Side.BILATERAL,
        lobe=lobes.pop() if len(lobes) == 1 else None,
        count=sum(f.count for f in group),
    )


class _Writer:
    """One report in the making: the case, its grammar, and the dice."""

    def __init__(self, case: Case, prior: Case | None) -> None:
        self.case = case
        self.grammar: Grammar = load_grammar(case.idiom)
        self.rng = Random(f"report {case.seed}")  # noqa: S311 - drawn text, no secret
        self.prior_date = case.prior_date or (prior.date if prior else None)
        self.statements = statements(case)
        self.stated = {s.finding.finding for s in self.statements if s.manner != Manner.RESOLVED}

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def say(self, templates: Sequence[str], **slots: str | None) -> list[str]:
        """One sentence from the templates, or nothing."""
        text = draw(templates, slots, self.rng)
        return [sentence(text)] if text else []

    def report(self) -> str:
        layout = self._headed if self.case.idiom is Idiom.US else self._flowing
        body = layout()
        return f"{self._misspelt(body)}\n\n{SYNTHETIC_NOTICE}.\n"

    # Findings, region by region

    def _region(self, name: str, region: Region, *, headed: bool) -> list[str]:
        said = [
            text
            for statement in self.statements
            if self.grammar.findings[statement.finding.finding].region == name
            for text in self._statement(statement)
        ]
        said += self._variants(name)
        if said and self.chance(_NORMAL_SHARE):
            said += self._true_ones(region.closing)
        unsaid = self._normal(region, clear=not said, headed=headed) + self._denied(region)
        if self.chance(_INCIDENTAL_SHARE):
            unsaid += self.say(region.incidental)
        body = unsaid + said if self.chance(_DENIED_FIRST_SHARE) else said + unsaid
        plain = None if self.case.acquisition.contrast else "Since no contrast was given"
        opening = self.say(region.opening, unenhanced=plain) if body else []
        return opening + body

    def _statement(self, statement: Statement) -> list[str]:
        finding, frames = statement.finding, self.grammar.frames
        slots = finding_slots(finding, self.grammar, self.case.idiom, self.prior_date, self.rng)
        if statement.manner is Manner.RESOLVED:
            templates = frames.resolved
        elif statement.manner is Manner.HEDGED:
            templates = frames.hedged
        elif finding.course is not Course.FIRST and self.chance(_COURSE_SHARE):
            templates = getattr(frames, finding.course.value)
        else:
            own = self.grammar.findings[finding.finding].says
            templates = own if own and self.chance(_SPECIAL_SHARE) else frames.first
        return self.say(templates, **slots) or self.say(frames.first, **slots)

    def _variants(self, region: str) -> list[str]:
        return [
            text
            for name, variant in self.grammar.variants.items()
            if name in self.case.variants and variant.region == region and self._true(variant)
            if self.chance(variant.share)
            for text in self.say(variant.say)
        ]

    def _true(self, remark: Remark) -> bool:
        return self.stated.isdisjoint(remark.of)

    def _true_ones(self, remarks: Iterable[Remark]) -> list[str]:
        return [text for remark in remarks if self._true(remark) for text in self.say(remark.say)]

    def _normal(self, region: Region, *, clear: bool, headed: bool) -> list[str]:
        if headed and clear and self.chance(_TERSE_SHARE):
            return self._true_ones(region.terse)
        drawn = [r for r in region.normal if r.need or self.chance(_NORMAL_SHARE)]
        return self._true_ones(drawn or (region.normal if clear else ()))

    def _denied(self, region: Region) -> list[str]:
        closed = [remark for remark in region.closed if self._true(remark)]
        if closed and self.chance(_CLOSED_SHARE):
            return self.say(self.rng.choice(closed).say)
        nouns = [
            noun
            for remark in filter(self._true, region.denied)
            if self.chance(_DENIED_SHARE) and (noun := draw(remark.say, {}, self.rng))
        ]
        self.rng.shuffle(nouns)
        texts: list[str] = []
        while nouns:
            size = self.rng.choice((1, 2, 2, 3, 4))
            texts += self._denial(nouns[:size])
            nouns = nouns[size:]
        return texts

    def _denial(self, nouns: Sequence[str]) -> list[str]:
        frames = self.grammar.frames
        if len(nouns) == 1:
            return self.say(frames.denied_one, one=nouns[0])
        first, last = ", ".join(nouns[:-1]), nouns[-1]
        short = len(nouns) < 4 and all(len(noun.split()) <= 2 for noun in nouns)
        return self.say(
            frames.denied_list,
            or_list=f"{first} or {last}",
            and_list=f"{first} and {last}",
            dash_list="-".join(nouns) if short else None,
        )

    # The impression

    def _impression(self) -> list[str]:
        findings = self.grammar.findings
        told = [s for s in self.statements if s.manner is not Manner.RESOLVED]
        taken = [s for s in told if self.chance(findings[s.finding.finding].impression)]
        if told and not taken:
            taken = [max(told, key=lambda s: findings[s.finding.finding].impression)]
        taken.sort(key=lambda s: -findings[s.finding.finding].impression)
        items = [text for s in taken for text in self._conclusion(s)]
        if taken and self.chance(_CONTRADICTED_SHARE):
            items[0] = self._contradiction(taken[0])
        if not items:
            items = self.say(self.grammar.no_findings)
        if taken and self.chance(_ADVICE_SHARE):
            advice = findings[taken[0].finding.finding].advice or self.grammar.advice
            items += self.say(advice)
        return items

    def _conclusion(self, statement: Statement) -> list[str]:
        finding, frames = statement.finding, self.grammar.frames
        slots = finding_slots(finding, self.grammar, self.case.idiom, self.prior_date, self.rng)
        if statement.manner is Manner.HEDGED:
            return self.say(frames.impression_hedged, **slots)
        words = self.grammar.course_words.get(finding.course.value, ())
        course = draw(words, {}, self.rng) if self.chance(_COURSE_SHARE) else None
        return self.say(frames.impression, **slots, course=course)

    def _contradiction(self, statement: Statement) -> str:
        finding = statement.finding
        if other_side(finding) != finding and self.chance(0.5):
            return self._conclusion(replace(statement, finding=other_side(finding)))[0]
        slots = finding_slots(finding, self.grammar, self.case.idiom, self.prior_date, self.rng)
        return self.say(self.grammar.frames.contradicted, one=slots["bare"])[0]

    # Layouts

    def _headed(self) -> str:
        sections = [
            ("INDICATION", self._history()),
            ("TECHNIQUE", self._technique()),
            ("COMPARISON", self._comparison()),
        ]
        if self.chance(0.3):
            self.rng.shuffle(sections)
        blocks = [f"{head}: {' '.join(texts)}" for head, texts in sections if texts]
        blocks.append("FINDINGS:\n" + self._headed_findings())
        items = self._impression()
        if len(items) > 1 and self.chance(0.7):
            items = [f"{number}. {item}" for number, item in enumerate(items, 1)]
        blocks.append("IMPRESSION:\n" + "\n".join(items))
        return "\n\n".join(blocks)

    def _headed_findings(self) -> str:
        regions = self.grammar.regions.items()
        if self.chance(_PROSE_SHARE):
            return " ".join(t for name, r in regions for t in self._region(name, r, headed=False))
        upper = self.chance(0.7)
        lines = []
        for name, region in regions:
            head = self.rng.choice(region.heads)
            if texts := self._region(name, region, headed=True):
                lines.append(f"{head if upper else head.capitalize()}: {' '.join(texts)}")
        return "\n".join(lines)

    def _flowing(self) -> str:
        texts = self._comparison()
        if self.chance(0.1):
            texts += self._history()
        if self.chance(0.15):
            texts += self._technique()
        for name, region in self.grammar.regions.items():
            texts += self._region(name, region, headed=False)
        items = self._impression()
        mark = self.rng.choice((' " ', '" ', ' "'))
        return " ".join(texts) + "".join(mark + item for item in items)

    def _history(self) -> list[str]:
        return self.say(self.grammar.history, age=str(self.case.patient.age_years))

    def _technique(self) -> list[str]:
        kind = "contrast" if self.case.acquisition.contrast else "plain"
        slice_mm = f"{self.case.acquisition.slice_mm:g}"
        return self.say(self.grammar.technique[kind], slice=slice_mm)

    def _comparison(self) -> list[str]:
        date = date_text(self.prior_date, self.case.idiom)
        return self.say(self.grammar.comparison["prior" if date else "none"], prior_date=date)

    def _misspelt(self, body: str) -> str:
        """The text, rarely with one of its words misspelt."""
        words = [word for word in self.grammar.misspellings if word in body]
        if not words or not self.chance(_MISSPELT_SHARE):
            return body
        word = self.rng.choice(words)
        return body.replace(word, self.grammar.misspellings[word], 1)
