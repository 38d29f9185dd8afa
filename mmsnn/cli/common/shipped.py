"""The shipped configs, in the checkout or in the installed package."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mmsnn
from mmsnn.utils.shipped_configs import shipped_weights

METAFILE = 'metafile.yml'
DETECTOR = 'mmsnn::spiking_retinanet/spiking-retinanet_sg-r10-asd_fpn_1xb8-8e_digits.py'
"""The shipped detector that commands take by default."""
REPORTED = 'Reported '
"""Prefix of metadata that are a paper's numbers."""


@dataclass(frozen=True)
class ShippedConfig:
    """A shipped config, its description and its results.

    Attributes:
        name: ``FOLDER/FILE``; ``mmsnn::FOLDER/FILE`` names it in commands and configs.
        description: One line, or an empty string.
        measured: Metrics of this implementation, by name.
        reported: Metrics that the paper states, by name.
        has_weights: Whether trained weights are shipped for it.
    """

    name: str
    description: str
    measured: dict[str, Any]
    reported: dict[str, Any]
    has_weights: bool


def configs_folder() -> Path:
    """Return the folder that holds the folders of configs."""
    return Path(mmsnn.__file__).parent / '.mim' / 'configs'


def shipped_configs() -> Iterator[ShippedConfig]:
    """Yield the configs in alphabetical order of folders and files."""
    for folder in sorted(configs_folder().glob('[!_]*/')):
        models = _read_metafile(folder / METAFILE)
        for path in sorted(folder.glob('*.py')):
            yield _describe(path, models.get(path.stem, {}))


def _read_metafile(path: Path) -> dict[str, dict[str, Any]]:
    """Return the models of a metafile by name; none if there is no file."""
    if not path.is_file():
        return {}
    import yaml

    loader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
    content = yaml.load(path.read_text(encoding='utf-8'), loader)
    return {model['Name']: model for model in content['Models']}


def _describe(path: Path, model: dict[str, Any]) -> ShippedConfig:
    metadata = model.get('Metadata', {})
    lines = path.read_text(encoding='utf-8').splitlines()
    comment = itertools.takewhile(lambda line: line.startswith('#'), lines)
    text = ' '.join(line.lstrip('#').strip() for line in comment)
    description = re.split(r'(?<=\.)\s+(?=[A-Z])', text)[0]
    if not description:
        about = {k: v for k, v in metadata.items() if not k.startswith(REPORTED)}
        description = '; '.join(f'{key}: {value}' for key, value in about.items())
    results = model.get('Results', ())
    return ShippedConfig(
        name=f'{path.parent.name}/{path.name}',
        description=description,
        measured={k: v for result in results for k, v in result['Metrics'].items()},
        reported={
            key.removeprefix(REPORTED): value
            for key, value in metadata.items()
            if key.startswith(REPORTED)
        },
        has_weights=shipped_weights(str(path)) is not None,
    )
