"""Classes of a checkpoint that are not those of the data."""

import pytest

from mmsnn.utils.class_checks import compare_classes

from . import coco_files


@pytest.mark.parametrize(
    ('trained', 'difference'),
    [
        ((), None),
        (coco_files.NAMES, None),
        (list(coco_files.NAMES), None),
        (('dog', 'cat', 'cow'), "label 0 was 'dog' and is 'cat', 1 was 'cat' and is"),
        (('cat', 'dog'), "label 2 was None and is 'cow'"),
    ],
)
def test_classes_of_a_checkpoint(
    trained: tuple[str, ...], difference: str | None
) -> None:
    message = compare_classes(coco_files.make_config(), 'val', trained, 'a.pth')
    assert (message is None) == (difference is None)
    if message is not None:
        assert str(difference) in message
        assert 'a.pth' in message
        assert 'val_dataloader.dataset' in message
