"""``mmsnn demo``: the whole way, on a few images and for some seconds."""

from argparse import Namespace
from pathlib import Path

import pytest

from mmsnn.cli import demo
from mmsnn.cli.detect import split_words
from mmsnn.cli.main import make_parser
from mmsnn.datasets import make_digits_detection

from .tiny_coco import Call, Fail

COLUMNS = ['mAP', 'AP50', 'AP_S', 'AP_M', 'AP_L', 'mAR', 'AR_S', 'AR_M', 'AR_L']
SETTINGS = dict(
    NUM_IMAGES=dict(num_train=4, num_val=4), FIRST_LOOK=4, NUM_PICTURES=2, BATCH_SIZE=4
)


@pytest.fixture(autouse=True)
def _few_images(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setattr(demo, name, value)


def test_demo(call_tool: Call) -> None:
    printed = call_tool('demo', '--minutes', '0.01', '--seed', '3')
    rows = [line.split() for line in printed.out.splitlines()]
    assert rows.count(['metric', *COLUMNS]) == 2
    shipped = [row for row in rows if row[:1] == ['shipped'] and len(row) == 10]
    (trained,) = [row for row in rows if row[:1] == ['trained'] and len(row) == 10]
    assert len(shipped) == 2 and all(float(row[1]) > 0.4 for row in shipped)
    assert trained[1] in ('-', '0.000')
    assert printed.out.count('uJ per image; the same network without spikes') == 3
    # the training is one line, and MMEngine's log is in a file
    assert 'mmengine' not in printed.out + printed.err
    assert 'Training: epoch' in printed.err
    run = Path('work_dirs/demo')
    (log,) = run.glob('training/*/*.log')
    assert 'seed = 3' in log.read_text() or 'seed=3' in log.read_text()
    for kind in ('pictures_shipped', 'pictures_trained'):
        assert (run / kind / 'overview.png').is_file()
    # what to type next is valid
    commands = [row[1:] for row in rows if row[:1] == ['mmsnn']]
    assert [words[0] for words in commands] == ['detect', 'spikes', 'energy']
    for words in commands:
        args = make_parser().parse_args(words)
        checkpoint = split_words(args.words)[2] if words[0] == 'detect' else words[2]
        assert Path(checkpoint).is_file()
    # there is time for few steps
    assert (run / 'crowded_images').is_dir()


@pytest.mark.slow
def test_with_time_for_many_steps_images_are_not_crowded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(demo, 'step_seconds', lambda data: 1e-9)
    data = make_digits_detection(**SETTINGS['NUM_IMAGES']).out_dir
    args = Namespace(minutes=0.03, seed=3, work_dir='run')
    assert Path(demo.train(args, data, 4)).is_file()
    assert not Path('run/crowded_images').exists()


@pytest.mark.parametrize('minutes', ['0', '-1', 'inf', 'nan'])
def test_minutes(fail_tool: Fail, folder: Path, minutes: str) -> None:
    line = fail_tool('demo', f'--minutes={minutes}')
    assert line.startswith('--minutes must be ') and minutes in line
    assert not any(folder.iterdir())
