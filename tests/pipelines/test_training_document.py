"""docs/training.md from CT-RATE's download to an evaluation on RAD-ChestCT, line by line."""

import re
import shlex
from pathlib import Path
from string import Template

import pandas as pd
import pytest

from configs.training import RECIPES
from model import bundle as bundles
from pipelines.cli import app
from tests.model.narrow import narrow_networks
from tests.pipelines.datasets.published import SAID, write_ct_rate, write_rad_chestct

DOCUMENT = Path(__file__).parents[2] / "docs" / "training.md"
HEADING = "## From CT-RATE's download to an evaluation on RAD-ChestCT"


def commands() -> list[str]:
    """The lines of the section's blocks, continuations joined."""
    section = DOCUMENT.read_text(encoding="utf-8").split(HEADING)[1].split("\n## ")[0]
    blocks = re.findall(r"^```\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    return "".join(blocks).replace("\\\n", " ").splitlines()


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the lines make, followed in an empty folder with small files in both layouts."""
    root = tmp_path_factory.mktemp("download")
    write_ct_rate(root / "CT-RATE", train=16, valid=4)
    write_rad_chestct(root / "RAD-ChestCT", scans=3)
    epoch = (RECIPES / "quick.yaml").read_text().replace("epochs: 4", "epochs: 1")
    (root / "short.yaml").write_text(epoch)
    values = {
        "CT_RATE": root / "CT-RATE" / "dataset", "RAD": root / "RAD-ChestCT",
        "WORK": root / "work", "PROFILE": "tiny", "RECIPE": root / "short.yaml",
    }  # fmt: skip
    exported = set(re.findall(r"(\w+)=", " ".join(c for c in commands() if "export" in c)))
    assert exported == set(values)
    (root / "work" / "store").mkdir(parents=True)  # with this key a tenth of 16 patients are three
    (root / "work" / "store" / "id.key").write_text("44" * 32)
    (root / "empty").mkdir()
    with pytest.MonkeyPatch.context() as patch, narrow_networks():
        patch.chdir(root / "empty")
        for line in commands():
            program, *arguments = shlex.split(Template(line).substitute(values))
            if program == "chestct":
                app(arguments, result_action="return_value")
            else:
                assert program == "export"
    assert not list((root / "empty").iterdir())
    return root / "work"


def test_the_lines_lead_to_a_bundle_of_what_the_reports_say(work):
    bundle = bundles.load(work / "bundle")
    assert {label.partition(":")[2] for label in bundle.labels} == set(SAID)
    counts = bundle.card.counts
    assert counts["train"].scans + counts["validation"].scans == 16
    assert counts["train"].volumes + counts["validation"].volumes == 20
    assert bundle.card.training_data == "patients"


@pytest.mark.parametrize(
    ("name", "scans", "said"),
    [
        ("valid", "4 scans", "5 of 3039 volumes; 2 of 18 labels"),
        ("rad", "3 scans", "3 of 3630 volumes; 2 of 16 labels; labels mapped by our own table"),
    ],
)
def test_each_evaluation_stands_beside_the_published_figures(work, name, scans, said):
    table = pd.read_csv(work / f"{name}_evaluation" / "protocol.csv")
    own = table.iloc[0]
    assert (own["system"], own["n"], own["note"]) == ("this bundle, per scan", scans, said)
    assert own["label_source"] == "as published with the data set"
    assert own["comparable"] == "no"
    assert len(table) > 3
    assert table[["test_set", "n", "label_source", "comparable"]].notna().all(axis=None)
