"""The dense count of multiply-accumulates, as MMEngine traces it."""

import warnings
from collections.abc import Iterable
from functools import partial
from statistics import fmean
from typing import Any

from mmengine.analysis import get_model_complexity_info


def count_dense(
    model: Any, batches: Iterable[dict[str, Any]]
) -> tuple[dict[str, Any], list[str]]:
    """Count, once for each shape of inputs.

    Returns:
        What MMEngine gives of the last image, 'flops' and 'activations' averaged over
        all of them; the shapes.
    """
    counts: dict[tuple[int, ...], dict[str, Any]] = {}
    shapes = []
    forward = model.forward
    for batch in batches:
        data = model.data_preprocessor(batch)
        shape = tuple(data['inputs'].shape)
        shapes.append(shape)
        if shape in counts:
            continue
        model.forward = partial(forward, data_samples=data['data_samples'])
        with warnings.catch_warnings():
            # Tracing a model of Python conditions warns of each.
            warnings.simplefilter('ignore')
            counts[shape] = get_model_complexity_info(
                model, inputs=(data['inputs'],), show_arch=False
            )
    model.forward = forward
    means = {
        name: fmean(counts[shape][name] for shape in shapes)
        for name in ('flops', 'activations')
    }
    shown = sorted('x'.join(map(str, shape[1:])) for shape in counts)
    return {**counts[shapes[-1]], **means}, shown
