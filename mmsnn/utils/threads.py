"""Active waiting of PyTorch's OpenMP threads at the end of a parallel loop."""

import os

SPIN_COUNT = 3000
"""Iterations that a waiting thread spins before it sleeps; a few microseconds."""

_SETTINGS = ('GOMP_SPINCOUNT', 'OMP_WAIT_POLICY')


def limit_spinning() -> None:
    """Limit active waiting of OpenMP threads to :data:`SPIN_COUNT` iterations.

    GNU's OpenMP, which PyTorch uses on Linux, spins 300,000 iterations by default. If
    another program occupies a core, the thread that the others wait for does not run
    meanwhile, and each of the many short loops of a network takes milliseconds.

    ``GOMP_SPINCOUNT`` or ``OMP_WAIT_POLICY`` set by the user takes precedence. OpenMP
    reads the variable once, when ``torch`` is imported: a later call has no effect.
    """
    if not any(name in os.environ for name in _SETTINGS):
        os.environ['GOMP_SPINCOUNT'] = str(SPIN_COUNT)
