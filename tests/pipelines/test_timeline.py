"""`chestct timeline` and `report --prior`: untrained network, made chests, a made report."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pydicom.dataset import Dataset

from configs import files, tables
from configs.contracts import INTENDED_USE, Change, InputError
from pipelines.overtime.content import Timeline, Verdict
from pipelines.overtime.texts import tracks
from pipelines.report import report
from pipelines.timeline import timeline
from tests.model.volumes.phantom import chest
from tests.pipelines.made_scans import IDENTITIES, model, plant, write_series

__all__ = ["model"]  # the fixture

TWO_KERNELS = Path(__file__).parents[2].parent / "shared" / "data" / "ct" / "lung_pet_ct_dx_A0001"


def named(study: int, series: int, date: str, kernel: str) -> Callable[[Dataset], None]:
    def fill(image: Dataset) -> None:
        image.StudyInstanceUID = f"1.2.840.{study}"
        image.SeriesInstanceUID = f"1.2.840.{study}.{series}"
        image.SOPInstanceUID = f"1.2.840.{study}.{series}.{image.InstanceNumber}"
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.AccessionNumber, image.StudyDate = f"CANARY-A{study}", date
        image.ConvolutionKernel = kernel

    return fill


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three studies: two kernels, one of these kernels again, and another kernel."""
    root = tmp_path_factory.mktemp("patient")
    hu = chest()
    noisy = hu + np.random.default_rng(0).normal(0, 20, hu.shape)
    write_series(root / "b", noisy, fill=named(2, 1, "20200310", "B30f"))  # not in order of date
    write_series(root / "a1", hu, fill=named(1, 1, "20200101", "B30f"))
    write_series(root / "a2", noisy, fill=named(1, 2, "20200101", "B70f"))
    write_series(root / "c", hu, fill=named(3, 1, "20210101", "FC52"))
    return root


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Facts of two reports, and of a stranger's."""
    texts = {
        "CANARY-A1": "A nodule of 6 mm in the right upper lobe. No effusion.",
        "CANARY-A2": "The nodule in the right upper lobe has grown to 9 mm.",
        "stranger": "A new mass.",
    }
    root = tmp_path_factory.mktemp("facts")
    rows = [
        _fact("CANARY-A1", texts, "nodule", "right_upper_lobe", None, 6.0),
        _fact("CANARY-A1", texts, "effusion", None, None, None, existence="absent"),
        _fact("CANARY-A2", texts, "nodule", "right_upper_lobe", Change.LARGER, 9.0),
        _fact("stranger", texts, "mass", None, Change.NEW, None),
    ]
    files.write_table(root / "facts.parquet", pa.Table.from_pylist(rows, schema=tables.FACTS))
    files.write_json(root / "run.json", {})
    lines = "".join(f'{name},"{text}"\n' for name, text in texts.items())
    files.write_text(root / "reports.csv", f"AccessionNo,report_text\n{lines}")
    return root


def _fact(
    report: str, texts: dict[str, str], words: str, lobe: str | None, change: Change | None,
    size_mm: float | None, existence: str = "present",
) -> dict[str, object]:  # fmt: skip
    start = texts[report].index(words)
    return {
        "report_id": report, "section": "findings", "start": start, "end": start + len(words),
        "sentence": texts[report][:start].count("."), "text": words,
        "finding": {"effusion": "pleural_effusion"}.get(words, words), "existence": existence,
        "temporality": "current", "change": change, "hypothetical": False,
        "experiencer": "patient", "assessability": "full", "side": "right" if lobe else None,
        "lobe": lobe, "size_mm": size_mm, "size_below": False,
    }  # fmt: skip


@pytest.fixture(scope="module")
def out(patient: Path, facts: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    timeline(
        patient, model=model, out=out, facts=facts, report_texts=facts / "reports.csv", quiet=True
    )
    return out


def saved(out: Path, name: str = "timeline") -> Timeline:
    return Timeline.model_validate_json((out / f"{name}.json").read_text())


def test_studies_stand_in_order_and_only_like_series_are_compared(out: Path) -> None:
    made = saved(out)
    assert [study.day for study in made.studies] == [0, 69, 366]
    assert [len(study.reconstructions) for study in made.studies] == [2, 1, 1]
    assert made.repeatability is not None
    assert made.repeatability.pairs == 1
    for trace in made.traces:
        assert trace.noise is not None
        assert trace.noise >= made.repeatability.logits
        assert [len(of_study) for of_study in trace.reconstructions] == [2, 1, 1]
        shown = tuple(of_study[0] for of_study in trace.reconstructions)
        assert shown == trace.probabilities
        same, other = trace.changes
        assert (same.before, same.after) == (1, 2)
        assert same.verdict in (Verdict.HIGHER, Verdict.LOWER, Verdict.WITHIN_NOISE)
        assert other.verdict is Verdict.NOT_COMPARABLE
        assert other.why == ("kernel B30f, then FC52",)


def test_a_timeline_made_otherwise_is_replaced_with_restart_alone(
    out: Path, patient: Path, model: Path
) -> None:
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(InputError, match=r"other arguments .*--restart replaces it"):
        timeline(patient, model=model, out=out, quiet=True)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_studies_of_one_day_stand_in_order_of_time(model: Path, tmp_path: Path) -> None:
    def at(study: int, time: str) -> Callable[[Dataset], None]:
        def fill(image: Dataset) -> None:
            named(study, 1, "20200101", "B30f")(image)
            image.StudyTime = time

        return fill

    write_series(tmp_path / "scans" / "a", chest(), fill=at(1, "180000"))
    write_series(tmp_path / "scans" / "b", chest(), fill=at(2, "073000.5"))
    made = timeline(
        tmp_path / "scans", model=model, out=tmp_path / "out", identified=True, quiet=True
    )
    accessions = [study.reconstructions[0].scan.accession for study in made.studies]
    assert accessions == ["CANARY-A2", "CANARY-A1"]


def test_words_of_change_come_from_the_texts_and_are_quoted(out: Path) -> None:
    (track,) = saved(out).tracks
    assert (track.findings, track.side, track.lobe) == (("nodule",), "right", "right_upper_lobe")
    assert [(one.study, one.change, one.size_mm) for one in track.said] == [
        (1, None, 6.0), (2, Change.LARGER, 9.0),
    ]  # fmt: skip
    assert track.said[1].quote == "The nodule in the right upper lobe has grown to 9 mm."
    page = (out / "timeline.html").read_text()
    assert "has grown to 9 mm." in page
    assert INTENDED_USE in page
    assert "right upper lobe</small>" in page
    assert "stranger" not in page
    assert "new mass" not in page


def test_findings_that_the_same_words_name_share_a_row() -> None:
    texts = {"a": "A stable spiculated mass.", "b": "The mass is 12 mm. It is a stable lesion."}
    rows = [
        _fact("a", texts, "mass", "left_lower_lobe", Change.STABLE, None),
        {**_fact("a", texts, "mass", "left_lower_lobe", Change.STABLE, None), "finding": "lesion"},
        _fact("b", texts, "mass", "left_lower_lobe", None, 12.0),
        {**_fact("b", texts, "mass", None, Change.STABLE, None), "finding": "lesion"},
    ]
    made = [{**row, "prior_size_mm": None} for row in rows]
    found = [(one.findings, one.lobe, len(one.said)) for one in tracks(made, {"a": 1, "b": 2}, {})]
    assert sorted(found, key=str) == [
        (("lesion",), None, 1), (("mass", "lesion"), "left_lower_lobe", 2),
    ]  # fmt: skip


def test_nobody_is_named_unless_asked(out: Path, patient: Path, model: Path) -> None:
    everything = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    for identity in (*IDENTITIES.values(), "CANARY", "1.2.840.1", "20200101", "2020-01-01"):
        assert identity.encode() not in everything


def test_sixty_planted_identities_reach_no_timeline(
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def later(image: Dataset) -> None:
        plant(image)
        image.StudyDate, image.SeriesDate = "19890101", "19890101"
        image.StudyInstanceUID, image.SeriesInstanceUID = "1.2.840.9", "1.2.840.9.1"

    write_series(tmp_path / "in" / "CANARYONE", chest(), fill=plant)
    write_series(tmp_path / "in" / "CANARYTWO", chest(), fill=later)
    with caplog.at_level("DEBUG"):
        made = timeline(tmp_path / "in", model=model, out=tmp_path / "out")
    assert len(made.studies) == 2
    said = capsys.readouterr()
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    everything = b"".join(path.read_bytes() for path in written)
    shown = caplog.text + said.err + said.out.replace(str(tmp_path), "")
    assert b"CANARY" not in everything + shown.encode()
    for identity in ("19410203", "19871229", "19890101", "091807", "1.2.840.9"):
        assert identity.encode() not in everything


def test_a_report_with_priors_sets_the_scores_beside_each_other(
    patient: Path, model: Path, tmp_path: Path
) -> None:
    report(
        patient / "b", model=model, out=tmp_path, form="json", prior=[patient / "c"],
        identified=True, quiet=True,
    )  # fmt: skip
    made = saved(tmp_path, "over_time")
    dates = [study.reconstructions[0].scan.date for study in made.studies]
    assert dates == ["20200310", "20210101"]
    assert made.repeatability is None
    assert {change.verdict for trace in made.traces for change in trace.changes} == {
        Verdict.NOT_COMPARABLE
    }
    content = json.loads((tmp_path / "report.json").read_text())
    latest = {f["label"]: f["probability"] for f in content["findings"]}
    for trace in made.traces:
        assert trace.probabilities[0] == pytest.approx(latest[trace.label], abs=1e-6)


def test_a_scan_named_twice_is_no_repeat_of_itself(
    patient: Path, model: Path, tmp_path: Path
) -> None:
    report(patient / "b", model=model, out=tmp_path, form="json", prior=[patient], quiet=True)
    made = saved(tmp_path, "over_time")
    assert [len(study.reconstructions) for study in made.studies] == [2, 1, 1]
    report(patient / "b", model=model, out=tmp_path, form="json", prior=[patient / "b"], quiet=True)
    alone = saved(tmp_path, "over_time")
    assert [len(study.reconstructions) for study in alone.studies] == [1]
    assert alone.repeatability is None


def test_several_patients_or_no_dates_are_refused_in_one_line(model: Path, tmp_path: Path) -> None:
    thin = np.full((6, 16, 16), -800, np.int16)

    def other(image: Dataset) -> None:
        named(9, 1, "20200101", "B30f")(image)
        image.PatientID = "CANARY-OTHER"

    write_series(tmp_path / "two" / "a", thin, fill=named(1, 1, "20200101", "B30f"))
    write_series(tmp_path / "two" / "b", thin, fill=other)
    with pytest.raises(InputError, match="holds 2 patients") as refused:
        timeline(tmp_path / "two", model=model, out=tmp_path / "out", quiet=True)
    assert "CANARY" not in str(refused.value)
    for study in (1, 2):
        write_series(tmp_path / "undated" / f"{study}", thin, fill=named(study, 1, "", "B30f"))
    with pytest.raises(InputError, match="has no date"):
        timeline(tmp_path / "undated", model=model, out=tmp_path / "out", quiet=True)
    with pytest.raises(InputError, match="--facts"):
        timeline(tmp_path, model=model, out=tmp_path / "o", report_texts=tmp_path, quiet=True)


@pytest.mark.skipif(not TWO_KERNELS.exists(), reason="shared/data is not beside the repository")
def test_two_kernels_of_one_study_measure_the_noise(model: Path, tmp_path: Path) -> None:
    made = timeline(TWO_KERNELS, model=model, out=tmp_path, quiet=True)
    (study,) = made.studies
    assert [one.scan.kernel for one in study.reconstructions] == ["B", "L"]  # soft before sharp
    assert made.repeatability is not None
    assert made.repeatability.pairs == 1
    assert all(trace.changes == () for trace in made.traces)
    assert all(len(trace.reconstructions[0]) == 2 for trace in made.traces)
