# ruff: noqa: RUF001 - other languages have their own letters
"""Reports in other languages are told from English ones, however terse."""

import csv
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.reports_in.archive import read_reports
from pipelines.reports_in.language import is_english
from pipelines.reports_in.options import ReadOptions
from pipelines.reports_in.rows import Report

REAL = Path(__file__).parents[4] / "shared" / "data" / "reports"

OTHER_LANGUAGES = """
Akciğer parankiminde nodül saptanmadı. Plevral efüzyon yoktur.
Her iki akciğerde amfizem izlendi.
Toraks BT: Kalp boyutları normaldir.
AKCIGER PARANKIMI DOGAL
Mediastinal lenf nodu izlenmedi.
Lungen frei.
Kein Pleuraerguss, kein Pneumothorax. Herz normal groß.
Unauffälliger Befund.
Rundherd im rechten Oberlappen, 8 mm.
LUNGE UNAUFFAELLIG. KEIN ERGUSS.
Zustand nach Lobektomie links. Narbige Veränderungen basal.
Pas d'épanchement pleural. Poumons clairs.
Nodule de 6 mm du lobe supérieur droit.
Examen normal.
Absence de foyer parenchymateux. Silhouette cardiaque normale.
PAS DE CONDENSATION. PAS D EPANCHEMENT.
No se observa derrame pleural. Pulmones normales.
Tórax normal.
Nódulo pulmonar de 5 mm en lóbulo superior derecho.
Sin alteraciones.
No hay neumotorax ni derrame pleural.
Ausência de derrame pleural. Pulmões sem alterações.
Nódulo no lobo superior direito medindo 5 mm.
Campos pulmonares livres.
Non versamento pleurico. Polmoni nella norma.
Nodulo polmonare di 5 mm al lobo superiore destro.
Non lesioni pleuro-parenchimali in atto.
Geen pleuravocht. Longen zonder afwijkingen.
Nodus in de rechter bovenkwab van 5 mm.
Geen infiltraat.
Nie stwierdza się płynu w jamach opłucnowych. Płuca bez zmian ogniskowych.
Guzek 5 mm w płacie górnym prawego płuca.
Serce niepowiększone.
Лёгкие без очаговых и инфильтративных изменений.
Плевральный выпот не определяется.
双肺纹理清晰，未见明显异常密度影。
右肺上叶见一结节，直径约5mm。
両肺に異常なし。胸水なし。
폐 결절 없음. 흉수 없음.
لا يوجد انصباب جنبي
Δεν υπάρχει πλευριτική συλλογή
לא נראה תפליט פלאורלי
Fără revărsat pleural. Plămâni normali.
Plíce bez ložiskových změn. Bez výpotku.
Inga förtätningar. Ingen pleuravätska.
Lungene er uden fortætninger. Ingen pleuravæske.
Ei pleuranestettä. Keuhkot normaalit.
A tüdőkben kóros eltérés nem látható. Pleurális folyadék nincs.
Tidak tampak efusi pleura. Paru dalam batas normal.
Không thấy tràn dịch màng phổi. Tim kích thước bình thường.
Pneumothorax: nein. Erguss: nein. Konsolidierung: nein.
Derrame pleural bilateral.
Cardiomegalia. Derrame pleural.
Kardiomegali. Plevral effüzyon.
Kopciğer ödemi. Bilateral plevral sıvı.
Emfizem. Fibrotik değişiklikler.
Kardiomegalie. Stauung.
Calcificaciones coronarias. Enfisema.
Opacité en verre dépoli bilatérale.
Kontrastsız toraks BT incelemesi: Bilateral plevral effüzyon mevcuttur.
Es besteht ein kleiner Pleuraerguss rechts ohne Stauungszeichen.
On note un épanchement pleural gauche de faible abondance.
Se evidencia nódulo sólido en segmento apical.
Área cardíaca aumentada. Sem derrame.
Si apprezza versamento pleurico bilaterale.
Er is sprake van pleuravocht links.
Widoczne zmiany zapalne w prawym płucu.
Определяется очаг в верхней доле правого лёгкого.
左肺下叶可见磨玻璃影。
""".strip().splitlines()

MIXED = """
Les poumons sont clairs. Heart size is normal. Le cœur est de taille normale.
Akciğerler normal. The lungs are clear. Plevral efüzyon yok. There is no pleural effusion.
FINDINGS: Akciğer parankiminde nodül izlenmedi. Plevral efüzyon yok. IMPRESSION: Normal.
Findings: Es zeigt sich kein Nachweis eines Pleuraergusses. Impression: unauffällig.
""".strip().splitlines()

ENGLISH = """
Lungs clear.
No effusion.
Normal.
NORMAL CHEST CT.
No acute disease.
LUNGS CLEAR. HEART NORMAL. NO EFFUSION
No PE.
Unremarkable.
Neg.
WNL
No change.
5 mm RUL nodule, stable.
Cardiomegaly. Pleural effusions.
Emphysema. Atelectasis.
No pneumothorax.
RUL GGO 5mm, f/u 6 mo
s/p CABG. Mild CM. No PTX.
Lnugs claer, no efusion or pnuemothorax
Bilat pl eff, R>L.  LLL atx. ETT ok.
No PTX
PPM leads intact. DJD T-spine.
Hiatal hernia. Diverticulosis.
No suspicious nodules per Fleischner.
Dr. Müller, Universitätsklinikum Heidelberg. CT chest: The lungs are clear. No pleural effusion.
COVID-19 pneumonia
No definite CT evidence of pulmonary embolism
NAD
S/P left upper lobectomy
Tiny nodules
Mild cardiomegaly
Centrilobular emphysema
Interval increase in size of RLL mass
""".strip().splitlines()


@pytest.mark.parametrize("text", OTHER_LANGUAGES)
def test_other_languages_are_not_english(text: str) -> None:
    assert not is_english(text)
    assert not is_english(f"{text}\n{text}".upper())


@pytest.mark.parametrize("text", MIXED)
def test_a_good_part_in_another_language_is_enough(text: str) -> None:
    assert not is_english(text)


@pytest.mark.parametrize("text", ENGLISH)
def test_terse_capital_and_misspelt_english_is_english(text: str) -> None:
    assert is_english(text)
    assert is_english(text.upper())


@given(st.text())
def test_any_text_gives_an_answer(text: str) -> None:
    assert is_english(text) in (True, False)


def test_another_language_is_rejected_and_never_labelled(tmp_path: Path) -> None:
    archive = tmp_path / "a.csv"
    archive.write_text("report_id,report_text\n1,Lungs clear.\n2,Lungen frei.\n", encoding="utf-8")
    records = list(read_reports(archive))
    assert [getattr(record, "reason", "") for record in records] == ["", "LANGUAGE"]
    assert "Lungen" not in str(records[1])
    kept = read_reports(archive, ReadOptions(any_language=True))
    assert [record.id for record in kept if isinstance(record, Report)] == ["1", "2"]


def swapped(text: str) -> str:
    """Every seventh word with two letters swapped."""
    words = text.split(" ")
    for number in range(0, len(words), 7):
        words[number] = re.sub(r"^(\w)(\w)(\w)", r"\1\3\2", words[number])
    return " ".join(words)


@pytest.mark.skipif(not REAL.exists(), reason="the real reports do not lie beside the repository")
@pytest.mark.parametrize("name", ["ct_rate_train.csv", "openi_train.csv"])
def test_no_real_english_report_is_rejected(name: str) -> None:
    with (REAL / name).open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    texts = [row.get("report_text") or f"{row['findings']}\n{row['impression']}" for row in rows]
    texts = [text for text in texts if text.strip()]
    assert len(texts) > 500
    for change in (str, str.upper, swapped):
        assert [text for text in map(change, texts) if not is_english(text)] == []
