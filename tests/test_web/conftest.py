"""A running server with the shipped detectors and one of event recordings."""

import argparse
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

import mmsnn
from mmsnn.analysis.model_inputs import build_model
from mmsnn.cli.serve import find_models, listen
from mmsnn.web.served_models import ServedModel

CONFIGS = Path(mmsnn.__file__).parent / '.mim' / 'configs'
EVENTS = 'spiking_retinanet/spiking-retinanet_sg-7b-asd_fpn_1xb8-16e_event-digits.py'


@pytest.fixture(scope='session')
def event_detector(tmp_path_factory: pytest.TempPathFactory) -> ServedModel:
    """A small detector of event digits, untrained, that finds ten boxes."""
    folder = tmp_path_factory.mktemp('event_detector')
    cfg = Config.fromfile(CONFIGS / EVENTS)
    cfg.model.test_cfg.max_per_img = 10
    cfg.dump(folder / 'net.py')
    torch.manual_seed(0)
    state = build_model(cfg).state_dict()
    state['bbox_head.retina_cls.bias'].zero_()
    torch.save(dict(state_dict=state), folder / 'net.pth')
    paths = [str(folder / f'net.{suffix}') for suffix in ('py', 'pth')]
    return ServedModel('events', '', *paths, pytest.fail)


@pytest.fixture(scope='package')
def address(
    tmp_path_factory: pytest.TempPathFactory, event_detector: ServedModel
) -> Iterator[str]:
    """Serve the models in a folder without data; yield the address."""
    pytest.importorskip('starlette', reason="needs pip install 'mmsnn[web]'")
    uvicorn = pytest.importorskip('uvicorn', reason="needs pip install 'mmsnn[web]'")
    from mmsnn.web.app import make_app

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp('server'))
        nothing = argparse.Namespace(config=None, checkpoint=None, cfg_options=None)
        listener = listen('127.0.0.1', 0)
        port = listener.getsockname()[1]
        app = make_app([*find_models(nothing), event_detector])
        server = uvicorn.Server(uvicorn.Config(app, log_level='warning'))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        yield f'http://127.0.0.1:{port}'
        server.should_exit = True
        thread.join(10)
        listener.close()
