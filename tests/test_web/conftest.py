"""A running server with the shipped detectors."""

import argparse
import threading
from collections.abc import Iterator

import pytest

from mmsnn.cli.serve import find_models, listen


@pytest.fixture(scope='package')
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the shipped models in a folder without data; yield the address."""
    pytest.importorskip('starlette', reason="needs pip install 'mmsnn[web]'")
    uvicorn = pytest.importorskip('uvicorn', reason="needs pip install 'mmsnn[web]'")
    from mmsnn.web.app import make_app

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp('server'))
        nothing = argparse.Namespace(config=None, checkpoint=None, cfg_options=None)
        listener = listen('127.0.0.1', 0)
        port = listener.getsockname()[1]
        app = make_app(find_models(nothing))
        server = uvicorn.Server(uvicorn.Config(app, log_level='warning'))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        yield f'http://127.0.0.1:{port}'
        server.should_exit = True
        thread.join(10)
        listener.close()
