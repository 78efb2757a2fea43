"""A child that computes: what it starts ends with it, and holds up no call."""

import os
import pickle
import time

import pytest

from pipelines.running.child import Child, ChildCrashedError, ChildHungError


def fork_and(hang: bool, own_session: bool) -> int:
    """Leave a grandchild that holds the pipes open; then hang, or crash."""
    if not os.fork():
        if own_session:
            os.setsid()
        time.sleep(20)
        os._exit(0)
    if hang:
        time.sleep(20)
    os._exit(3)


@pytest.mark.parametrize("own_session", [False, True])
def test_a_grandchild_does_not_outlast_a_deadline(own_session: bool) -> None:
    with Child(lambda own_session: fork_and(True, own_session)) as child:
        began = time.monotonic()
        with pytest.raises(ChildHungError):
            child.call(pickle.dumps(own_session), 1.0)
    assert time.monotonic() - began < 15  # the grandchild holds the pipes for 20 s


def test_a_grandchild_does_not_hide_a_crash() -> None:
    with Child(lambda own_session: fork_and(False, own_session)) as child:
        began = time.monotonic()
        with pytest.raises(ChildCrashedError):
            child.call(pickle.dumps(True), 60.0)
    assert time.monotonic() - began < 15


def test_a_child_starts_again_and_answers_at_length() -> None:
    with Child(lambda size: os._exit(3) if size < 0 else bytes(size)) as child:
        assert len(child.call(pickle.dumps(5_000_000), 60.0)) == 5_000_000
        with pytest.raises(ChildCrashedError):
            child.call(pickle.dumps(-1), 60.0)
        assert child.call(pickle.dumps(3), 60.0) == bytes(3)
