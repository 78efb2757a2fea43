from types import ModuleType

import pandas as pd
import pytest

from tests.benchmarks.script import load_script


@pytest.fixture(scope="module")
def openi() -> ModuleType:
    return load_script("openi")


def test_gold_reads_terms_and_their_first_qualifier(openi: ModuleType) -> None:
    mesh = pd.Series(
        ["Opacity/lung/base/left;Pulmonary Atelectasis", "Cardiac Shadow/enlarged/mild", "normal"]
    )
    gold = openi.gold(mesh)
    assert gold["opacity"].tolist() == [True, False, False]
    assert gold["atelectasis"].tolist() == [True, False, False]
    assert gold["cardiomegaly"].tolist() == [False, True, False]


def test_gold_does_not_take_a_term_for_one_that_begins_alike(openi: ModuleType) -> None:
    gold = openi.gold(pd.Series(["Cardiac Shadow/prominent", "Nodules", "Granulomatous Disease"]))
    assert gold["cardiomegaly"].tolist() == [False, False, False]
    assert gold["nodule"].tolist() == [False, False, False]
    assert gold["granuloma"].tolist() == [False, False, True]


def test_table_leaves_rare_labels_out(openi: ModuleType) -> None:
    n = openi.MIN_POSITIVE
    truth = pd.DataFrame({label: [False] * (2 * n) for label in openi.TERMS})
    guess = truth.copy()
    truth["nodule"] = [True] * n + [False] * n
    guess["nodule"] = [True] * (n // 2) + [False] * (2 * n - n // 2)
    truth.loc[0, "opacity"] = True
    table = openi.table(truth, guess)
    assert table["label"].tolist() == ["nodule"]
    assert table["precision"].item() == 1.0
    assert table["recall"].item() == pytest.approx((n // 2) / n)


def test_labels_are_those_of_the_convention(openi: ModuleType) -> None:
    reports = pd.DataFrame(
        {"findings": ["No pneumothorax. Heart is enlarged."], "impression": [None]}
    )
    predicted = openi.predicted(reports)
    assert list(predicted) == list(openi.TERMS)
    assert predicted["cardiomegaly"].item()
    assert not predicted["pneumothorax"].item()
