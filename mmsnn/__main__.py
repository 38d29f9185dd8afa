"""``python -m mmsnn`` is the same as ``mmsnn``."""

from mmsnn.cli.main import main

if __name__ == '__main__':
    main()
