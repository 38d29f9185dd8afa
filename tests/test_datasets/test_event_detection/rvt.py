"""Recordings in the layout of RVT's preprocessed files."""

from functools import cache
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np

from mmsnn.datasets.events.detection import BOX

STEP = 50_000
FOLDER = 'event_representations_v2/stacked_histogram_dt=50_nbins=10'
GEN1 = 'event_representations.h5'
MEGAPIXEL = 'event_representations_ds2_nearest.h5'


@cache
def random_histograms(number, size=(240, 304), seed=0):
    """Numbers of events, polarities before bins."""
    shape = (number, 20, *size)

    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8) // 200


def write_rvt(folder, boxes, histograms, file=GEN1):
    """Write a recording whose histogram i ends at ``(i + 2) * STEP``.

    Args:
        folder: Folder of the recording.
        boxes: Boxes in temporal order, in pixels of the sensor.
        histograms: ``[N, 20, H, W]``.
        file: Name of the file of the histograms.
    """
    events, labels = Path(folder, FOLDER), Path(folder, 'labels_v2')
    events.mkdir(parents=True, exist_ok=True)
    labels.mkdir(exist_ok=True)
    with h5py.File(events / file, 'w') as content:
        # as RVT writes it, one histogram after the other
        data = content.create_dataset(
            'data',
            dtype='uint8',
            shape=(1, *histograms.shape[1:]),
            chunks=(1, *histograms.shape[1:]),
            maxshape=(None, *histograms.shape[1:]),
            **hdf5plugin.Blosc(cname='zstd', clevel=1, shuffle=1),
        )
        for index, histogram in enumerate(histograms):
            data.resize(index + 1, axis=0)
            data[index : index + 1] = histogram
    times = (np.arange(len(histograms)) + 2) * STEP
    np.save(events / 'timestamps_us.npy', times)
    boxes = np.array(boxes, BOX)
    frame_times, starts = np.unique(boxes['t'], return_index=True)
    np.save(events / 'objframe_idx_2_repr_idx.npy', np.searchsorted(times, frame_times))
    np.save(labels / 'timestamps_us.npy', frame_times)
    np.savez(labels / 'labels.npz', labels=boxes, objframe_idx_2_label_idx=list(starts))
    return events / file
