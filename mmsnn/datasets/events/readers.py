"""Event file readers of SpikingJelly, with checks that reject damaged files.

Without the checks, the readers accept truncated files or fail without naming the file.
"""

import importlib
import os
import stat
import struct
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from mmsnn.utils import NamedRows
from mmsnn.utils.errors import UserError, reason_of

from .values import Events, check_events

_PACKET_HEADER = struct.Struct('<HHIIIIII')
_POLARITY = 1


def import_spikingjelly(name: str) -> ModuleType:
    """Import the module ``spikingjelly.datasets.NAME`` without the other data sets.

    The package's ``__init__`` imports all data sets and, for the audio ones,
    torchaudio, which fails to load if its build does not match PyTorch's. An empty
    package with only a path takes its place while the single module is imported.
    """
    package = 'spikingjelly.datasets'
    if package in sys.modules:
        return importlib.import_module(f'{package}.{name}')
    parent = importlib.import_module('spikingjelly')
    bare = ModuleType(package)
    bare.__path__ = [os.path.join(folder, 'datasets') for folder in parent.__path__]
    sys.modules[package] = bare
    try:
        return importlib.import_module(f'{package}.{name}')
    finally:
        del sys.modules[package]


def _read_aedat2(path: Path) -> Events:
    """Read AEDAT 2 in the address layout of CIFAR10-DVS."""
    reader = import_spikingjelly('cifar10_dvs')
    with path.open('rb') as file:
        first = file.readline()
        if not first.startswith(b'#'):
            raise ValueError('it does not begin with the header of an AEDAT file')
        if first.startswith(b'#!AER-DAT') and not first.startswith(b'#!AER-DAT2'):
            raise ValueError(f'its first line is {first.strip()!r}, not #!AER-DAT2.0')
        file.seek(0)
        header = reader._skip_header(file)
    excess = (path.stat().st_size - header) % 8
    if excess:
        raise ValueError(f'it was cut off {excess} bytes into an event of 8')
    addresses = np.fromfile(path, '>u4', offset=header)[::2]
    if (addresses >> 16).any():
        raise ValueError(
            'its addresses have more than 16 bits: they are not from a DVS128'
        )
    return reader._load_origin_data(path)


def _read_aedat3(path: Path) -> Events:
    """Read the polarity events of AEDAT 3.1."""
    _check_packets(path)
    return import_spikingjelly('utils').load_aedat_v3(path)


def _check_packets(path: Path) -> None:
    """Check that an AEDAT 3.1 file has a header and only complete packets."""
    size = path.stat().st_size
    with path.open('rb') as file:
        line = file.readline()
        if not line.startswith(b'#!AER-DAT3'):
            raise ValueError(f'its first line is {line[:20]!r}, not #!AER-DAT3.1')
        while line != b'#!END-HEADER\r\n':
            line = file.readline()
            if not line.startswith(b'#'):
                raise ValueError('its header has no end')
        while (start := file.tell()) < size:
            header = file.read(_PACKET_HEADER.size)
            if len(header) == _PACKET_HEADER.size:
                kind, _, event_size, _, _, capacity, number, _ = _PACKET_HEADER.unpack(
                    header
                )
                end = file.tell() + event_size * capacity
            else:
                end = size + 1
            if end > size:
                raise ValueError(
                    f'it was cut off in the packet at byte {start}, at {size} bytes'
                )
            if kind == _POLARITY and (event_size, number) != (8, capacity):
                # the reader would count unused slots as events
                raise ValueError(
                    f'the packet at byte {start} must be full of events of 8 bytes, '
                    f'but has {number} of {capacity}, of {event_size} bytes'
                )
            file.seek(end)


def _read_npz(path: Path) -> Events:
    """Read an archive with the arrays t, x, y and p, as written by SpikingJelly."""
    with path.open('rb') as file:
        if not zipfile.is_zipfile(file):
            raise ValueError('it is not a zip archive, or was cut off')
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in 'txyp' if name in archive.files}


@dataclass(frozen=True)
class EventLayout:
    """A format of event files.

    Args:
        suffix: Suffix of the file names, with the dot.
        read: Function that returns the events of a file as arrays ``t``
            (microseconds), ``x``, ``y`` and ``p`` (polarity). Any exception means that
            the file is damaged.
    """

    suffix: str
    read: Callable[[Path], Events]


LAYOUTS: NamedRows[EventLayout] = NamedRows(
    'event layout',
    EventLayout,
    {
        'aedat2': EventLayout('.aedat', _read_aedat2),
        'aedat3': EventLayout('.aedat', _read_aedat3),
        'npz': EventLayout('.npz', _read_npz),
    },
)
"""The layouts by name; ``LAYOUTS.register(name, layout)`` adds one."""


def read_events(path: str | os.PathLike[str], layout: str) -> Events:
    """Read all events of a file, as :func:`.values.check_events` returns them.

    Args:
        path: The file.
        layout: A key of :data:`LAYOUTS`: ``'aedat2'`` (8 bytes per event, big-endian,
            in CIFAR10-DVS's address layout), ``'aedat3'`` (AEDAT 3.1), ``'npz'``
            (SpikingJelly's arrays) or a registered one.

    Returns:
        Arrays ``t``, ``x``, ``y``, ``p`` of equal length.

    Raises:
        UserError: If the file is missing, damaged or in another layout, or its events
            have invalid values.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            # opening a pipe would block forever
            raise ValueError('it is not a regular file')
        return check_events(LAYOUTS[layout].read(Path(path)))
    except Exception as error:
        # Parsers raise various exceptions for damaged files.
        raise UserError(
            f'event file {os.fspath(path)!r} cannot be read as {layout}: '
            f'{reason_of(error)}; get or extract it again'
        ) from error
