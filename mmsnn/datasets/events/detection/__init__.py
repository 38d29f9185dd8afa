"""Detection in event recordings: data sets, box filters, file formats."""

from .box_files import BOX, read_boxes, write_boxes
from .box_filters import GEN1_FILTER, MEGAPIXEL_FILTER, BoxFilter, clip_boxes
from .dat_files import DatFile, write_dat
from .film import make_event_digits
from .pedro import PEDRoDetection
from .prophesee import EventDigitsDetection, Gen1Detection, MegapixelDetection
from .recording_files import RECORDING_FILES, NpyFile, RecordingFile, find_format
from .recordings import RECORDINGS, count_events
from .rvt import RVTGen1Detection, RVTMegapixelDetection

__all__ = [
    'BOX',
    'BoxFilter',
    'DatFile',
    'EventDigitsDetection',
    'GEN1_FILTER',
    'Gen1Detection',
    'MEGAPIXEL_FILTER',
    'MegapixelDetection',
    'NpyFile',
    'PEDRoDetection',
    'RECORDING_FILES',
    'RECORDINGS',
    'RVTGen1Detection',
    'RVTMegapixelDetection',
    'RecordingFile',
    'clip_boxes',
    'count_events',
    'find_format',
    'make_event_digits',
    'read_boxes',
    'write_boxes',
    'write_dat',
]
