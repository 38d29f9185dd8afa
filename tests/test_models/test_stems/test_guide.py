"""The stems of the guide page build and run with the steps that it states."""

import re
from pathlib import Path

import pytest
import torch

from mmsnn.models.build import known_parts
from mmsnn.models.layers import LayerFactory
from mmsnn.models.stems import STEM_PRESETS, BaseStem, build_stem

GUIDE = Path(__file__).resolve().parents[3] / 'docs' / 'encoders.md'
TEXT = GUIDE.read_text(encoding='utf-8')
CONFIGS = re.findall(r'`stem=(.+?)`', TEXT)
CONFIGS += re.findall(r'^stem = (dict\(.+?\))(?:\s+#.*)?$', TEXT, re.MULTILINE)


@pytest.mark.parametrize('config', CONFIGS)
def test_stems_run(config):
    layers = LayerFactory(8, {'type': 'LIF'}, {'type': 'BN'})
    cfg = eval(config)
    image = torch.full((2, 3, 32, 32), 0.5)
    stem = build_stem(cfg, 3, 8, layers)
    assert len(stem(image)) == 2 * 8


def test_all_stems_are_named():
    named = [eval(config) for config in CONFIGS]
    assert {cfg for cfg in named if isinstance(cfg, str)} == set(STEM_PRESETS)
    types = {cfg['type'] for cfg in named if not isinstance(cfg, str)}
    assert types | {'DirectStem'} == set(known_parts(BaseStem))


def test_costs():
    places = 112**2
    assert f'{7**2 * 3 * 64 * places / 1e9:.2f} G, once' in TEXT
    assert f'{2 * 4**2 * 64**2 * places / 1e9:.2f} G (SCA)' in TEXT
    assert f'{2 * 4**2 * 64**2 * places * 4.6e-12 * 1e3:.1f} mJ per image' in TEXT
