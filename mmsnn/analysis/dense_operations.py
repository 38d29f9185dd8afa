"""Number of dense multiply-accumulates, as counted by MMEngine."""

import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any

from mmengine.analysis import get_model_complexity_info


def count_dense(
    model: Any, batch: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[int, ...]]:
    """Count the dense operations of a model.

    Args:
        model: A model of MMEngine.
        batch: The input of its ``test_step``, of one image.

    Returns:
        MMEngine's result, and the shape of the image.
    """
    data = model.data_preprocessor(batch)
    forward = model.forward
    model.forward = partial(forward, data_samples=data['data_samples'])
    with warnings.catch_warnings():
        # Tracing warns about every Python condition in the model.
        warnings.simplefilter('ignore')
        result = get_model_complexity_info(
            model, inputs=(data['inputs'],), show_arch=False
        )
    model.forward = forward
    return result, tuple(data['inputs'].shape[1:])
