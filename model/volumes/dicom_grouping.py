"""Which planes of a DICOM series belong together: kernels, phases and copies told apart."""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable
from functools import partial
from hashlib import sha256
from itertools import pairwise

import numpy as np

from model.volumes.dicom_header import Slice
from model.volumes.dicom_pixels import FileContent, to_hu
from model.volumes.geometry import stack_slices
from model.volumes.volume import VolumeError

_MINOR_SHARE = 0.25
_SAME_DIRECTION = 0.05  # planes whose cosines differ by less belong to one stack
_SHORTEST_STACK = 3
_LONG_PAUSE_S = 2.0
_LONG_PAUSE_RATIO = 4.0


def group_planes(planes: list[Slice]) -> tuple[list[list[Slice]], tuple[str, ...]]:
    """Split by orientation and kernel, then by acquisition where two fill the same space.

    Returns the groups, each to be judged as a stack, and warnings of what was left out.
    """
    directions: list[tuple[float, ...]] = []
    by_kind = _split(planes, lambda plane: (_direction(plane, directions), plane.kernel))
    largest = max(len(group) for group in by_kind)
    minor = [group for group in by_kind if len(group) < _MINOR_SHARE * largest]
    groups = [group for group in by_kind if len(group) >= _MINOR_SHARE * largest]
    warnings: tuple[str, ...] = ()
    if minor:
        count = sum(map(len, minor))
        warnings = (f"{count} images of another orientation or kernel left out",)
    parts: list[list[Slice]] = []
    for group in groups:
        single, dropped = _without_copies(group)
        if dropped:
            warnings += (f"{dropped} identical copies of images dropped",)
        parts += _by_acquisition(single)
    if len(parts) > 1:
        warnings += (f"the series holds {len(parts)} reconstructions or phases",)
    return parts, warnings


def _split(planes: Iterable[Slice], key: Callable[[Slice], Hashable]) -> list[list[Slice]]:
    groups: dict[Hashable, list[Slice]] = defaultdict(list)
    for plane in planes:
        groups[key(plane)].append(plane)
    return list(groups.values())


def _direction(plane: Slice, known: list[tuple[float, ...]]) -> int:
    """The number of the known orientation that a plane shares; a new one is added."""
    cosines = plane.orientation
    assert cosines is not None
    for number, other in enumerate(known):
        if max(abs(a - b) for a, b in zip(cosines, other, strict=True)) < _SAME_DIRECTION:
            return number
    known.append(cosines)
    return len(known) - 1


def _place(plane: Slice) -> tuple[float, ...]:
    assert plane.position is not None
    return tuple(round(millimetre, 2) for millimetre in plane.position)


def _without_copies(planes: list[Slice]) -> tuple[list[Slice], int]:
    """Keep one of several images with the same position and the same HU."""
    kept: list[Slice] = []
    for same_place in _split(planes, _place):
        if len(same_place) == 1:
            kept += same_place
            continue
        distinct: dict[bytes, Slice] = {}
        for plane in same_place:
            distinct.setdefault(sha256(_read_plane(plane).tobytes()).digest(), plane)
        kept += distinct.values()
    return kept, len(planes) - len(kept)


def _by_acquisition(planes: list[Slice]) -> list[list[Slice]]:
    """Split by what tells acquisitions apart, when positions are taken more than once."""
    layers = max(Counter(map(_place, planes)).values())
    if layers == 1:
        return _disentangled(planes)
    ways = [partial(_acquisition, tell=tell) for tell in range(len(planes[0].acquisition))]
    for way in ways:
        groups = _split(planes, way)
        if _are_stacks(groups, layers):
            return groups
    for groups in (_split(planes, lambda plane: plane.image_type), _by_time(planes, layers)):
        if _are_stacks(groups, layers):
            return groups
    return [planes]  # nothing tells them apart: the stack will be refused


def _acquisition(plane: Slice, tell: int) -> str:
    return plane.acquisition[tell]


def _disentangled(planes: list[Slice]) -> list[list[Slice]]:
    """Split what lies between the slices of another acquisition without sharing a place with it.

    Two phases half a step apart look like one stack of half the step. Consecutive acquisitions,
    as a table that moves between rotations makes them, do not reach into each other.
    """
    tells: list[Callable[[Slice], Hashable]] = [
        partial(_acquisition, tell=tell) for tell in range(len(planes[0].acquisition))
    ]
    tells += [lambda plane: round(plane.thickness or 0.0, 2), lambda plane: plane.image_type]
    splits = [_split(planes, tell) for tell in tells] + [_by_long_pause(planes)]
    for groups in splits:
        if len(groups) == 1 or min(map(len, groups)) < _SHORTEST_STACK:
            continue
        spans = sorted(_span(group, planes) for group in groups)
        reach_in = any(after[0] < before[1] for before, after in pairwise(spans))
        # What differs from slice to slice of one scan leaves holes in each group.
        if reach_in and all(map(_is_stack, groups)):
            return [part for group in groups for part in _disentangled(group)]
    return [planes]


def _is_stack(planes: list[Slice]) -> bool:
    first = planes[0]
    assert first.orientation is not None
    positions = np.array([plane.position for plane in planes])
    try:
        stack_slices(positions, first.orientation, (1.0, 1.0), first.thickness)
    except VolumeError:
        return False
    return True


def _by_long_pause(planes: list[Slice]) -> list[list[Slice]]:
    """Split at a pause far longer than any other, such as between two phases."""
    if any(plane.seconds is None for plane in planes):
        return [planes]
    *others, longest = sorted(np.diff(sorted(plane.seconds or 0.0 for plane in planes))) or [0.0]
    if longest < _LONG_PAUSE_S or longest < _LONG_PAUSE_RATIO * max(others, default=0.0):
        return [planes]
    return _by_time(planes, 2)


def _span(group: list[Slice], planes: list[Slice]) -> tuple[float, float]:
    """The lowest and highest place of a group along the normal of the planes."""
    cosines = planes[0].orientation
    assert cosines is not None
    normal = np.cross(cosines[:3], cosines[3:])
    depths = [float(np.dot(normal, plane.position or ())) for plane in group]
    return min(depths), max(depths)


def _are_stacks(groups: list[list[Slice]], layers: int) -> bool:
    """True when each group takes every place once.

    Images repeated at one place (bolus tracking) are no volumes, however they are told apart.
    """
    return 1 < len(groups) <= layers < min(map(len, groups)) and all(
        max(Counter(map(_place, group)).values()) == 1 for group in groups
    )


def _by_time(planes: list[Slice], layers: int) -> list[list[Slice]]:
    """Split at the longest pauses between images."""
    if any(plane.seconds is None for plane in planes):
        return [planes]
    ordered = sorted(planes, key=lambda plane: plane.seconds or 0.0)
    pauses = np.diff([plane.seconds or 0.0 for plane in ordered])
    cuts = sorted(int(cut) + 1 for cut in np.argsort(-pauses, kind="stable")[: layers - 1])
    return [ordered[a:b] for a, b in pairwise([0, *cuts, len(ordered)])]


def _read_plane(plane: Slice) -> np.ndarray:
    return to_hu(FileContent(plane.file.path).stored_values(plane.file.pixels, plane.frame), plane)
