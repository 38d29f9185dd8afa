"""Run long commands with visible progress and a complete log."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from .checks import SetupError, explain

HEARTBEAT_SECONDS = 30.0
_TAIL_LINES = 400

_COMPILED = re.compile(r'^\s*\[(\d+)/(\d+)\]')
_SHOWN = re.compile(
    r'^\s*(Downloading \S+ \([\d.]+ [MG]B\)|Building wheel for \S+(?= .*started)|'
    r'WARNING: Retrying)'
)
_INSTALLING = 'Installing collected packages: '


def shown_line(line: str) -> str | None:
    """Return what of a line of pip's is worth showing, or None."""
    if line.startswith(_INSTALLING):
        return f'Installing {line.count(",") + 1} package(s)'
    match = _SHOWN.match(line)
    return match.group(1) if match else None


def elapsed_text(seconds: float) -> str:
    """Return a duration as `45 s` or `2 min 5 s`."""
    minutes, rest = divmod(int(seconds), 60)
    return f'{minutes} min {rest} s' if minutes else f'{rest} s'


def stop(child: subprocess.Popen[bytes]) -> None:
    """End a child that leads a process group, its compilers included."""
    os.killpg(child.pid, signal.SIGTERM)
    try:
        child.wait(timeout=10)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


class Progress:
    """Turns a command's lines into what a person wants to see of them."""

    def __init__(self) -> None:
        self.started = self.spoke = time.monotonic()
        self.compiled = ''

    def see(self, line: str) -> None:
        """Show a line if it is worth it, and note how far a compilation is."""
        match = _COMPILED.match(line)
        if match:
            self.compiled = f', compiled {match.group(1)} of {match.group(2)} files'
        text = shown_line(line)
        if text:
            self._say(text)

    def tick(self) -> None:
        """Say that things go on if nothing was said for a while."""
        if time.monotonic() - self.spoke >= HEARTBEAT_SECONDS:
            spent = elapsed_text(time.monotonic() - self.started)
            self._say(f'... {spent}{self.compiled}')

    def _say(self, text: str) -> None:
        self.spoke = time.monotonic()
        print(f'    {text}', flush=True)


class Runner:
    """Runs commands; shows what matters of their output and logs all of it.

    Args:
        log_path: The file that receives the output.
        lock_fd: A descriptor that holds the set-up's lock. Children inherit it,
            so that the lock outlives this process where a child does.
        env: The children's environment.
    """

    def __init__(self, log_path: Path, lock_fd: int, env: dict[str, str]) -> None:
        self.log_path = log_path
        self.lock_fd = lock_fd
        self.env = env

    def run(self, command: Sequence[str | Path], failure: str, cwd: Path) -> None:
        """Run a command to its end.

        Args:
            command: The program and its arguments.
            failure: What failed if the command fails; used where the output
                gives no better reason.
            cwd: The folder to run in.

        Raises:
            SetupError: The command failed.
        """
        words = [str(word) for word in command]
        tail: deque[str] = deque(maxlen=_TAIL_LINES)
        with self.log_path.open('a', encoding='utf-8') as log:
            log.write(f'$ {" ".join(words)}\n')
            log.flush()
            child = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(self.lock_fd,),
                process_group=0,
                env=self.env,
                cwd=cwd,
            )
            try:
                for line in self._lines(child):
                    tail.append(line)
                    log.write(line + '\n')
                    log.flush()
                code = child.wait()
            except BaseException:
                stop(child)
                raise
        if code:
            reason = explain('\n'.join(tail), f'{failure} (exit code {code})')
            raise SetupError(f'{reason}; what was said is in {self.log_path}')

    def _lines(self, child: subprocess.Popen[bytes]) -> Iterator[str]:
        """Yield a child's lines; show some of them, and a sign of life."""
        if child.stdout is None:
            raise SetupError('a command was started without a pipe to read from')
        descriptor = child.stdout.fileno()
        progress = Progress()
        pending = b''
        while True:
            ready, _, _ = select.select([descriptor], [], [], 1.0)
            if ready:
                chunk = os.read(descriptor, 65536)
                if not chunk:
                    break
                *lines, pending = (pending + chunk).split(b'\n')
                for raw in lines:
                    line = raw.decode('utf-8', 'replace')
                    progress.see(line)
                    yield line
            progress.tick()
        if pending:
            yield pending.decode('utf-8', 'replace')
