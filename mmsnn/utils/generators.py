"""The states of the random number generators, as plain values for a checkpoint."""

import random
from typing import Any

import numpy as np
import torch


def get_generator_states() -> dict[str, Any]:
    """Return the states of Python's, NumPy's and torch's generators.

    The state of the current CUDA device is included if there is one. The values are
    lists, numbers and tensors, which torch loads safely.
    """
    version, keys, gauss = random.getstate()
    # legacy=True returns a tuple
    name, numpy_keys, *rest = np.random.get_state(legacy=True)
    states = {
        'python': [version, list(keys), gauss],
        'numpy': [name, np.asarray(numpy_keys).tolist(), *rest],
        'torch': torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states['cuda'] = torch.cuda.get_rng_state()
    return states


def set_generator_states(states: dict[str, Any]) -> None:
    """Set the generators to what :func:`get_generator_states` returned.

    Raises:
        ValueError: If ``states`` is not such a dict.
    """
    try:
        version, keys, gauss = states['python']
        random.setstate((version, tuple(keys), gauss))
        name, numpy_keys, *rest = states['numpy']
        np.random.set_state((name, np.array(numpy_keys, dtype=np.uint32), *rest))
        torch.set_rng_state(states['torch'].cpu())
        if 'cuda' in states and torch.cuda.is_available():
            torch.cuda.set_rng_state(states['cuda'].cpu())
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f'these are not the states of generators: {error}') from error
