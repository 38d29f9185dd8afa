"""The simulated event camera, and the set that is filmed with it."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

import mmsnn
from mmsnn.datasets import EventDigitsDetection, make_event_digits
from mmsnn.datasets.digits.making import load_materials
from mmsnn.datasets.events.detection import DatFile, read_boxes, write_dat
from mmsnn.datasets.events.detection.camera import CameraSettings, EventCamera

SAMPLES = Path(mmsnn.__file__).parent / 'web/samples'
CHECKSUMS = {
    '0000_bbox.npy': '4fdb056774cfdca5a5432ba78fb35baa944f5d16e4991937e4835b1156281ebf',
    '0000_td.dat': 'cda15140e8be5f31579afcbc13cc899137b0ef0c14f56f4bd25247720cfb4cf6',
    '0001_bbox.npy': '3d27a22832b1f2a9c4c9e82fed68481bf23b03fbb449d60c34a7bf3ff05f5313',
    '0001_td.dat': '607f79ffc395cd351c868aebd897dbfb045b4cda0480495f7df1b643334492aa',
}
QUIET = CameraSettings(threshold=0.2, mismatch=0, refractory=0, noise_rate=0)


def film(settings, *intensities, shape=(1, 1)):
    """Return the events while all pixels have these intensities, 10 ms apart."""
    frames = [np.full(shape, value) for value in intensities]
    camera = EventCamera(settings, np.random.default_rng(0), frames[0])
    parts = [camera.film(f, 10_000 * i) for i, f in enumerate(frames[1:], 1)]
    return {name: np.concatenate([part[name] for part in parts]) for name in 'txyp'}


def test_an_event_per_threshold_at_its_time():
    events = film(QUIET, 1, np.exp(0.5), np.exp(0.5), np.exp(0.05))
    # crossings of 0.2 and 0.4 on the way up, of 0.2 (from 0.4) on the way down
    assert events['p'].tolist() == [1, 1, 0]
    expected = [4000, 8000, 20_000 + round(10_000 * 0.3 / 0.45)]
    assert events['t'].tolist() == expected


def test_constant_intensity_has_noise_only():
    assert not len(film(QUIET, 0.5, 0.5, 0.5)['t'])
    noisy = CameraSettings(noise_rate=50)
    number = len(film(noisy, *[0.5] * 11, shape=(40, 40))['t'])
    assert number == pytest.approx(50 * 1600 * 0.1, rel=0.05)


def test_the_refractory_time_loses_events():
    slow = CameraSettings(threshold=0.2, mismatch=0, refractory=5000, noise_rate=0)
    # crossings at 2, 4, 6, 8 and 10 ms
    assert film(slow, 1, np.exp(1.0001))['t'].tolist() == [2000, 7999]


def test_pixels_have_different_thresholds():
    settings = CameraSettings(mismatch=0.1, refractory=0, noise_rate=0)
    assert len(set(film(settings, 1, 1.5, shape=(5, 5))['t'].tolist())) > 10


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('film') / 'event_digits'
    assert make_event_digits(folder, 2, 1)
    return folder


def content(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.rglob('*')) if p.is_file()}


def test_it_is_left_alone_or_made_anew(folder, tmp_path):
    before = content(folder)
    assert not make_event_digits(folder, 2, 1)
    (folder / 'val/0000_bbox.npy').unlink()
    assert make_event_digits(folder, 2, 1)
    assert content(folder) == before
    assert list(folder.parent.iterdir()) == [folder]
    make_event_digits(tmp_path / 'b', 1, 1, seed=1)
    assert content(tmp_path / 'b')['0000_td.dat'] != before['0000_td.dat']


def test_the_content_is_pinned(folder):
    """Another generator needs another ``_VERSION``, and other checksums here."""
    found = {
        name: hashlib.sha256(data).hexdigest()
        for name, data in content(folder / 'train').items()
    }
    assert found == CHECKSUMS


def test_the_sample_of_the_page_is_cut_from_it(folder, tmp_path):
    recording = DatFile(folder / 'val/0000_td.dat')
    events = recording.read(500_000, 600_000, (128, 128))
    write_dat(tmp_path / 'cut.dat', events, (128, 128))
    sample = SAMPLES / 'event_digits.dat'
    assert sample.read_bytes() == (tmp_path / 'cut.dat').read_bytes()


def test_foreign_folders_are_kept(tmp_path):
    (tmp_path / 'mine').write_text('mine')
    with pytest.raises(FileExistsError, match="'mine', which is not part of"):
        make_event_digits(tmp_path, 1, 1)
    assert (tmp_path / 'mine').read_text() == 'mine'
    with pytest.raises(FileExistsError, match='not a folder'):
        make_event_digits(tmp_path / 'mine', 1, 1)


def test_foreign_files_in_a_set_are_kept(folder):
    mine = folder / 'train/mine.txt'
    mine.write_text('mine')
    with pytest.raises(FileExistsError, match="'train/mine.txt', which is not part of"):
        make_event_digits(folder, 2, 2)
    assert mine.read_text() == 'mine'
    mine.unlink()


@pytest.mark.parametrize(
    ('options', 'error'),
    [
        (dict(num_train=0), ValueError),
        (dict(num_val=1.5), TypeError),
        (dict(seed=-1), ValueError),
        (dict(seed='a'), TypeError),
        (dict(out_dir=3), TypeError),
        (dict(out_dir=''), ValueError),
    ],
)
def test_bad_options(tmp_path, options, error):
    with pytest.raises(error, match=next(iter(options))):
        make_event_digits(**{'out_dir': tmp_path / 'a', **options})


def test_boxes_surround_the_events(folder):
    for path in folder.glob('*/*_td.dat'):
        boxes = read_boxes(path.with_name(path.name.replace('_td.dat', '_bbox.npy')))
        assert np.unique(boxes['t']).tolist() == list(
            range(600_000, 2_000_000, 200_000)
        )
        for t in np.unique(boxes['t']).tolist():
            # a digit moves by less than a pixel in 10 ms
            events = DatFile(path).read(t - 10_000, t, (128, 128))
            x, y = events['x'].astype(int), events['y'].astype(int)
            inside = np.zeros(len(x), bool)
            for box in boxes[boxes['t'] == t]:
                left, top = box['x'] - 2, box['y'] - 2
                right, bottom = left + box['w'] + 4, top + box['h'] + 4
                inside |= (x >= left) & (x < right) & (y >= top) & (y < bottom)
            # background activity is 16 events in 10 ms
            assert (~inside).sum() < 45
            assert inside.sum() > 20


def test_splits_have_other_digits():
    materials = load_materials(0)
    assert not set(materials['train'].pool) & set(materials['val'].pool)


def test_the_data_set_reads_it(folder):
    dataset = EventDigitsDetection(folder, 'train')
    assert 7 <= len(dataset) <= 14
    assert dataset.metainfo['classes'] == tuple('0123456789')
    assert len(dataset.metainfo['palette']) == 10
