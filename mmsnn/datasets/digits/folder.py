"""The folder of the bundled digits detection set: ownership, completeness."""

import json
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .rendering import size_class

SPLITS = ('train', 'val')

# Marks a folder whose files this module may replace.
_MARKER = '.digits_detection'


@dataclass(frozen=True)
class SplitSummary:
    """Counts of one split: images, objects, and objects in COCO's size classes."""

    images: int
    objects: int
    small: int
    medium: int
    large: int


def annotation_path(root: Path, split: str) -> Path:
    """Return where the annotations of a split are."""
    return root / 'annotations' / f'instances_{split}.json'


def find_own_files(root: Path) -> list[Path]:
    """List the files of an earlier call, annotations first.

    Raises:
        FileExistsError: If there is anything else, or the marker is missing.
    """
    if not os.path.lexists(root):
        return []
    if not root.is_dir():
        raise FileExistsError(f'{root} exists and is not a folder')
    # Interrupted calls leave .NAME.tmp; those of earlier versions left NAME.part.
    annotations = r'instances_(train|val)\.json'
    pattern = re.compile(
        rf'annotations(/{annotations}(\.part)?|/\.{annotations}\.tmp)?'
        r'|train(/\d{6}\.png)?|val(/\d{6}\.png)?'
    )
    paths = sorted(path for path in root.rglob('*') if path != root / _MARKER)
    names = [path.relative_to(root).as_posix() for path in paths]
    foreign = [
        name
        for name, path in zip(names, paths, strict=True)
        if not pattern.fullmatch(name)
        or path.is_symlink()
        or path.is_dir() != ('/' not in name)
    ]
    if names and not (root / _MARKER).is_file():
        foreign = names
    if foreign:
        raise FileExistsError(
            f'{root} holds {foreign[0]!r}, which is not part of a digits detection '
            'set made by this tool; move it away or choose another folder'
        )
    return [path for path in paths if not path.is_dir()]


def read_complete(
    root: Path, infos: Mapping[str, Mapping[str, Any]]
) -> dict[str, SplitSummary] | None:
    """Return the counts of a complete set with the same options, otherwise None."""
    summaries = {}
    for split, info in infos.items():
        try:
            content = json.loads(annotation_path(root, split).read_text('utf-8'))
            names = {image['file_name'] for image in content['images']}
            sizes = {
                entry.name: entry.stat().st_size for entry in os.scandir(root / split)
            }
            complete = content['info'] == info and names == sizes.keys()
            if not complete or not all(sizes.values()):
                return None
            summaries[split] = summarize_split(content)
        except (OSError, ValueError, KeyError, TypeError):
            return None
    return summaries


def prepare_folder(root: Path, stale: list[Path]) -> None:
    """Make the folders and the marker, and remove an earlier call's files."""
    root.mkdir(parents=True, exist_ok=True)
    (root / _MARKER).write_text('Made by mmsnn, which may replace all files here.\n')
    # Annotations come first: without them the rest does not look complete.
    for path in stale:
        path.unlink()
    for name in ('annotations', *SPLITS):
        (root / name).mkdir(exist_ok=True)


def summarize_split(content: Mapping[str, Any]) -> SplitSummary:
    """Count images and objects of a split's annotations."""
    sizes = Counter(size_class(item['area']) for item in content['annotations'])
    return SplitSummary(
        images=len(content['images']),
        objects=sizes.total(),
        small=sizes['small'],
        medium=sizes['medium'],
        large=sizes['large'],
    )
