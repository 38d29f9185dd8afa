#!/usr/bin/env python
"""Write the weights of a trained detector to mmsnn/weights.

    python tools/docs_tools/shipped_weights.py CONFIG CHECKPOINT

The file holds the weights in fp16 and, under ``meta``, the classes, the seed, the
SHA-256 of the annotations and the mAP that ``mmsnn test`` measures. Commands use the
file if no checkpoint is given.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', type=Path)
    parser.add_argument('checkpoint')
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))

    import torch

    from mmsnn.utils.checkpoints import load_file
    from mmsnn.utils.config_files import load_config

    cfg = load_config(str(args.config), None)
    content = load_file(args.checkpoint)
    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in content['state_dict'].items()
    }
    dataset = cfg.train_dataloader.dataset
    annotations = Path(dataset.data_root, dataset.ann_file).read_bytes()
    meta = dict(
        dataset_meta=dict(classes=tuple(content['meta']['dataset_meta']['classes'])),
        seed=content['meta']['seed'],
        annotations_sha256=hashlib.sha256(annotations).hexdigest(),
    )
    path = ROOT / 'mmsnn/weights' / f'{args.config.stem}.pth'
    torch.save(dict(meta=meta, state_dict=state), path)
    with tempfile.TemporaryDirectory() as folder:
        command = ['mmsnn', 'test', str(args.config), str(path), '--work-dir', folder]
        subprocess.run([sys.executable, '-m', *command], check=True)
        columns = json.loads(Path(folder, 'coco_columns.json').read_text())
    meta['mAP'] = columns['tables']['coco']['columns']['mAP']
    torch.save(dict(meta=meta, state_dict=state), path)
    print(f'Saved {path} ({path.stat().st_size / 1e6:.1f} MB), mAP {meta["mAP"]:.3f}')


if __name__ == '__main__':
    main()
