"""Every analysis takes every config of event detection, without its data set."""

import sys
from pathlib import Path

import pytest
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmsnn.analysis.model_inputs import InputSource, make_batches
from mmsnn.cli.main import main

from .files import CONFIGS
from .runs import quick_first
from .test_event_detection_configs import PATHS, QUICK

# [H, W] after the test pipeline
SIZES = {
    'event-digits': (128, 128),
    'gen1': (240, 304),
    'gen1-rvt': (240, 304),
    '1mpx': (360, 640),
    '1mpx-rvt': (360, 640),
    'pedro': (260, 346),
}
RANDOM = ('--random', 128, '--num-images', 1, '--out-dir', 'out')
COMMANDS = {
    'doctor': (),
    'energy': RANDOM,
    'firing-rate': RANDOM,
    'spikes': RANDOM,
    'flops': ('--shape', 128),
    'gradient-flow': RANDOM,
    'coding-dynamics': RANDOM,
    'benchmark': ('--shape', 128, '--max-iter', 1, '--num-warmup', 0),
}
# they need a network that spikes
SPIKING = {'firing-rate', 'spikes', 'gradient-flow', 'coding-dynamics'}
ALL = [f'{command} {path}' for path in PATHS for command in COMMANDS]


@pytest.mark.parametrize(
    'name',
    [
        # frames of 1280 x 720 pixels
        pytest.param(name, marks=pytest.mark.slow if '1mpx' in name else ())
        for name in PATHS
    ],
)
def test_noise_fits_the_preprocessor(name: str) -> None:
    cfg = Config.fromfile(CONFIGS / name)
    (batch,) = make_batches(cfg, InputSource('random'), 2, batch_size=2)
    settings = cfg.model.data_preprocessor
    size = SIZES[name.rpartition('_')[2].removesuffix('.py')]
    shape = (settings.num_steps, settings.channels, *size)
    assert [frames.shape for frames in batch['inputs']] == [shape, shape]
    with DefaultScope.overwrite_default_scope('mmdet'):
        prepared = MODELS.build(settings)(batch)
    assert prepared['inputs'].shape[:3] == (2, *shape[:2])
    assert batch['inputs'][0].sum() > 0


@pytest.mark.parametrize('what', quick_first(ALL, [f'doctor {QUICK[0]}']))
def test_commands(
    what: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command, name = what.split()
    monkeypatch.chdir(tmp_path)
    words = ['mmsnn', command, CONFIGS / name, *COMMANDS[command]]
    monkeypatch.setattr(sys, 'argv', [str(word) for word in words])
    fails = command in SPIKING and name.startswith('retinanet/')
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    assert code == (2 if fails else 0)
    printed = capsys.readouterr()
    assert 'Error' not in printed.err
    assert fails or printed.out
