"""Check that the installed stack works; run by the environment's own Python.

Exits with a message if something is wrong.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

# OpenCV comes first: nothing else may have loaded a screen's library before it.
MODULES = ('cv2', 'torch', 'mmcv.ops', 'mmdet', 'mmpretrain', 'spikingjelly')
SCREEN_LIBRARIES = ('libGL.so', 'libQt5')


def screen_libraries(maps: str) -> list[str]:
    """Return the screen libraries that a `/proc/<pid>/maps` shows as loaded."""
    return [name for name in SCREEN_LIBRARIES if name in maps]


def main() -> str | None:
    """Return what is wrong, or None."""
    for name in MODULES:
        try:
            importlib.import_module(name)
        except Exception as error:
            return f'importing {name} failed: {type(error).__name__}: {error}'
        if name == 'cv2':
            loaded = screen_libraries(Path('/proc/self/maps').read_text())
            if loaded:
                return f"OpenCV needs a screen's libraries: {', '.join(loaded)}"
    return None


if __name__ == '__main__':
    sys.exit(main())
