"""Source files of event data sets and the samples in them."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class EventSample:
    """A sample: all events of a source file, or those in a time window.

    Attributes:
        label: Index of the class.
        window: Begin (inclusive) and end (exclusive) in microseconds of the file's
            clock; None selects the whole file.
    """

    label: int
    window: tuple[int, int] | None = None


@dataclass(frozen=True)
class EventFile:
    """A source file and the samples in it.

    Attributes:
        path: The file.
        layout: Format of the file, a key of :data:`.readers.LAYOUTS`.
        dataset: Name of the data set, part of the path of the cached frames.
        data_root: Folder of the data set, in which frames are cached by default.
        samples: Samples by key. A key is unique in the data set and does not depend on
            the layout.
    """

    path: str
    layout: str
    dataset: str
    data_root: str
    samples: Mapping[str, EventSample]
