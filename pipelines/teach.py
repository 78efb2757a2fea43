"""`chestct teach`: from an archive and some judged reports to a neural stage beside the rules."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from configs.contracts import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from labeler.neural import Gold
    from pipelines.reports_in.rows import Report
    from pipelines.running.run import Rejected, Run


@dataclass(frozen=True, slots=True)
class Taught:
    """What `teach` wrote, and on what."""

    out: Path
    reports: int
    gold_reports: int
    gold_sentences: int = 0


def teach(
    reports: Path,
    *,
    out: Path,
    gold: Path | None = None,
    sentences: Path | None = None,
    convention: str = "ct_rate",
    configs: Path | None = None,
    encoder: str | None = None,
    online: bool = False,
    max_reports: int = 10_000,
    id_column: str | None = None,
    text_column: list[str] | None = None,
    encoding: str | None = None,
    gold_id_column: str | None = None,
    seed: int = 0,
    restart: bool = False,
    quiet: bool = False,
) -> Taught:
    """Teach a neural stage what the rules read in an archive, and to correct it by gold.

    OUT can then stand beside the rules: `chestct label --stage OUT`. It learns the archive's own
    words, so expect minutes on a CPU for some thousand reports.

    Parameters
    ----------
    reports
        The archive, as `chestct label` takes it.
    out
        The folder to write: `stage.json`, `weights.safetensors`, `tokenizer.json`.
    gold
        CSV or Parquet with an identifier and a column of 1, 0, -1 or blank for each label, for some
        reports of the archive; some hundreds are worth their reading. Without it, or --sentences,
        the stage only imitates the rules and cannot be fused with them.
    sentences
        Judged sentences: the folder that `chestct review --apply` wrote. They teach beside the
        reports with gold; probabilities are calibrated on reports, if any are judged.
    convention
        Whose labels are taught: `ct_rate` or another name, or a .yaml file.
    configs
        A folder of your own findings, cues and conventions, as `chestct label` takes it.
    encoder
        A Hugging Face encoder: a local folder, or a name that was downloaded before. If not given,
        a small BERT is made from the archive's own words.
    online
        Let the encoder be fetched from the hub.
    max_reports
        Learn from so many reports, drawn at random, and from all that have gold.
    id_column
        The archive's identifier column, if it has not one of the usual names.
    text_column
        The column with the text; repeat it for a text in several columns.
    encoding
        The archive's encoding, as `chestct label` takes it.
    gold_id_column
        The gold's identifier column, if it has not one of the usual names.
    seed
        Seed of all that is drawn.
    restart
        Replace a finished stage in OUT that was taught with other arguments.
    quiet
        Do not tell what is being done.
    """
    for path in (reports, gold, sentences):  # before what takes seconds to import
        if path is not None and not path.exists():
            raise InputError(f"{path}: no such file or folder")
    from labeler import load_labeler
    from labeler.neural import Recipe, save
    from labeler.neural import teach as teach_stage
    from labeler.neural.encoder import pretrained_encoder
    from pipelines.labelled.gold import read_gold, read_sentence_gold
    from pipelines.reports_in.archive import read_reports
    from pipelines.reports_in.options import ReadOptions
    from pipelines.reports_in.text_file import known_encoding
    from pipelines.running.progress import messages
    from pipelines.running.run import Run

    if max_reports < 1:
        raise InputError("--max-reports: at least one report")
    labeler = load_labeler(convention, configs)
    options = ReadOptions(
        id_column=id_column,
        text_columns=tuple(text_column or ()),
        encoding=known_encoding(encoding),
    )
    inputs = {"reports": reports, "gold": gold, "sentences": sentences, "configs": configs}
    settings = {
        "convention": convention,
        "encoder": encoder,
        "online": online,
        "max_reports": max_reports,
        "id_column": id_column,
        "text_column": text_column,
        "encoding": options.encoding,
        "seed": seed,
    }
    given = {name: path for name, path in inputs.items() if path is not None}
    run = Run("teach", out, given, settings, restart=restart)
    with run.alone():
        judged = read_gold(gold, labeler, gold_id_column) if gold else {}
        said = read_sentence_gold(sentences, labeler) if sentences else []
        chosen = _choose(run, read_reports(reports, options), judged, max_reports, seed)
        known = _gold_of(chosen, judged, gold, said)
        stage = teach_stage(
            labeler,
            convention,
            [report.text for report in chosen],
            known,
            None if encoder is None else pretrained_encoder(encoder, online=online),
            Recipe(seed=seed),
            tell=(lambda _: None) if quiet else (lambda told: messages.print(told, markup=False)),
        )
        gold_reports = len(known.texts) - known.sentences if known else 0
        run.counts.update(taught=len(chosen), gold=gold_reports, gold_sentences=len(said))
        with run:
            save(out, stage)
    return Taught(out, len(chosen), gold_reports, len(said))


def _choose(
    run: "Run",
    records: "Iterable[Report | Rejected]",
    judged: dict[str, "NDArray[np.float32]"],
    most: int,
    seed: int,
) -> "list[Report]":
    """All reports with gold, and a random sample of the others (reservoir sampling)."""
    import numpy as np

    from pipelines.reports_in.rows import Report

    rng = np.random.default_rng(seed)
    with_gold: list[Report] = []
    sample: list[Report] = []
    others = 0
    for record in records:
        run.counts["read"] += 1
        if not isinstance(record, Report):
            run.rejected.append(record)
        elif record.id in judged:
            with_gold.append(record)
        else:
            others += 1
            if len(sample) < most:
                sample.append(record)
            elif (place := int(rng.integers(others))) < most:
                sample[place] = record
    return [*with_gold, *sample]


def _gold_of(
    chosen: "list[Report]",
    judged: "dict[str, NDArray[np.float32]]",
    path: Path | None,
    said: "list[tuple[str, NDArray[np.float32]]]",
) -> "Gold | None":
    """The gold of the reports and sentences that have it.

    Raises InputError where gold fits no report.
    """
    import numpy as np

    from labeler.neural import Gold

    known = [(report.text, judged[report.id]) for report in chosen if report.id in judged]
    if path is not None and not known:
        raise InputError(
            f"{path}: names no report of the archive; do the identifiers have the same form? "
            "(--gold-id-column, --id-column)"
        )
    known += said
    if not known:
        return None
    texts = tuple(text for text, _ in known)
    return Gold(texts, np.stack([present_l for _, present_l in known]), len(said))
