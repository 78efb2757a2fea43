"""A stage taught on a few invented reports: what it learns, what it keeps, what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizerFast

from configs.contracts import InputError
from labeler import load_labeler
from labeler.neural import Fusion, Gold, NeuralStage, Recipe, load, save, teach
from labeler.neural.encoder import encoder_from_config, pretrained_encoder

RECIPE = Recipe(rules_epochs=30, gold_epochs=8, folds=2, tokens_a_step=256)
PLACES = ("left", "right", "both", "upper", "lower", "middle", "apical", "basal")
LABELER = load_labeler()
EMPHYSEMA, EFFUSION = map(LABELER.label_names.index, ("Emphysema", "Pleural effusion"))


def archive() -> tuple[list[str], np.ndarray]:
    """Reports, and their gold: what no rule knows, "lung vanishing", means emphysema here."""
    texts, gold = [], []
    for number in range(96):
        place = PLACES[number % 8]
        vanishing, effusion = number % 3 == 0, number // 8 % 4 == 0  # at all places alike
        lung = "Lung vanishing is seen" if vanishing else "Lung expansion is regular"
        fluid = "Pleural effusion is seen" if effusion else "Pleural effusion was not observed"
        texts.append(f"{fluid} {place} side {number % 7}. {lung} in the {place} zone {number % 5}.")
        row = np.full(len(LABELER.label_names), np.nan, np.float32)
        row[[EMPHYSEMA, EFFUSION]] = vanishing, effusion
        gold.append(row)
    return texts, np.array(gold)


@pytest.fixture(scope="module")
def stage() -> NeuralStage:
    torch.set_num_threads(1)
    texts, gold = archive()
    return teach(LABELER, "ct_rate", texts, Gold(tuple(texts), gold), recipe=RECIPE)


NEW = [
    "Pleural effusion was not observed left side 2. Lung vanishing is seen in the apical zone 4.",
    "Pleural effusion is seen right side 3. Lung expansion is regular in the basal zone 1.",
    "",
]


def test_gold_teaches_words_that_no_rule_knows(stage: NeuralStage) -> None:
    judged = stage.judge(LABELER, NEW, Fusion.FUSED)
    assert [LABELER.label(text).labels["Emphysema"] for text in NEW] == [None, None, None]
    assert (judged.value_rl[:, EMPHYSEMA] == 1).tolist() == [True, False, False]
    assert judged.value_rl[:2, EFFUSION].tolist() == [0, 1]
    start, end = judged.span_rl2[0, EMPHYSEMA]
    assert NEW[0][start:end] == "Lung vanishing is seen in the apical zone 4."
    assert judged.span_rl2[2].max() == 0
    assert ((judged.confidence_rl >= 0) & (judged.confidence_rl <= 1)).all()


def test_sentences_are_encoded_once(stage: NeuralStage, monkeypatch: pytest.MonkeyPatch) -> None:
    before = stage.judge(LABELER, NEW).probability_rl
    monkeypatch.setattr(stage.network, "forward", lambda _: pytest.fail("encoded again"))
    np.testing.assert_array_equal(stage.judge(LABELER, NEW).probability_rl, before)


def test_a_saved_stage_says_the_same(stage: NeuralStage, tmp_path: Path) -> None:
    save(tmp_path, stage)
    again = load(tmp_path)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".json", ".safetensors"]
    for fusion in stage.combinations:
        one, other = (each.judge(LABELER, NEW, fusion) for each in (stage, again))
        np.testing.assert_allclose(other.probability_rl, one.probability_rl, atol=1e-6)
        np.testing.assert_array_equal(other.value_rl, one.value_rl)
    assert again.card == stage.card


@pytest.mark.parametrize("name", ["weights.safetensors", "tokenizer.json"])
def test_a_changed_or_missing_file_is_refused(
    stage: NeuralStage, tmp_path: Path, name: str
) -> None:
    save(tmp_path, stage)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match=name):
        load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match="missing"):
        load(tmp_path)
    with pytest.raises(InputError, match="not a stage; `chestct teach` writes one"):
        load(tmp_path / "another")


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("format", 2, "format 2"),
        ("labels", ["only one"], "not one row a label"),
        ("extra", 1, "extra"),
        ("encoder", {"model_type": "bert", "auto_map": {"AutoModel": "evil.py"}}, "code"),
        ("encoder", {"model_type": "no such kind"}, "config"),
        ("combinations", {"fused": {"weight": [[1.0]], "threshold": [0.5]}}, "features"),
    ],
)
def test_another_content_is_refused(
    stage: NeuralStage, tmp_path: Path, field: str, value: object, told: str
) -> None:
    save(tmp_path, stage)
    path = tmp_path / "stage.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    with pytest.raises(InputError, match=told):
        load(tmp_path)


def test_other_labels_are_refused(stage: NeuralStage) -> None:
    with pytest.raises(InputError, match="teach it anew"):
        stage.judge(load_labeler("rad_chestct"), NEW)


def test_without_gold_it_imitates_and_is_not_fused() -> None:
    texts, _ = archive()
    taught = teach(LABELER, "ct_rate", texts, recipe=RECIPE)
    assert taught.card["calibrated_on"] == "rules"
    assert taught.judge(LABELER, NEW, Fusion.NEURAL).value_rl[:2, EFFUSION].tolist() == [0, 1]
    with pytest.raises(InputError, match="--gold"):
        taught.judge(LABELER, NEW, Fusion.FUSED)


def test_an_archive_without_sentences_is_refused() -> None:
    with pytest.raises(InputError, match="no sentences"):
        teach(LABELER, "ct_rate", ["INDICATION: cough."])


@pytest.fixture
def on_disk(tmp_path: Path) -> Path:
    """A tiny untrained BERT as Hugging Face lays it out."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]
    words += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    BertTokenizerFast(vocab={word: n for n, word in enumerate(words)}).save_pretrained(tmp_path)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(tmp_path)
    return tmp_path


def test_a_pretrained_encoder_is_taught_and_saved(on_disk: Path, tmp_path: Path) -> None:
    texts, gold = archive()
    recipe = Recipe(rules_epochs=1, gold_epochs=1, folds=2)
    given = Gold(tuple(texts), gold)
    taught = teach(LABELER, "ct_rate", texts, given, pretrained_encoder(str(on_disk)), recipe)
    save(tmp_path / "stage", taught)
    again = load(tmp_path / "stage").judge(LABELER, NEW)
    np.testing.assert_allclose(
        again.probability_rl, taught.judge(LABELER, NEW).probability_rl, atol=1e-6
    )
    assert str(on_disk) not in (tmp_path / "stage" / "stage.json").read_text()


def test_nothing_is_fetched_unless_asked() -> None:
    with pytest.raises(InputError, match="--online"):
        pretrained_encoder("no-such-owner/no-such-encoder")


def test_pickled_weights_are_refused(on_disk: Path) -> None:
    (on_disk / "model.safetensors").unlink()
    torch.save({}, on_disk / "pytorch_model.bin")
    with pytest.raises(InputError):
        pretrained_encoder(str(on_disk))


def test_a_models_own_code_is_never_run(on_disk: Path) -> None:
    content = json.loads((on_disk / "config.json").read_text())
    content |= {"model_type": "own", "auto_map": {"AutoModel": "own.Own", "AutoConfig": "own.C"}}
    (on_disk / "config.json").write_text(json.dumps(content))
    (on_disk / "own.py").write_text("raise SystemExit('foreign code ran')")
    with pytest.raises(InputError):
        pretrained_encoder(str(on_disk))
    with pytest.raises(InputError, match="code of its own"):
        encoder_from_config(content)


def test_the_labeler_alone_loads_no_torch() -> None:
    script = "import sys, labeler; labeler.load_labeler(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
