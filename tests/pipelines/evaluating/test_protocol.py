import csv
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from configs.contracts import InputError
from configs.convention import load_convention
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


def test_the_published_set_held_out_of_this_very_training_is_accepted(tmp_path):
    frame = cohort_of(
        tmp_path, ("train_1_a", "train"), ("train_2_a", "validation"), ("valid_1_a", "test")
    )
    check_terms(Protocol.CT_RATE_VALID, bundle_of(tmp_path), tmp_path, frame)


def test_choosing_on_the_published_set_is_refused(tmp_path):
    frame = cohort_of(
        tmp_path, ("train_1_a", "train"), ("valid_2_a", "validation"), ("valid_1_a", "test")
    )
    with pytest.raises(InputError, match="hold the published test set out"):
        check_terms(Protocol.CT_RATE_VALID, bundle_of(tmp_path), tmp_path, frame)


def test_testing_on_other_scans_is_refused(tmp_path):
    frame = cohort_of(
        tmp_path, ("train_1_a", "train"), ("train_2_a", "test"), ("valid_1_a", "test")
    )
    with pytest.raises(InputError, match="1 volumes of the test split are not of CT-RATE valid"):
        check_terms(Protocol.CT_RATE_VALID, bundle_of(tmp_path), tmp_path, frame)


def test_another_cohort_than_the_bundle_learnt_from_is_refused(tmp_path):
    frame = cohort_of(tmp_path / "a", ("train_1_a", "train"), ("valid_1_a", "test"))
    cohort_of(tmp_path / "b", ("valid_1_a", "train"))
    with pytest.raises(InputError, match="not the cohort that the bundle learnt from"):
        check_terms(Protocol.CT_RATE_VALID, bundle_of(tmp_path / "b"), tmp_path / "a", frame)


def test_recalibration_on_other_scans_is_refused(tmp_path):
    frame = cohort_of(tmp_path, ("train_1_a", "train"), ("valid_1_a", "test"))
    bundle = bundle_of(tmp_path)
    sources = bundle.card.sources | {"recalibration cohort": "0" * 16}
    bundle = replace(bundle, card=bundle.card.model_copy(update={"sources": sources}))
    with pytest.raises(InputError, match="not the cohort"):
        check_terms(Protocol.CT_RATE_VALID, bundle, tmp_path, frame)


def test_rad_chestct_may_be_another_cohort(tmp_path):
    frame = cohort_of(tmp_path, ("trn00001", "test"), ("tst00002", "test"))
    check_terms(Protocol.RAD_PUBLIC, made(), tmp_path, frame)


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
