"""What a user does with an installed mmsnn in an empty folder, in one fresh process.

Prints what came of each step as one JSON object on the last line.
"""

import contextlib
import io
import json
import runpy
import sys
from pathlib import Path
from typing import Any

import mmsnn

# isort: split
import numpy as np
import torch
from mmdet.apis import DetInferencer, inference_detector, init_detector
from mmengine.config import Config
from mmengine.hub import get_config, get_model

DETECTOR = 'mmsnn::spiking_retinanet/spiking-retinanet_sg-r10-asd_fpn_1xb8-8e_digits.py'
CLASSIFIER = 'mmsnn::digits/sg-r10-asd_1xb64-30e_digits.py'
TOOLS = Path(mmsnn.__file__).parent / '.mim' / 'tools'


def use_hub() -> dict[str, Any]:
    """Get configs and models as MMEngine's manual does."""
    return {
        'scope': get_config(DETECTOR).default_scope,
        'base': get_config('mmsnn::_base_/default_runtime.py').default_scope,
        'detector': type(get_model(DETECTOR)).__module__.partition('.')[0],
        'classifier': type(get_model(CLASSIFIER)).__module__.partition('.')[0],
    }


def inherit() -> dict[str, Any]:
    """Inherit a config of the package in one of the user's."""
    Path('mine.py').write_text(
        f'_base_ = {DETECTOR!r}\nmodel = dict(backbone=dict(depth=18))\n'
    )
    ours, base = Config.fromfile('mine.py'), get_config(DETECTOR)
    assert ours.model.backbone.depth == 18
    ours.model.backbone.depth = base.model.backbone.depth
    return {'same': ours.to_dict() == base.to_dict()}


def detect() -> dict[str, Any]:
    """Detect with a checkpoint by both of MMDetection's interfaces."""
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    detector = init_detector(get_config(DETECTOR), device='cpu')
    torch.save(
        {
            'state_dict': detector.state_dict(),
            'meta': {'dataset_meta': {'classes': list('0123456789')}},
        },
        'detector.pth',
    )
    detector = init_detector(get_config(DETECTOR), 'detector.pth', device='cpu')
    found = inference_detector(detector, image).pred_instances
    inferencer = DetInferencer(
        get_config(DETECTOR), 'detector.pth', device='cpu', show_progress=False
    )
    (inferred,) = inferencer(image, no_save_vis=True)['predictions']
    return {'boxes': len(found), 'same': found.scores.tolist() == inferred['scores']}


def run_tool(tool: str, *arguments: str) -> dict[str, Any]:
    """Run one of the package's tools."""
    sys.argv = [tool, *arguments]
    sys.path.insert(0, str((TOOLS / tool).parent))
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_path(str(TOOLS / tool), run_name='__main__')
        except SystemExit as end:
            code = int(end.code or 0)
    sys.path.pop(0)
    return {'code': code, 'out': out.getvalue(), 'err': err.getvalue()}


def main() -> None:
    few = [f'{split}_dataloader.dataset.indices=8' for split in ('train', 'val')]
    one_epoch = ('--cfg-options', 'train_cfg.max_epochs=1', *few)
    steps = {
        'package': str(Path(mmsnn.__file__).parent),
        'hub': use_hub(),
        'inherit': inherit(),
        'detect': detect(),
        'no data': run_tool('train.py', DETECTOR),
        'train': run_tool('train.py', CLASSIFIER, *one_epoch),
        'analyse': run_tool('analysis_tools/get_flops.py', DETECTOR, '--shape', '64'),
        'no config': run_tool('train.py', CLASSIFIER.replace('r10', 'r11')),
    }
    print(json.dumps(steps))


if __name__ == '__main__':
    main()
