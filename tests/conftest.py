"""What tests of several packages share."""

from pathlib import Path

import pytest

FINDING = """
snow_globe:
  name: Snow globe
  definition: Invented for tests.
  group: lung
  phrases: [snow globe]
  examples: {positive: [A snow globe is seen.], negative: [No snow globe.]}
"""
CONVENTION = """
about: Invented for tests.
binary: {uncertain: 1, blank: 0}
labels:
  Globe: {findings: [snow_globe]}
"""


@pytest.fixture
def own_configs(tmp_path: Path) -> Path:
    """A site's own configs: the finding `snow_globe`, and the convention `own` with its label."""
    own = tmp_path / "own"
    for kind, text in (("findings", FINDING), ("conventions", CONVENTION)):
        (own / kind).mkdir(parents=True)
        (own / kind / "own.yaml").write_text(text, encoding="utf-8")
    return own
