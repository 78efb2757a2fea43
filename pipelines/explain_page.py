"""An explanation as one self-contained HTML page; everything from the report is escaped."""

from jinja2 import Environment

from pipelines.explain import Explanation, attributes, standing

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Report, explained</title>
<style>
  :root { color-scheme: light dark; }
  body { font: 16px/1.6 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
         padding: 0 1rem; }
  .report { white-space: pre-wrap; border: 1px solid #8886; border-radius: 8px; padding: 1rem; }
  mark { color: inherit; border-radius: 3px; padding: 0 1px; border-bottom: 2px solid;
         cursor: help; }
  .present { background: #d6304033; border-color: #d63040; }
  .absent { background: #2a8a4a33; border-color: #2a8a4a; }
  .uncertain { background: #d9a30055; border-color: #d9a300; }
  .prior { background: #3a6fd833; border-color: #3a6fd8; }
  .aside { background: #8883; border-color: #888; }
  .scope { border-color: #2a9db0; }
  table { border-collapse: collapse; width: 100%; margin: 1rem 0; font-size: .9rem; }
  th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884;
           vertical-align: top; }
  .key mark { margin-right: .8rem; }
</style>
</head>
<body>
<h1>Report, explained</h1>
<p class="key">{% for name in ["present", "absent", "uncertain", "prior", "scope", "aside"] %}\
<mark class="{{ name }}">{{ name }}</mark>{% endfor %}</p>
<div class="report">{% for piece in pieces %}{% if piece.kind %}\
<mark class="{{ piece.kind }}" title="{{ piece.about }}">{{ piece.text }}</mark>\
{% else %}{{ piece.text }}{% endif %}{% endfor %}</div>
{% for note in notes %}<p><strong>{{ note }}</strong></p>{% endfor %}
<h2>Labels ({{ convention }})</h2>
<table><tr><th>label</th><th>value</th></tr>
{% for label, value in labels %}<tr><td>{{ label }}</td>\
<td>{{ "blank" if value is none else value }}</td></tr>
{% endfor %}</table>
<h2>Facts</h2>
<table><tr><th>words</th><th>finding</th><th>existence</th><th>cue</th><th>attributes</th></tr>
{% for row in facts %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table>
</body>
</html>
"""


def page(explanation: Explanation) -> str:
    """The page of one report."""
    pieces = [
        {
            "text": text,
            "kind": standing(facts[0]) if facts else "",
            "about": "\n".join(
                f"{fact.finding}: {explanation.verdict(fact)}"
                + (f"; cue: {fact.cue}" if fact.cue else "")
                + f"; {attributes(fact)}"
                for fact in facts
            ),
        }
        for text, facts in explanation.stretches()
    ]
    rows = [
        (fact.text, fact.finding, explanation.verdict(fact), fact.cue or "", attributes(fact))
        for fact in explanation.report.facts
    ]
    template = Environment(autoescape=True).from_string(_PAGE)
    return template.render(
        pieces=pieces,
        notes=explanation.notes(),
        convention=explanation.convention,
        labels=list(explanation.report.labels.items()),
        facts=rows,
    )
