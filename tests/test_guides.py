"""Commands and examples of the guides for newcomers, and the notebooks, work."""

import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.registry import VISBACKENDS
from mmengine_instances import separate_run
from nbclient import NotebookClient

from mmsnn.cli.main import main, make_parser
from mmsnn.utils.config_files import load_config

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / 'docs'
PAGES = {
    name: (DOCS / f'{name}.md').read_text(encoding='utf-8')
    for name in ('getting_started', 'own_data', 'mix_in', 'events')
}
NOTEBOOKS = sorted(DOCS.glob('notebooks/*.ipynb'))
CONFIGS = {'own_data': 'mine.py', 'mix_in': 'spiking.py'}
"""Page to the name of the config that it lets the reader write."""
FEW = ['--num-train', '16', '--num-val', '4']
ONE_EPOCH = (
    'train_cfg.max_epochs=1',
    'train_cfg.val_interval=1',
    'default_hooks.checkpoint.interval=1',
)


def commands(page: str) -> Iterator[list[str]]:
    for block in re.findall(r'```bash\n(.*?)```', PAGES[page], re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            # the guides' tools have tests of their own
            if words and not words[1].startswith('tools/'):
                yield words


def examples(page: str) -> list[str]:
    return re.findall(r'```python\n(.*?)```', PAGES[page], re.DOTALL)


def call(patch: pytest.MonkeyPatch, *words: object) -> None:
    patch.setattr(sys, 'argv', ['mmsnn', *map(str, words)])
    with separate_run():
        main()


def quick(words: list[str]) -> list[str]:
    """Return a command with less data and one epoch."""
    words = [re.sub(r'epoch_\d+\.pth', 'epoch_1.pth', word) for word in words]
    if words[0] == 'datasets':
        return words + FEW
    if words[0] == 'train':
        option = [] if '--cfg-options' in words else ['--cfg-options']
        return [*words, *option, *ONE_EPOCH]
    return words


def make_parity_set(digits: Path, folder: Path) -> None:
    """Write a data set of even and odd digits, as the page describes its files."""
    folder.mkdir()
    for split in ('train', 'val'):
        (folder / split).symlink_to(digits / split)
        file = digits / 'annotations' / f'instances_{split}.json'
        content = json.loads(file.read_text())
        digit = {kind['id']: int(kind['name']) for kind in content['categories']}
        content['categories'] = [dict(id=1, name='even'), dict(id=2, name='odd')]
        for box in content['annotations']:
            box['category_id'] = 1 + digit[box['category_id']] % 2
        (folder / f'{split}.json').write_text(json.dumps(content))


def test_options_of_the_first_commands_fit_their_configs() -> None:
    parsed = [
        make_parser().parse_args(words[1:]) for words in commands('getting_started')
    ]
    with_config = [args for args in parsed if hasattr(args, 'config')]
    assert with_config
    for args in with_config:
        load_config(args.config, args.cfg_options)


@pytest.mark.parametrize('page', CONFIGS)
def test_config_is_a_detector(page: str, tmp_path: Path) -> None:
    path = tmp_path / CONFIGS[page]
    path.write_text(examples(page)[0])
    cfg = load_config(str(path))
    register_all_modules()
    model = MODELS.build(cfg.model).eval()
    assert model.bbox_head.num_classes == (2 if page == 'own_data' else 80)
    with torch.no_grad():
        features = model.extract_feat(torch.zeros(1, 3, 64, 64))
    assert len(features) == 5
    if page == 'own_data':
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
            assert loader.dataset.metainfo.classes == ('even', 'odd')


def test_backends_of_the_visualizer_exist() -> None:
    lines = [text for text in examples('getting_started') if 'visualizer' in text]
    assert len(lines) == 3
    for line in lines:
        cfg = Config.fromstring(line, '.py')
        for backend in cfg.visualizer.vis_backends:
            assert VISBACKENDS.get(backend.type) is not None


@pytest.mark.slow
def test_the_first_steps_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in commands('getting_started'):
        call(monkeypatch, *quick(words[1:]))
    assert 'Epoch(train) [1][2/2]' in capsys.readouterr().out
    assert list(tmp_path.glob('work_dirs/*/*/pictures/*.png'))
    assert list(tmp_path.glob('work_dirs/tensorboard/*/vis_data/events*'))
    reports = tmp_path.glob('work_dirs/*/analysis/*/report.html')
    assert {path.parent.name for path in reports} == {'energy', 'firing_rate', 'spikes'}
    (example,) = (text for text in examples('getting_started') if 'detector(' in text)
    with separate_run():
        exec(example, {})
    assert 'scores' in capsys.readouterr().out


@pytest.mark.slow
def test_an_own_data_set_is_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    call(monkeypatch, 'datasets', 'digits-detection', *FEW)
    make_parity_set(tmp_path / 'data/digits_detection', tmp_path / 'data/mine')
    (tmp_path / 'mine.py').write_text(examples('own_data')[0])
    for words in commands('own_data'):
        call(monkeypatch, *quick(words[1:]))
    shown = capsys.readouterr()
    assert 'bbox_head.retina_cls.weight' in shown.err
    assert (tmp_path / 'work_dirs/mine/analysis/energy/report.html').is_file()


@pytest.mark.slow
def test_recordings_of_events_are_detected_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in commands('events'):
        call(monkeypatch, *quick(words[1:]))
    shown = capsys.readouterr().out
    # four recordings of 2 s, then one of them in frames of 25 ms
    assert ' in 80 windows, ' in shown and ' in 80 frames, ' in shown
    images = json.loads((tmp_path / 'work_dirs/detect/images.json').read_text())
    assert len(images['images']) == 80
    assert len(list(tmp_path.glob('work_dirs/detect/pictures/*.mp4'))) == 4


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_committed_without_outputs(path: Path) -> None:
    cells = json.loads(path.read_text(encoding='utf-8'))['cells']
    code = [cell for cell in cells if cell['cell_type'] == 'code']
    assert code
    for cell in code:
        assert cell['outputs'] == []
        assert cell['execution_count'] is None


@pytest.mark.slow
@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    resources = dict(metadata=dict(path=str(tmp_path)))
    NotebookClient(notebook, timeout=1200, resources=resources).execute()
    outputs = [x for cell in notebook.cells for x in cell.get('outputs', [])]
    assert any('image/png' in x.get('data', {}) for x in outputs)
