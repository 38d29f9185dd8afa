"""The server of the page, a Starlette application."""

import threading
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mmsnn.analysis import InputImage
from mmsnn.reporting import restore_image
from mmsnn.reporting.report import make_environment
from mmsnn.utils.errors import UserError
from mmsnn.utils.failures import explain

from . import summary
from .figures import FIGURES, render
from .results import Result, Results, measure
from .served_models import MAX_EVENTS, ServedModel
from .uploads import MAX_BYTES, MAX_SIDE, read_upload

FOLDER = Path(__file__).parent
ASSETS = {
    'page.css': (FOLDER / 'page.css', 'text/css'),
    'page.js': (FOLDER / 'page.js', 'text/javascript'),
    'tables.css': (FOLDER.parent / 'reporting' / 'report.css', 'text/css'),
}
EXPIRED = 'This result is no longer kept: choose the sample or file again.'
LOCAL = ('127.0.0.1', 'localhost', '::1', '[::1]')
"""Names of this machine that only it can use."""

HEADERS = {
    # nothing is loaded from elsewhere; the bars of tables have inline widths
    b'content-security-policy': b"default-src 'none'; img-src 'self' blob: data:; "
    b"style-src 'self' 'unsafe-inline'; script-src 'self'; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    b'x-content-type-options': b'nosniff',
    b'referrer-policy': b'no-referrer',
    b'cache-control': b'no-store',
}


class Page:
    """Handlers of the page and its requests.

    One result is computed at a time; each has its own name and state.

    Args:
        models: The models to choose from.
    """

    def __init__(self, models: Sequence[ServedModel]) -> None:
        self.models = tuple(models)
        self.results = Results()
        self._computing = threading.Lock()
        self._templates = make_environment(FOLDER)

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route('/', self.index),
            Route('/assets/{name}', self.asset),
            Route('/models/{model:int}', self.model),
            Route('/models/{model:int}/samples/{sample:int}.png', self.sample),
            Route('/results', self.create, methods=['POST']),
            Route('/results/{result}/result.json', self.data),
            Route('/results/{result}/{figure}.png', self.figure),
        ]

    def _html(self, template: str, **values: Any) -> HTMLResponse:
        return HTMLResponse(self._templates.get_template(template).render(values))

    def index(self, request: Request) -> Response:
        """Return the page."""
        return self._html('page.html.j2', models=self.models)

    def asset(self, request: Request) -> Response:
        """Return a style sheet or script."""
        path, kind = ASSETS.get(request.path_params['name'], (None, ''))
        if path is None:
            return PlainTextResponse('not found', 404)
        return Response(path.read_bytes(), media_type=kind)

    def _served(self, number: Any) -> ServedModel:
        if not str(number).isdecimal() or int(number) >= len(self.models):
            raise UserError(
                f'model must be from 0 to {len(self.models) - 1}, but got {number!r}'
            )
        return self.models[int(number)]

    def model(self, request: Request) -> Response:
        """Return the part of the page about a model, with its samples."""
        served = self._served(request.path_params['model'])
        with self._computing:
            samples = len(served.samples)
        number = request.path_params['model']
        return self._html(
            'model.html.j2',
            served=served,
            number=number,
            count=samples,
            max_side=MAX_SIDE,
            max_events=MAX_EVENTS,
        )

    def sample(self, request: Request) -> Response:
        """Return a sample as a picture."""
        served = self._served(request.path_params['model'])
        with self._computing:
            picture = sample_picture(served, request.path_params['sample'])
        return Response(picture, media_type='image/png')

    async def create(self, request: Request) -> Response:
        """Measure a model on an uploaded file or on a sample."""
        if _is_foreign(request):
            return PlainTextResponse('requests from other pages are refused', 403)
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > MAX_BYTES:
                size = MAX_BYTES // 2**20
                text = f'The file is too large: at most {size} MiB are allowed.'
                return PlainTextResponse(text, 413)
        return await run_in_threadpool(self._create, request.query_params, content)

    def _create(self, query: Mapping[str, str], content: bytearray) -> Response:
        served = self._served(query.get('model', '0'))
        with self._computing:
            if 'sample' in query:
                batch = choose_sample(served, query['sample'])
            else:
                batch = read_upload(served, bytes(content))
            result = measure(served, batch)
            levels = summary.levels(result)
        name = self.results.add(result)
        return self._html(
            'result.html.j2',
            name=name,
            result=result,
            steps=result.served.num_steps,
            levels=levels,
            summary=summary,
        )

    def _found(self, request: Request) -> Result | None:
        return self.results.get(request.path_params['result'])

    def data(self, request: Request) -> Response:
        """Return a result's numbers."""
        result = self._found(request)
        if result is None:
            return PlainTextResponse(EXPIRED, 404)
        return JSONResponse(summary.to_data(result))

    def figure(self, request: Request) -> Response:
        """Return a picture of a result."""
        result, name = self._found(request), request.path_params['figure']
        if name not in FIGURES:
            return PlainTextResponse('not found', 404)
        if result is None:
            return PlainTextResponse(EXPIRED, 404)
        with self._computing:
            picture = render(name, result, request.query_params)
        return Response(picture, media_type='image/png')


def sample_picture(served: ServedModel, number: int) -> bytes:
    """Return a sample of a model as a PNG."""
    values = np.asarray(choose_sample(served, str(number))['inputs'][0])
    # samples are not normalised yet
    order = {'loads_rgb': served.preprocessor['loads_rgb']}
    pixels = restore_image(InputImage(values, *values.shape[-2:]), order)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, 'PNG')
    return buffer.getvalue()


def choose_sample(served: ServedModel, text: str) -> Mapping[str, Any]:
    """Return the batch of a sample.

    Raises:
        UserError: If there is no such sample.
    """
    if not text.isdecimal() or int(text) >= len(served.samples):
        raise UserError(
            f'sample must be from 0 to {len(served.samples) - 1}, but got {text!r}'
        )
    return served.samples[int(text)]


def _is_foreign(request: Request) -> bool:
    """Return whether a request comes from a page of another site."""
    site = request.headers.get('sec-fetch-site', 'same-origin')
    origin = request.headers.get('origin')
    # browsers without Sec-Fetch-Site send Origin
    other = origin is not None and urlsplit(origin).netloc != request.headers['host']
    return site not in ('same-origin', 'none') or other


async def _explain(request: Request, error: Exception) -> Response:
    """Return a one-line response to a request that cannot be fulfilled."""
    return PlainTextResponse(explain(error) or str(error), 422)


class _Headers:
    """Adds ``HEADERS`` to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message['type'] == 'http.response.start':
                message['headers'] = [*message['headers'], *HEADERS.items()]
            await send(message)

        await self.app(scope, receive, send_with_headers)


def make_app(models: Sequence[ServedModel], host: str = LOCAL[0]) -> Starlette:
    """Return the application.

    Args:
        models: The models to choose from, at least one.
        host: The address to which the server is bound. If it is one of ``LOCAL``,
            requests to any other host name are refused, so that pages of other sites
            cannot reach the server.

    Raises:
        ValueError: If there are no models.
    """
    if not models:
        raise ValueError('models must hold at least one model, but got none')
    hosts = [*LOCAL] if host in LOCAL else ['*']
    return Starlette(
        routes=Page(models).routes(),
        middleware=[
            Middleware(_Headers),
            Middleware(TrustedHostMiddleware, allowed_hosts=hosts),
        ],
        exception_handlers={UserError: _explain},
    )
