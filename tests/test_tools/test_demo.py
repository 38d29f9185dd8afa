"""``mmsnn demo``: the whole way, on a few images and for some seconds."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mmsnn.cli import demo
from mmsnn.cli.detect import split_words
from mmsnn.cli.main import make_parser

from .conftest import separate_run

COLUMNS = ['mAP', 'AP50', 'AP_S', 'AP_M', 'AP_L', 'mAR', 'AR_S', 'AR_M', 'AR_L']


@pytest.fixture
def run_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, 'NUM_IMAGES', dict(num_train=8, num_val=8))
    monkeypatch.setattr(demo, 'FIRST_LOOK', 4)
    monkeypatch.setattr(demo, 'NUM_PICTURES', 2)

    def run(*options: str) -> None:
        monkeypatch.setattr(sys, 'argv', ['mmsnn', 'demo', *options])
        args = make_parser().parse_args(sys.argv[1:])
        with separate_run():
            demo.main(args)

    return run


@pytest.mark.parametrize('few_steps', [0, demo.FEW_STEPS])
def test_demo(
    run_demo,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    few_steps: int,
) -> None:
    monkeypatch.setattr(demo, 'FEW_STEPS', few_steps)
    run_demo('--minutes', '0.03', '--seed', '3')
    printed = capsys.readouterr()
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
    run = tmp_path / 'work_dirs/demo'
    (log,) = run.glob('training/*/*.log')
    assert 'seed = 3' in log.read_text() or 'seed=3' in log.read_text()
    for kind in ('pictures_shipped', 'pictures_trained'):
        assert (run / kind / 'overview.png').is_file()
    # with time for few steps, the images are crowded
    assert (run / 'crowded_images').exists() is bool(few_steps)
    # what to type next is valid
    commands = [row[1:] for row in rows if row[:1] == ['mmsnn']]
    assert [words[0] for words in commands] == ['detect', 'spikes', 'energy']
    for words in commands:
        args = make_parser().parse_args(words)
        checkpoint = split_words(args.words)[2] if words[0] == 'detect' else words[2]
        assert Path(checkpoint).is_file()


@pytest.mark.parametrize('minutes', ['0', '-1', 'inf', 'nan'])
def test_minutes(run_demo, tmp_path: Path, minutes: str) -> None:
    with pytest.raises(ValueError, match=f'--minutes must be .*{minutes}'):
        run_demo(f'--minutes={minutes}')
    assert not any(tmp_path.iterdir())
