"""Section heads by their codes (DICOM PS3.16 CID 7001, LOINC) or HL7's suffixes of OBX-3."""

import re

_HEADS = {
    "CLINICAL HISTORY": ("121060", "11329-0", "11348-0"),
    "INDICATION": ("121062", "55115-0", "18785-6", "42349-1"),
    "TECHNIQUE": ("121064", "55111-9", "TCM"),
    "COMPARISON": ("121066", "121068", "55114-3", "18834-2"),
    "FINDINGS": ("121070", "59776-5", "18782-3", "GDT", "DEV"),
    "IMPRESSION": ("121072", "121076", "19005-8", "55110-1", "55112-7", "IMP"),
    "RECOMMENDATION": ("121074", "18783-1", "REC"),
    "ADDENDUM": ("121078", "55107-7", "ADT"),
}
_HEAD_OF = {code: head for head, codes in _HEADS.items() for code in codes}
_WORDS = {
    "findings": "FINDINGS",
    "finding": "FINDINGS",
    "impression": "IMPRESSION",
    "impressions": "IMPRESSION",
    "conclusion": "IMPRESSION",
    "history": "CLINICAL HISTORY",
    "clinical history": "CLINICAL HISTORY",
    "indication": "INDICATION",
    "technique": "TECHNIQUE",
    "comparison": "COMPARISON",
    "recommendation": "RECOMMENDATION",
    "recommendations": "RECOMMENDATION",
    "addendum": "ADDENDUM",
}


_ADDENDUM = re.compile(r"\W{0,20}addend(?:um|a)\b", re.IGNORECASE)


def opens_as_addendum(text: str) -> bool:
    """Whether a text's first word says that it is an addendum.

    >>> opens_as_addendum("*** Addendum #1 ***"), opens_as_addendum("No addendum.")
    (True, False)
    """
    return _ADDENDUM.match(text) is not None


def head_of(*codes_and_words: str) -> str | None:
    """The head that one of the codes or names stands for, or None.

    >>> head_of("19005-8"), head_of("71260", "CT chest"), head_of("Impressions")
    ('IMPRESSION', None, 'IMPRESSION')
    """
    for name in codes_and_words:
        head = _HEAD_OF.get(name.strip()) or _WORDS.get(name.strip().lower())
        if head:
            return head
    return None


def under(head: str | None, text: str) -> str:
    """The text under a head, unless it begins with that head itself or as an addendum."""
    if head is None or text.lstrip().upper().startswith(head) or opens_as_addendum(text):
        return text
    return f"{head}:\n{text}"
