"""What a source file of an event data set holds."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class EventSample:
    """A sample: all events of a source file, or those of a window of time.

    Attributes:
        label: Index of its class.
        window: Begin (inclusive) and end (exclusive) in microseconds of the file's
            clock; None is the whole file.
    """

    label: int
    window: tuple[int, int] | None = None


@dataclass(frozen=True)
class EventFile:
    """A source file and the samples in it.

    Attributes:
        path: The file.
        layout: How it is written, a key of :data:`.readers.LAYOUTS`.
        dataset: Name of the data set, part of what its cached frames are found by.
        data_root: Folder of the data set, where frames are cached unless another
            folder is given.
        samples: Key -> sample. A key is unique in the data set and does not change
            with the layout.
    """

    path: str
    layout: str
    dataset: str
    data_root: str
    samples: Mapping[str, EventSample]
