"""Number of dense multiply-accumulates, as counted by MMEngine."""

import warnings
from collections.abc import Iterable
from functools import partial
from statistics import fmean
from typing import Any

from mmengine.analysis import get_model_complexity_info


def count_dense(
    model: Any, batches: Iterable[dict[str, Any]]
) -> tuple[dict[str, Any], list[str]]:
    """Count the dense operations of a model, once per shape of the inputs.

    Returns:
        MMEngine's result for the last batch, with 'flops' and 'activations' averaged
        over all batches, and the shapes of the inputs.
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
            # Tracing warns about every Python condition in the model.
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
