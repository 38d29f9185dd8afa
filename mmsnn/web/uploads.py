"""Uploaded pictures and recordings, checked and limited in size."""

import tempfile
import warnings
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

from mmsnn.utils.errors import UserError

from .served_models import ServedModel

MAX_BYTES = 20 * 2**20
MAX_PIXELS = 50_000_000
MAX_SIDE = 1024
"""Larger pictures are reduced to this number of pixels in height and width."""
FORMATS = ('BMP', 'GIF', 'JPEG', 'PNG', 'WEBP')


def read_upload(served: ServedModel, content: bytes) -> Mapping[str, Any]:
    """Return the batch of a picture or recording.

    Args:
        served: The model; its config determines whether it takes recordings.
        content: The uploaded file.

    Raises:
        UserError: If the file is of another kind, damaged or too large.
    """
    if len(content) > MAX_BYTES:
        raise UserError(
            f'the file has {len(content)} bytes, but at most {MAX_BYTES} are allowed'
        )
    with tempfile.TemporaryDirectory() as folder:
        if not served.takes_events:
            path = Path(folder, 'picture.png')
            save_picture(content, path)
            return served.read_file(path)
        path = Path(folder, 'recording')
        path.write_bytes(content)
        try:
            return served.read_file(path)
        except UserError as error:
            text = str(error).replace(f'event file {str(path)!r}', 'the file')
            raise UserError(text) from error


def save_picture(content: bytes, path: Path) -> None:
    """Decode a picture and save it as an RGB PNG, upright and without metadata.

    Args:
        content: The uploaded file.
        path: The file to write.

    Raises:
        UserError: If it is not a picture in a known format, damaged or too large.
    """
    try:
        with warnings.catch_warnings():
            # the size is limited below, before anything is decoded
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            picture = Image.open(BytesIO(content), formats=FORMATS)
        width, height = picture.size
        if width * height > MAX_PIXELS:
            raise UserError(
                f'the picture has {width} x {height} pixels, but at most {MAX_PIXELS} '
                'are allowed'
            )
        picture.draft('RGB', (MAX_SIDE, MAX_SIDE))
        picture.load()
        upright = ImageOps.exif_transpose(picture).convert('RGB')
    except UserError:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise UserError(
            f'the file is not a picture that can be read: {", ".join(FORMATS)}'
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise UserError('the picture is damaged') from error
    upright.thumbnail((MAX_SIDE, MAX_SIDE))
    upright.save(path, 'PNG')
