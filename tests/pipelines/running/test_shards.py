import os

import pytest

from pipelines.running.shards import map_records


def square(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_records(workers: int) -> None:
    results = list(map_records(square, range(30), workers=workers))
    assert [value for value, _ in results] == [n * n for n in range(30)]
    processes = {pid for _, pid in results}
    assert (os.getpid() in processes) == (workers == 1)


def fail_on_three(number: int) -> int:
    if number == 3:
        raise ValueError("three")
    return number


def test_an_exception_reaches_the_caller() -> None:
    with pytest.raises(ValueError, match="three"):
        list(map_records(fail_on_three, range(5), workers=2))
