"""HL7 v2 messages for the tests, segment by segment."""

TEXT = "The lungs are clear. No pleural effusion."


def header(kind: str = "ORU^R01", charset: str = "", time: str = "20240102030405") -> str:
    return f"MSH|^~\\&|RIS|H|EMR|H|{time}||{kind}|1|P|2.5||||||{charset}"


def order(
    accession: str = "00123", exam: str = "71260^CT CHEST W CONTRAST^CPT", status: str = "F"
) -> str:
    fields = ["OBR", "1", "P9", f"{accession}^RIS", exam, "", "", "20240101"]
    return "|".join([*fields, *[""] * 14, "20240102", "", "CT", status])


def result(text: str, kind: str = "TX", name: str = "71260&GDT^Report", status: str = "F") -> str:
    return f"OBX|1|{kind}|{name}||{text}||||||{status}"


def message(*segments: str) -> str:
    return "\r".join(segments) + "\r"
