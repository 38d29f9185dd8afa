"""Reuse of freed memory by the next allocations."""

import ctypes
import os
import sys

# parameters of mallopt(3)
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3

_HIGHEST = 2**31 - 1
_LARGEST_BLOCK = 2**25


def keep_freed_memory() -> None:
    """Let glibc keep freed blocks of up to 32 MiB for the next allocation.

    By default it returns the free end of the heap to the system. A training step frees
    its activations and allocates as many again, and each page that the system provides
    again costs a page fault.

    The setting holds for the whole process and is meant for commands. Settings of the
    user, ``MALLOC_..._`` and ``glibc.malloc`` in ``GLIBC_TUNABLES``, take precedence.
    With another C library, it does nothing.
    """
    settings = os.environ.get('GLIBC_TUNABLES', '')
    if 'glibc.malloc.' in settings or any(n.startswith('MALLOC_') for n in os.environ):
        return
    if sys.platform != 'linux':
        return
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is not None:
        # setting only one would stop glibc from adapting the other
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_BLOCK)
        mallopt(_M_TRIM_THRESHOLD, _HIGHEST)
