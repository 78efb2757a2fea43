"""A timeline as one self-contained page: a chart a finding, and the reports' own words."""

from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from itertools import pairwise

import jinja2
from markupsafe import Markup

from pipelines.overtime.content import ScoreChange, Study, Timeline, Trace, Track, Verdict
from pipelines.rendering.content import MARK, TrainingData, marked
from pipelines.rendering.display import load_display
from pipelines.rendering.finding_wording import counted
from pipelines.rendering.html import content_policy
from pipelines.rendering.markup import environment

_WIDTH, _HEIGHT, _EDGE = 240.0, 44.0, 5.0
_VERDICTS = {
    Verdict.HIGHER: "score higher",
    Verdict.LOWER: "score lower",
    Verdict.WITHIN_NOISE: "within noise",
    Verdict.NOISE_NOT_KNOWN: "noise not known",
    Verdict.NOT_COMPARABLE: "not comparable",
}


def render(timeline: Timeline) -> str:
    """The page."""
    style = _resource("plain.css", "pipelines.rendering.page") + _resource("timeline.css")
    groups = {
        name: [trace for trace in timeline.traces if trace.group == key]
        for key, name in load_display().groups.items()
    }
    page = _template().render(
        timeline=timeline,
        caution=_caution(timeline),
        noise=_noise(timeline),
        apart=_apart(timeline),
        kernels=_kernels(timeline.studies[0]) if len(timeline.studies) == 1 else (),
        counted=counted,
        marked=marked,
        groups={name: found for name, found in groups.items() if found},
        score_chart=lambda trace: score_chart(timeline, trace),
        size_chart=lambda track: size_chart(timeline, track),
        size=(_WIDTH, _HEIGHT),
        said=said,
        when=when(timeline),
        policy=content_policy(style, ""),
        style=Markup(style),  # noqa: S704 - our own file
        version=version("chestct"),
    )
    return page.lstrip() + "\n"


@dataclass(frozen=True, slots=True)
class Chart:
    """Where dots and lines stand: x by day (by number without dates), y by value."""

    dots: tuple[tuple[float, float], ...]
    lines: tuple[tuple[float, float, float, float, bool], ...]
    """x1, y1, x2, y2, and whether the two may be compared."""


def score_chart(timeline: Timeline, trace: Trace) -> Chart:
    """A label's scores, from 0 to 1."""
    apart = {c.after for c in trace.changes if c.verdict is Verdict.NOT_COMPARABLE}
    numbers = [study.number for study in timeline.studies]
    values = {n: p for n, p in zip(numbers, trace.probabilities, strict=True) if p is not None}
    return _chart(timeline, values, 1.0, apart)


def size_chart(timeline: Timeline, track: Track) -> Chart | None:
    """A finding's largest size in each report, from 0; None where fewer than two tell one."""
    values: dict[int, float] = {}
    for one in track.said:
        if one.size_mm is not None:
            values[one.study] = max(values.get(one.study, 0.0), one.size_mm)
    return _chart(timeline, values, 1.1 * max(values.values()), set()) if len(values) > 1 else None


def _chart(timeline: Timeline, values: dict[int, float], top: float, apart: set[int]) -> Chart:
    days = [study.day for study in timeline.studies]
    dated = all(day is not None for day in days) and len(set(days)) > 1
    places = {
        study.number: float(study.day or 0) if dated else float(study.number)
        for study in timeline.studies
    }
    first, span = min(places.values()), max(places.values()) - min(places.values()) or 1.0
    at = {
        number: (
            round(_EDGE + (_WIDTH - 2 * _EDGE) * (places[number] - first) / span, 1),
            round(_HEIGHT - _EDGE - (_HEIGHT - 2 * _EDGE) * value / top, 1),
        )
        for number, value in sorted(values.items())
    }
    lines = tuple((*at[a], *at[b], b not in apart) for a, b in pairwise(at))
    return Chart(tuple(at.values()), lines)


def said(change: ScoreChange) -> str:
    """A change in words; why two studies are not comparable is said once, above all findings.

    >>> said(ScoreChange(before=1, after=2, series_before="", series_after="", difference=2.0,
    ...     verdict="not_comparable", why=("kernel B, then C",)))
    'not comparable'
    """
    return _VERDICTS[change.verdict]


def _apart(timeline: Timeline) -> list[str]:
    """Which neighbouring studies are not comparable, and why: the same for every finding."""
    changes = timeline.traces[0].changes if timeline.traces else ()
    return [
        f"Studies {change.before} and {change.after} are not comparable: {'; '.join(change.why)}."
        for change in changes
        if change.verdict is Verdict.NOT_COMPARABLE
    ]


def _kernels(study: Study) -> list[str]:
    """A heading for each reconstruction of a study."""
    return [
        f"kernel {one.scan.kernel}" if one.scan.kernel else f"series {number}"
        for number, one in enumerate(study.reconstructions, start=1)
    ]


def when(timeline: Timeline) -> dict[int, str]:
    """Each study's place in time, by its number."""
    places: dict[int, str] = {}
    before: Study | None = None
    for study in timeline.studies:
        same = before is not None and study.day is not None and study.day == before.day
        places[study.number] = "same day" if same else _day(study)
        before = study
    return places


def _day(study: Study) -> str:
    date = next((r.scan.date for r in study.reconstructions if r.scan.date), None)
    if date and len(date) == 8:
        return f"{date[:4]}-{date[4:6]}-{date[6:]}"
    if study.day is None:
        return "no date"
    return "first" if study.day == 0 else f"+{study.day} d"


def _caution(timeline: Timeline) -> str:
    told = {
        TrainingData.SYNTHETIC: "Trained on synthetic scans only: the scores show that the "
        "software works, they say nothing about a patient.",
        TrainingData.MIXED: "Trained partly on synthetic scans.",
        TrainingData.PATIENTS: "",
    }[timeline.training_data]
    if any(r.scan.synthetic for study in timeline.studies for r in study.reconstructions):
        told += " SYNTHETIC SCANS, drawn by chestct, not a patient."
    weak = sum(not trace.calibrated for trace in timeline.traces)
    if weak:
        told += (
            f" {weak} of {len(timeline.traces)} findings are not calibrated on enough cases: read "
            f"their percentages, marked {MARK}, as a ranking, not as a frequency."
        )
    return told.strip()


def _noise(timeline: Timeline) -> str:
    known = timeline.repeatability
    if known is None:
        return (
            "Noise not known: no study has two reconstructions, so no change of a score can be "
            "told from chance."
        )
    pairs = "one pair" if known.pairs == 1 else f"{known.pairs} pairs"
    return (
        f"Noise: a score must move by more than {known.logits:.2f} logits, the repeatability "
        f"coefficient over {pairs} of reconstructions of one study (a label's own, where larger). "
        "It holds no second scan, so the true noise is larger."
    )


def _resource(name: str, package: str = "pipelines.overtime.page") -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> jinja2.Template:
    return environment().from_string(_resource("timeline.html.j2"))
