"""Counts of the annotated objects that MMDetection uses and drops."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from reprlib import repr as shorten
from typing import Any

from .annotations import Annotations


@dataclass
class ObjectCounts:
    """Number of objects of an annotation file that can be used.

    Attributes:
        total: Number of all objects.
        usable: Number of objects of the classes that are not crowds, in images that
            are used.
        unusable: Number of objects that are dropped because of a fault, and the place
            of the first, by fault.
    """

    total: int
    usable: int = 0
    unusable: dict[str, tuple[int, str]] = field(default_factory=dict)

    def describe(self, path: str) -> str:
        """Return what is wrong with the objects of the file ``path``, in one line."""
        faults = '; '.join(
            f'{count} {fault} (first: {place})'
            for fault, (count, place) in self.unusable.items()
        )
        if not self.total:
            return f'{path} has no objects'
        if self.usable:
            number = sum(count for count, _ in self.unusable.values())
            return f'{number} of {self.total} objects of {path} are not used: {faults}'
        faults = faults or 'they are crowds, of other classes, or in images too small'
        return f'none of the {self.total} objects of {path} can be used: {faults}'


def count_objects(
    annotations: Annotations, names: Sequence[str], min_size: float = 0
) -> ObjectCounts:
    """Count the objects that ``CocoDataset`` uses.

    Args:
        annotations: The file.
        names: The classes.
        min_size: Minimum width and height of the images, in pixels.
    """
    counts = ObjectCounts(len(annotations.objects))
    chosen = set(names)
    classes = {id_ for id_, name in annotations.categories.items() if name in chosen}
    for index, item in enumerate(annotations.objects):
        key, fault = _find_fault(annotations, item)
        if fault:
            count, place = counts.unusable.get(
                fault, (0, f'annotations[{index}].{key} {shorten(item[key])}')
            )
            counts.unusable[fault] = count + 1, place
        elif item['category_id'] in classes and not item.get('iscrowd'):
            image = annotations.images[item['image_id']]
            if min(image['width'], image['height']) >= min_size:
                counts.usable += not item.get('ignore')
    return counts


def _find_fault(annotations: Annotations, item: dict[str, Any]) -> tuple[str, str]:
    """Return the key that makes MMDetection drop an object, and why; '' if kept."""
    image = annotations.images.get(item['image_id'])
    if image is None:
        return 'image_id', 'are of images that the file does not have'
    if item['category_id'] not in annotations.categories:
        return 'category_id', 'are of categories that the file does not have'
    x, y, width, height = item['bbox']
    if width < 1 or height < 1:
        return 'bbox', 'have boxes of less than one pixel'
    if x >= image['width'] or y >= image['height'] or x + width <= 0 or y + height <= 0:
        return 'bbox', 'have boxes outside their images'
    if item['area'] <= 0:
        return 'area', 'have no area'
    return '', ''


__all__ = ['ObjectCounts', 'count_objects']
