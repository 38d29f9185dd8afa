"""tools/analysis_tools/analyze_logs.py on logs written by hand."""

import json
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from .tiny_coco import Call

TOOL = 'analyze_logs'


@pytest.fixture(autouse=True)
def run(folder: Path) -> Path:
    """The work dir of two runs; the log of the later one has 2 epochs."""
    write(Path('run/20260101_000000'), [dict(loss=9.0, iter=1, step=1)])
    entries = []
    for epoch in (1, 2):
        entries += [
            dict(loss=1 / i, time=time, epoch=epoch, iter=i, step=i)
            for i, time in zip(
                range(3 * epoch - 2, 3 * epoch + 1), (9, epoch, epoch), strict=True
            )
        ]
        entries.append({'coco/bbox_mAP': 0.1 * epoch, 'time': 7, 'step': epoch})
    write(Path('run/20260102_000000'), entries)
    return Path('run')


def write(folder: Path, entries: list[dict]) -> Path:
    path = folder / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(map(json.dumps, entries)) + '\n')
    return path


def test_times(run: Path, call_tool: Call) -> None:
    assert call_tool(TOOL, 'cal_train_time', run).out.strip().splitlines() == [
        f'-----Analyze train time of {run}/20260102_000000/vis_data/scalars.json-----',
        'slowest epoch 2, average time is 2.0000 s/iter',
        'fastest epoch 1, average time is 1.0000 s/iter',
        'time std over epochs is 0.5000',
        'average iter time: 1.5000 s/iter',
    ]
    printed = call_tool(TOOL, 'cal_train_time', run, '--include-outliers').out
    assert 'average iter time: 4.0000 s/iter' in printed
    # a run by iterations
    entries = [dict(time=time, iter=i, step=i) for i, time in enumerate((9, 1, 3))]
    printed = call_tool(TOOL, 'cal_train_time', write(Path('other'), entries)).out
    assert 'average iter time: 2.0000 s/iter' in printed


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved."""
    saved: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, 'savefig', lambda self, *args: (saved.append(self), save(self, *args))
    )
    return saved


def test_curves(run: Path, call_tool: Call, figures: list[Figure]) -> None:
    keys = ['--keys', 'loss', 'coco/bbox_mAP']
    call_tool(TOOL, 'plot_curve', run, *keys, '--out', 'new/a.png', '--start-epoch', 2)
    assert Image.open('new/a.png').width > 500
    (figure,) = figures
    train, evaluation = figure.axes
    assert train.get_xlabel() == 'iteration'
    assert evaluation.get_xlabel() == 'epoch'
    (curve,) = train.lines
    assert curve.get_label() == 'run: loss'
    assert curve.get_xdata().tolist() == [4, 5, 6]
    assert curve.get_ydata().tolist() == [1 / 4, 1 / 5, 1 / 6]
    (curve,) = evaluation.lines
    assert curve.get_xdata().tolist() == [2]
    assert curve.get_ydata().tolist() == [0.2]


def test_legend_and_title(run: Path, call_tool: Call, figures: list[Figure]) -> None:
    first = run / '20260101_000000'
    names = ['--legend', 'old', 'new', '--title', 'Two runs']
    call_tool(TOOL, 'plot_curve', first, run, *names)
    (axis,) = figures[0].axes
    assert [line.get_label() for line in axis.lines] == ['old', 'new']
    assert axis.get_ylabel() == 'loss'
    assert figures[0].get_suptitle() == 'Two runs'
