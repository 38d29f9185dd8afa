"""Progress bars: on a terminal only, and never in the way of the items."""

import pytest

from mmsnn.cli.common.progress import track, working


@pytest.mark.parametrize('terminal', [False, True])
def test_track(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv('TTY_COMPATIBLE', str(int(terminal)))
    assert list(track(range(3), 'Counting')) == [0, 1, 2]
    printed = capsys.readouterr()
    assert not printed.out
    assert ('Counting' in printed.err) is terminal


@pytest.mark.parametrize('terminal', [False, True])
def test_working(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv('TTY_COMPATIBLE', str(int(terminal)))
    with working('Making the images'):
        pass
    printed = capsys.readouterr()
    assert not printed.out
    assert ('Making the images' in printed.err) is terminal
