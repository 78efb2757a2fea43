import csv
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from configs.contracts import InputError
from configs.convention import load_convention
from pipelines.evaluating.held_out import learnt_rows, read_cohort, refuse_learnt
from pipelines.evaluating.protocol import Comparable, Protocol, check_terms, load_protocol
from pipelines.evaluating.reference import read_reference
from pipelines.training.teaching import digest_of
from tests.model.archive import write_cohort, write_labels
from tests.model.test_bundle import made

MAPPING = Path(__file__).parents[3] / "docs" / "rad-chestct-to-ct-rate.csv"


def cohort_of(folder: Path, *rows: tuple[str, str]) -> pd.DataFrame:
    """A cohort of (report, split) at `folder`."""
    frame = pd.DataFrame(rows, columns=["report_id", "split"])
    for name in ("volume", "scan", "patient"):
        frame[f"{name}_id"] = [f"{name}{i}" for i in range(len(frame))]
    write_cohort(folder, frame)
    return frame


def bundle_of(cohort: Path):
    bundle = made()
    sources = {"cohort": digest_of([cohort])}
    return replace(bundle, card=bundle.card.model_copy(update={"sources": sources}))


def check(bundle, cohort: Path, *, trained_on: tuple[Path, ...] = ()) -> None:
    frame = read_cohort(cohort)
    check_terms(Protocol.CT_RATE_VALID, cohort, frame, learnt_rows(bundle, cohort, trained_on))


def test_the_published_set_held_out_is_accepted_in_one_cohort_or_in_two(tmp_path):
    taught = [("train_1_a", "train"), ("train_2_a", "validation")]
    cohort_of(tmp_path / "both", *taught, ("valid_1_a", "test"))
    check(bundle_of(tmp_path / "both"), tmp_path / "both")
    cohort_of(tmp_path / "a", *taught)
    cohort_of(tmp_path / "b", ("valid_1_a", "test"))
    check(bundle_of(tmp_path / "a"), tmp_path / "b", trained_on=(tmp_path / "a",))


def test_choosing_on_the_published_set_is_refused(tmp_path):
    cohort_of(tmp_path, ("train_1_a", "train"), ("valid_2_a", "validation"), ("valid_1_a", "test"))
    with pytest.raises(InputError, match="calibrated on, 1 volumes of CT-RATE valid"):
        check(bundle_of(tmp_path), tmp_path)


def test_testing_on_other_scans_is_refused(tmp_path):
    cohort_of(tmp_path, ("train_1_a", "train"), ("train_2_a", "test"), ("valid_1_a", "test"))
    with pytest.raises(InputError, match="1 volumes of the test split are not of CT-RATE valid"):
        check(bundle_of(tmp_path), tmp_path)


def test_what_a_bundle_learnt_from_must_be_known(tmp_path):
    cohort_of(tmp_path / "a", ("valid_1_a", "test"))
    cohort_of(tmp_path / "b", ("train_1_a", "train"))
    cohort_of(tmp_path / "c", ("train_2_a", "train"))
    with pytest.raises(InputError, match="name the cohort that train used"):
        check(bundle_of(tmp_path / "b"), tmp_path / "a")
    with pytest.raises(InputError, match="not a cohort that the bundle learnt from"):
        check(bundle_of(tmp_path / "b"), tmp_path / "a", trained_on=(tmp_path / "c",))
    with pytest.raises(InputError, match="name the cohort that train used"):
        check(made(), tmp_path / "a")  # an older bundle, whose card has no digests


def test_recalibration_on_unknown_scans_is_refused(tmp_path):
    cohort_of(tmp_path, ("train_1_a", "train"), ("valid_1_a", "test"))
    bundle = bundle_of(tmp_path)
    sources = bundle.card.sources | {"recalibration cohort": "0" * 16}
    bundle = replace(bundle, card=bundle.card.model_copy(update={"sources": sources}))
    with pytest.raises(InputError, match="name the cohort that train used"):
        check(bundle, tmp_path)


def test_a_patient_that_was_learnt_from_is_refused(tmp_path):
    learnt = cohort_of(tmp_path / "a", ("r1", "train"), ("r2", "test"))
    tested = cohort_of(tmp_path / "b", ("r3", "test"), ("r1", "test"))
    rows = learnt_rows(bundle_of(tmp_path / "a"), tmp_path / "b", (tmp_path / "a",))
    assert list(rows["report_id"]) == ["r1"]
    with pytest.raises(InputError, match="learnt from 1 reports"):
        refuse_learnt(rows, tmp_path / "b", tested)
    with pytest.raises(InputError, match="learnt from 1 patients"):
        refuse_learnt(rows, tmp_path / "b", tested[:1])  # patient0 under another report
    assert len(learnt) == 2


def test_rad_chestct_may_be_another_cohort(tmp_path):
    frame = cohort_of(tmp_path, ("trn00001", "test"), ("tst00002", "test"))
    check_terms(Protocol.RAD_PUBLIC, tmp_path, frame, None)


def test_the_mapping_is_the_documented_one():
    documented: dict[str, list[str]] = {}
    with MAPPING.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["ct_rate"]:
                documented.setdefault(row["ct_rate"], []).append(row["rad_chestct"])
    terms = load_protocol(Protocol.RAD_PUBLIC)
    assert {name: sorted(v) for name, v in (terms.mapping or {}).items()} == {
        name: sorted(v) for name, v in documented.items()
    }
    assert len(documented) == terms.labels
    assert set(documented) <= set(load_convention("ct_rate").labels)


def test_a_hidden_test_set_is_never_comparable():
    rows = load_protocol(Protocol.CT_RATE_VALID).rows
    assert {row.comparable for row in rows if "hidden" in row.test_set} == {Comparable.NO}


def test_a_mapped_label_is_present_where_any_of_its_columns_is(tmp_path):
    frame = pd.DataFrame({"report_id": list("abcd"), "scarring": [1, 0, 0, 0]})
    frame["fibrosis"] = pd.array([0, 1, None, 0], dtype="Int8")
    write_labels(tmp_path, frame)
    mapping = {"Fibrotic": ["scarring", "fibrosis"], "Mosaic": []}
    found = read_reference("labels", tmp_path, ("ct_rate:Mosaic", "ct_rate:Fibrotic"), mapping)
    assert found.labels == ("ct_rate:Fibrotic",)
    assert found.columns == (1,)
    assert found.frame["ct_rate:Fibrotic"].tolist() == [1, 1, 0, 0]


def test_the_table_says_which_of_several_conventions_it_judges(tmp_path):
    write_labels(tmp_path, pd.DataFrame({"report_id": ["a"], "mass": [1], "Emphysema": [0]}))
    labels = ("ct_rate:Emphysema", "rad_chestct:mass")
    files_run = tmp_path / "run.json"
    files_run.write_text('{"verb": "label", "config": {"convention": "rad_chestct"}}')
    found = read_reference("labels", tmp_path, labels)
    assert (found.labels, found.columns) == (("rad_chestct:mass",), (1,))
    assert found.source == "read from reports by chestct"
