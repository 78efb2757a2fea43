"""Series drawn at random, valid or with faults, and whether they are read rightly."""

from copy import deepcopy
from enum import Enum, auto
from pathlib import Path
from random import Random

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from model.volumes import VolumeError, read_volume
from tests.model.volumes.dicom_phantom import Plan, make_series, misplaced, plane_hu, save, set_hu
from tests.model.volumes.dicom_variants import corners_of, planned_corners


class Outcome(Enum):
    """What became of a series."""

    RIGHT = auto()
    REFUSED = auto()
    WRONG = auto()


def outcome_of_valid(dice: Random, folder: Path) -> Outcome:
    """Save a valid series into `folder`, its files in any order, and read it."""
    plan = _plan(dice)
    series = make_series(plan)
    dice.shuffle(series)
    try:
        volume = read_volume(save(series, folder))
    except VolumeError:
        return Outcome.REFUSED
    exact = np.abs(corners_of(volume) - planned_corners(plan)).max() < 0.01
    return Outcome.RIGHT if exact and misplaced(volume, 0.53) == 0 else Outcome.WRONG


def outcome_of_faults(dice: Random, folder: Path) -> Outcome:
    """Save a series with one to three faults into `folder`, and read it.

    What is read may be short at an end; each voxel must be within 1 mm of where it belongs.
    """
    series = make_series(Plan(slices=dice.randint(4, 20), rows=6, columns=7))
    for _ in range(dice.randint(1, 3)):
        _spoil(series, dice)
    try:
        volume = read_volume(save(series, folder))
    except VolumeError:
        return Outcome.REFUSED
    coarsest = max(float(ds.RescaleSlope) for ds in series)
    right = misplaced(volume, 3.75 + coarsest / 2) == 0
    return Outcome.RIGHT if right else Outcome.WRONG


def _plan(dice: Random) -> Plan:
    a, b, c = (dice.uniform(-3.1, 3.1) for _ in range(3))
    turn = (
        np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
        @ np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
        @ np.array([[1, 0, 0], [0, np.cos(c), -np.sin(c)], [0, np.sin(c), np.cos(c)]])
    )
    return Plan(
        slices=dice.randint(2, 9),
        rows=dice.randint(2, 12),
        columns=dice.randint(2, 12),
        step_mm=dice.uniform(0.4, 3),
        row_spacing_mm=round(dice.uniform(0.4, 3), 4),
        column_spacing_mm=round(dice.uniform(0.4, 3), 4),
        orientation=(*map(float, turn[:, 0]), *map(float, turn[:, 1])),
        origin=(dice.uniform(-50, 50), dice.uniform(-50, 50), dice.uniform(-50, 50)),
        signed=dice.random() < 0.5,
    )


def _spoil(series: list[Dataset], dice: Random) -> None:
    number = dice.randrange(len(series))
    ds, amount = series[number], dice.uniform(-20, 20)
    match dice.randrange(8):
        case 0 if len(series) > 1:
            del series[number]
        case 1:
            axis = dice.randrange(3)
            ds.ImagePositionPatient[axis] = f"{float(ds.ImagePositionPatient[axis]) + amount:.4f}"
            set_hu(ds, plane_hu(ds))
        case 2:
            for a, b in zip(series, series[::-1], strict=True):
                a.InstanceNumber = b.InstanceNumber
        case 3:
            ds.PixelSpacing = [0.9, round(0.7 + abs(amount) / 20, 3)]
            set_hu(ds, plane_hu(ds))
        case 4:
            ds.RescaleSlope = round(1 + abs(amount), 2)
            set_hu(ds, plane_hu(ds))
        case 5:
            c, s = np.cos(amount / 20), np.sin(amount / 20)
            ds.ImageOrientationPatient = [f"{v:.8f}" for v in (c, s, 0, -s, c, 0)]
            set_hu(ds, plane_hu(ds))
        case 6:
            series.append(deepcopy(ds))
            series[-1].SOPInstanceUID = generate_uid()
        case 7:
            ds.PatientID = "P-9"
