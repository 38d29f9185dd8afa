"""Serve a page that shows a model's detections, spikes and energy for a picture.

The page shows boxes, spikes, attention, Grad-CAM, firing rates and energy for pictures
that are dropped on it, with the models whose weights are shipped and, optionally, one
more. It is served to this machine only unless --host is given, and loads nothing from
other servers.

Examples:
    mmsnn serve
    mmsnn serve CONFIG CHECKPOINT --port 8080
"""

import argparse
import socket
from typing import TYPE_CHECKING

from .common.exit_codes import note
from .common.options import add_cfg_options

if TYPE_CHECKING:
    from mmsnn.web.served_models import ServedModel


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        'config',
        nargs='?',
        help='path of a config, or mmsnn::FOLDER/FILE, whose model is served as well',
    )
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='path of its checkpoint (default: the shipped weights of the config)',
    )
    add_cfg_options(parser)
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='address of the server (default: 127.0.0.1, which only this machine can '
        'reach; there is no password)',
    )
    parser.add_argument(
        '--port', type=int, default=8000, help='port of the server (default: 8000)'
    )


def main(args: argparse.Namespace) -> None:
    """Serve the page until it is interrupted.

    Raises:
        UserError: If the packages of the page are missing, or the model or the address
            cannot be used.
    """
    import mmsnn  # noqa: F401
    from mmsnn.utils.errors import UserError

    try:
        import uvicorn

        from mmsnn.web.app import make_app
    except ModuleNotFoundError as error:
        if error.name not in ('starlette', 'uvicorn'):
            raise
        raise UserError(
            f"{error.name} is not installed: pip install 'mmsnn[web]'"
        ) from error
    models = find_models(args)
    listener = listen(args.host, args.port)
    app = make_app(models, args.host)
    host, port = listener.getsockname()[:2]
    shown = f'[{host}]' if ':' in host else host
    print(f'Serving http://{shown}:{port} (Ctrl-C ends it)', flush=True)
    config = uvicorn.Config(app, log_level='warning', server_header=False)
    uvicorn.Server(config).run(sockets=[listener])


def find_models(args: argparse.Namespace) -> 'list[ServedModel]':
    """Return the model of the command line, if any, and the shipped ones.

    Raises:
        UserError: If the former cannot be built, or its samples cannot be read.
    """
    from mmsnn.utils.shipped_configs import needed_weights, shipped_weights
    from mmsnn.web.served_models import ServedModel

    from .common.shipped import shipped_configs

    models = []
    if args.config is not None:
        checkpoint = args.checkpoint or needed_weights(args.config)
        title = args.config.rpartition('/')[2].removesuffix('.py')
        given = ServedModel(title, '', args.config, checkpoint, note, args.cfg_options)
        _ = given.model, given.samples
        models.append(given)
    for shipped in shipped_configs():
        name = f'mmsnn::{shipped.name}'
        weights = shipped_weights(name)
        if weights is not None:
            title = shipped.name.rpartition('/')[2].removesuffix('.py')
            models.append(ServedModel(title, shipped.description, name, weights, note))
    return models


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address.

    Raises:
        UserError: If the address cannot be used.
    """
    from mmsnn.utils.errors import UserError

    if not 0 <= port <= 65535:
        raise UserError(f'--port must be from 0 to 65535, but got {port}')
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        # without the address that socket adds
        reason = str(error.strerror).partition(' (')[0]
        raise UserError(f'{host}:{port} cannot be used: {reason}') from error
