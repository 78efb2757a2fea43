"""The sentence sheet for Label Studio: tasks, the labelling interface, and its JSON export.

See labelstud.io/guide/tasks (format of tasks and predictions) and /tags/choices.
"""

from typing import Any
from xml.sax.saxutils import quoteattr

from pipelines.reviewing.sheet import SENTENCES, Sheet

_VALUES = {"present": 1, "absent": 0, "uncertain": -1}


class ExportError(Exception):
    """A JSON list that is no export of these tasks."""


def interface(labels: tuple[str, ...]) -> str:
    """The labelling interface (XML): under each value, the labels that have it."""
    choices = "".join(f"    <Choice value={quoteattr(label)}/>\n" for label in labels)
    groups = "".join(
        f'  <Header value="{name}"/>\n'
        f'  <Choices name="{name}" toName="text" choice="multiple" showInline="true">\n'
        f"{choices}  </Choices>\n"
        for name in _VALUES
    )
    return (
        '<View>\n  <Text name="before" value="$before"/>\n  <Text name="text" value="$text"/>\n'
        '  <Text name="after" value="$after"/>\n'
        f'  <Text name="why" value="$why"/>\n{groups}</View>\n'
    )


def tasks(sheet: Sheet) -> list[dict[str, Any]]:
    """A task an item, with the rules' reading as its prediction."""
    return [
        {
            "data": {
                "id": item.id,
                "worksheet": sheet.worksheet,
                "text": item.text,
                "before": item.before,
                "after": item.after,
                "reports": item.reports,
                "why": " ".join(item.why),
            },
            "predictions": [
                {
                    "model_version": "rules",
                    "result": [
                        {
                            "from_name": name,
                            "to_name": "text",
                            "type": "choices",
                            "value": {"choices": chosen},
                        }
                        for name, value in _VALUES.items()
                        if (chosen := [one for one, said in item.proposal.items() if said == value])
                    ],
                }
            ],
        }
        for item in sheet.items
    ]


def from_export(content: list[Any]) -> dict[str, Any]:
    """Decisions from an export; a skipped task is one that cannot be decided.

    Of several annotations of a task the last counts. Raises ExportError.
    """
    decisions = []
    worksheets = set()
    for number, task in enumerate(content, 1):
        try:
            annotations = task["annotations"]
            worksheets.add(str(task["data"]["worksheet"]))
            if annotations:
                decisions.append({"id": task["data"]["id"], **_decision(annotations[-1])})
        except (KeyError, TypeError, IndexError):
            raise ExportError(
                f"task {number} is not as Label Studio's JSON export has it"
            ) from None
    if len(worksheets) != 1:
        raise ExportError("holds no tasks of one worksheet")
    return {
        "format": 1,
        "worksheet": worksheets.pop(),
        "sheet": SENTENCES,
        "reader": "Label Studio",
        "decisions": decisions,
    }


def _decision(annotation: dict[str, Any]) -> dict[str, Any]:
    if annotation.get("was_cancelled"):
        return {"verdict": "unsure"}
    labels: dict[str, int] = {}
    for result in annotation["result"]:
        for label in result["value"]["choices"]:
            if label in labels:
                raise ExportError(f"a task has two values of {label!r}")
            labels[label] = _VALUES[result["from_name"]]
    return {"verdict": "judged", "labels": labels}
