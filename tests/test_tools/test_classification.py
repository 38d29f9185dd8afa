"""Classifiers by the tools, with the commands of their guide."""

import gzip
import json
import re
import shlex
import subprocess
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from mmengine.registry import MODELS

from mmsnn.datasets import make_digits_detection
from mmsnn.models import SGResNet
from mmsnn.utils.checkpoints import load_file

from .reports import save_weights
from .tiny_coco import ATTENTIVE as DIGITS
from .tiny_coco import CONFIGS, ROOT, Call, Fail

Follow = Fail
GUIDE = (ROOT / 'docs' / 'classification.md').read_text(encoding='utf-8')
SNIPPETS = re.findall(r'```python\n(.*?)```', GUIDE, re.DOTALL)
BLOCKS = re.findall(r'```bash\n(.*?)```', GUIDE, re.DOTALL)
FASHION = CONFIGS / 'fashion_mnist' / 'sg-r10-asd_1xb64-8e_fashion-mnist.py'
# An epoch of a few images.
FEW = [
    'train_cfg.max_epochs=1',
    'train_dataloader.batch_size=8',
    'train_dataloader.dataset.indices=16',
    'val_dataloader.dataset.indices=8',
    'test_dataloader.dataset.indices=8',
]


def commands(block: str) -> list[list[str]]:
    """Return the tools that a block of the guide runs, and their arguments."""
    lines = [shlex.split(line) for line in block.strip().splitlines()]
    assert all(line[0] == 'python' for line in lines)
    return [[line[1].removeprefix('tools/'), *line[2:]] for line in lines]


@pytest.fixture
def place(folder: Path) -> Path:
    """A folder in which the guide's commands find the configs."""
    (folder / 'configs').symlink_to(CONFIGS)
    return folder


@pytest.fixture
def follow(call_tool: Call) -> Follow:
    """Run a command of the guide on few images; what it makes has the name it says."""

    def run(name: str, *args: str) -> str:
        if '--cfg-options' not in args:
            args = (*args, '--cfg-options')
        at = args.index('--cfg-options') + 1
        printed = call_tool(name, *args[:at], *FEW, *args[at:]).out
        for path in Path('work_dirs').glob('*/epoch_1.pth'):
            if not (last := path.with_name('epoch_30.pth')).exists():
                last.symlink_to(path.name)
        return printed

    return run


def weights(path: str) -> dict[str, torch.Tensor]:
    return load_file(path)['state_dict']


def log_of(work_dir: str) -> str:
    return ''.join(path.read_text() for path in Path(work_dir).glob('*/*.log'))


def test_the_models_of_the_guide_build() -> None:
    names: dict[str, Any] = {}
    exec(SNIPPETS[0], names)
    with torch.device('meta'):
        model = MODELS.build(names['model'])
    assert model.head.fc.weight.shape == (100, 512)
    kinds = []
    for snippet in SNIPPETS[1:]:
        exec(snippet, names)
        part = names['model'].get('backbone', names['model'])
        kinds.append(part['init_cfg']['type'])
    assert kinds == ['mmsnn.PretrainedSteps', 'Pretrained']


def test_train_test_resume(place: Path, follow: Follow) -> None:
    train, test = commands(BLOCKS[0])
    follow(*train)
    printed = follow(*test)
    work_dir = Path('work_dirs', DIGITS.stem)
    content = json.loads((work_dir / 'metrics.json').read_text())
    assert content['config'].endswith(DIGITS.name)
    assert content['checkpoint'] == test[2]
    metrics = content['metrics']
    assert 0 <= metrics['accuracy/top1'] <= metrics['accuracy/top5'] <= 100
    lines = printed.splitlines()
    assert f'accuracy/top1  {metrics["accuracy/top1"]:.2f}' in lines
    assert f'accuracy/top5  {metrics["accuracy/top5"]:.2f}' in lines
    assert f'Saved {work_dir / "metrics.json"}' in lines
    assert not list(work_dir.rglob('coco_columns.json'))

    follow(*train, '--resume', '--cfg-options', 'train_cfg.max_epochs=2')
    assert 'resumed epoch: 1, iter: 2' in log_of(str(work_dir))


@pytest.mark.slow
def test_two_phases(place: Path, follow: Follow) -> None:
    one_step, four_steps = commands(BLOCKS[2])
    follow(*one_step)
    # with nothing to learn, the second phase ends as it starts
    follow(*four_steps, 'optim_wrapper.optimizer.lr=0', 'param_scheduler=None')
    log = log_of('work_dirs/four-steps')
    named = re.search(r'another number of time steps: (.*)', log)
    assert named is not None
    anew = set(named[1].split(', '))
    layers = (f'neck.0.decoders.0.temporal.mlp.{i}.weight' for i in (0, 2))
    assert anew == set(layers)
    before, after = (
        weights(f'work_dirs/{n}/epoch_1.pth') for n in ('one-step', 'four-steps')
    )
    learned = [n for n in before if n.endswith(('weight', 'bias')) and n not in anew]
    assert len(learned) > 20
    assert all(torch.equal(before[n], after[n]) for n in learned)
    assert all(before[n].shape != after[n].shape for n in anew)


def test_a_checkpoint_of_another_network_is_one_line(
    place: Path, fail_tool: Fail
) -> None:
    (_, config, *_), four_steps = commands(BLOCKS[2])
    wide = ['model.backbone.base_channels=16', 'model.neck.0.in_channels=[128]']
    path = Path('work_dirs/one-step/epoch_30.pth')
    path.parent.mkdir(parents=True)
    save_weights(Path(config), path, [*wide, 'model.head.in_channels=128'])
    line = fail_tool(*four_steps)
    assert line.startswith(f"checkpoint '{path}': weights do not")
    assert 'other shapes: backbone.stem.encode.conv.weight' in line


@pytest.mark.slow
def test_from_classifier_to_detector(place: Path, follow: Follow) -> None:
    data, classifier, detector = commands(BLOCKS[3])
    assert data == ['dataset_tools/digits_detection.py']
    make_digits_detection(num_train=16, num_val=8)
    follow(*classifier)
    follow(
        *detector,
        '--cfg-options',
        'optim_wrapper.optimizer.lr=0',
        'param_scheduler=None',
    )
    given = weights('work_dirs/sg-r10-asd_1xb64-30e_digits-64px/epoch_1.pth')
    got = weights(f'work_dirs/{Path(detector[1]).stem}/epoch_1.pth')
    learned = [n for n in given if re.match(r'backbone.*(weight|bias)$', n)]
    assert len(learned) > 20
    assert all(torch.equal(given[n], got[n]) for n in learned)


# Fashion-MNIST -----------------------------------------------------------------------


def test_debians_files(place: Path) -> None:
    """The guide's commands put them where the config looks, unpacked."""
    names = [
        f'{split}-{kind}-ubyte'
        for split in ('train', 't10k')
        for kind in ('images-idx3', 'labels-idx1')
    ]
    packed = place / 'packed'
    packed.mkdir()
    for name in names:
        with gzip.open(packed / f'{name}.gz', 'wb') as file:
            file.write(name.encode())
    script = BLOCKS[1].replace('/usr/share/datasets/fashion-mnist', str(packed))
    assert script != BLOCKS[1]
    subprocess.run(['bash', '-e'], input=script, text=True, check=True)
    found = {
        path.name: path.read_text() for path in Path('data/fashion_mnist').iterdir()
    }
    assert found == {name: name for name in names}


@pytest.mark.parametrize('tool', ['train.py', 'test.py'])
def test_a_download_that_fails_is_one_line(
    place: Path, fail_tool: Fail, monkeypatch: pytest.MonkeyPatch, tool: str
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise URLError('no network')

    monkeypatch.setattr(urllib.request, 'urlopen', refuse)
    arguments = [FASHION]
    if tool == 'test.py':
        state = SGResNet(10, in_channels=1, base_channels=16, stem='cifar').state_dict()
        torch.save({f'backbone.{k}': state[k] for k in state}, 'weights.pth')
        arguments += ['weights.pth', '--allow-partial']
    line = fail_tool(tool, *arguments)
    assert line.startswith('a download failed (URLError: <urlopen error no network>)')


def test_training_that_diverges_saves_nothing(place: Path, fail_tool: Fail) -> None:
    options = [*FEW, 'train_dataloader.dataset.indices=48']
    diverge = 'optim_wrapper.optimizer.lr=1e6'
    assert 'not finite' in fail_tool(
        'train.py', DIGITS, '--cfg-options', *options, diverge
    )
    assert not list(place.glob('work_dirs/**/*.pth'))
