"""What training and testing show on the console, and what only the log file has."""

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from mmengine_instances import separate_run
from test_engine.noisy_regression import make_config

from mmsnn.cli.common.console import metrics_table
from mmsnn.cli.common.runs import build_runner


def run(work_dir: Path, verbose: bool) -> tuple[str, str]:
    """Return what an epoch of training shows, and its log file."""
    cfg = make_config(
        work_dir,
        launcher='none',
        log_level='INFO',
        train_cfg=dict(by_epoch=True, max_epochs=1),
        default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
        custom_hooks=[],
    )
    shown = io.StringIO()
    with separate_run(), contextlib.redirect_stdout(shown):
        runner = build_runner(cfg, verbose)
        runner.train()
        runner.logger.warning('the loss is large')
        runner.logger.warning('a function will be deprecated')
    (log,) = work_dir.glob('*/*.log')
    return shown.getvalue(), log.read_text()


def test_the_console_shows_header_progress_warnings_and_evaluations(
    tmp_path: Path,
) -> None:
    shown, log = run(tmp_path, verbose=False)
    header, rest = shown.split('Epoch(train)', 1)
    lines = dict(line.split(': ', 1) for line in header.strip().splitlines())
    assert list(lines) == ['config', 'model', 'train', 'val', 'log']
    assert lines['model'].split(' on ')[0].strip() == 'NoisyRegression, 65 parameters,'
    assert lines['train'].strip() == '8 samples of NoisySamples, batch size 4'
    assert Path(lines['log'].strip()).read_text() == log
    progress = [x for x in shown.splitlines() if x.startswith('Epoch(train)')]
    assert [re.search(r'\[(\d/\d)\]', x)[1] for x in progress] == ['1/2', '2/2']
    table = rest[rest.index('Evaluation after epoch 1') :].splitlines()
    assert table[2].split() == ['error', 'epoch']
    assert table[4].split()[0] == 'mean'
    assert float(table[4].split()[1]) == pytest.approx(
        float(re.search(r'mean/error: ([\d.]+)', log)[1]), abs=1e-3
    )
    assert shown.splitlines()[-1] == 'warning: the loss is large'


def test_the_log_file_and_verbose_have_everything(tmp_path: Path) -> None:
    for verbose in (True, False):
        shown, log = run(tmp_path / str(verbose), verbose)
        for text in ('Hooks will be executed', 'Epoch(val)', 'will be deprecated'):
            assert text in log
            assert (text in shown) == (verbose or text == 'Epoch(val)')


def test_a_config_may_have_its_own_runner(tmp_path: Path) -> None:
    class OwnRunner(Runner):
        pass

    cfg = make_config(tmp_path, launcher='none', log_level='INFO', custom_hooks=[])
    cfg.runner_type = 'OwnRunner'
    RUNNERS.register_module(module=OwnRunner, force=True)
    shown = io.StringIO()
    try:
        with separate_run(), contextlib.redirect_stdout(shown):
            assert isinstance(build_runner(cfg, verbose=False), OwnRunner)
    finally:
        RUNNERS.module_dict.pop('OwnRunner')
    assert shown.getvalue() == ''


def test_metrics_of_several_prefixes_keep_their_names() -> None:
    header, _, row = metrics_table('t', {'a/x': 0.5, 'b/x': 1}).splitlines()[-3:]
    assert header.split() == ['a/x', 'b/x']
    assert row.split() == ['0.5', '1']


def test_many_metrics_are_one_below_the_other() -> None:
    metrics = {f'a/{name}': 0.25 for name in 'bcdefghijklm'}
    lines = metrics_table('t', metrics).splitlines()
    assert [line.split() for line in lines[-12:]] == [
        [n, '0.25'] for n in 'bcdefghijklm'
    ]


@pytest.mark.slow  # by default, test_errors.py looks at what a training prints
def test_imports_of_the_frameworks_print_nothing() -> None:
    code = (
        'from mmsnn.cli.common.quiet_imports import quiet_imports; quiet_imports()\n'
        'import mmdet.datasets, mmpretrain.datasets\n'
        'from pycocotools.coco import COCO; COCO().createIndex()'
    )
    result = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True
    )
    assert result.stdout == ''
