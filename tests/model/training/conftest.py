"""What the tests of training share: narrow networks, and runs that nothing interrupted."""

from collections.abc import Iterator

import pytest

from model.training import Fitted
from tests.model.narrow import narrow_networks
from tests.model.training.lessons import PAIR, SMALL, fit_small


@pytest.fixture(scope="module", autouse=True)
def narrow() -> Iterator[None]:
    with narrow_networks():
        yield


@pytest.fixture(scope="module")
def unbroken(narrow: None, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """SMALL, trained from its start to its end."""
    return fit_small(tmp_path_factory.mktemp("unbroken"), SMALL)


@pytest.fixture(scope="module")
def pair(narrow: None, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """PAIR, trained from its start to its end."""
    return fit_small(tmp_path_factory.mktemp("pair"), PAIR)
