"""Measure training while another program occupies a core, by thread policy.

A training step of the demo's detector is run in one process per policy, because OpenMP
reads the spin count of its threads only once, when torch is loaded. The processes take
turns, first on the idle machine, then next to a program that occupies one core.

Usage:
    python benchmarks/contention.py [--pairs 20] [--images 8] [--size 128]
        [--threads 2] [--json FILE]
"""

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import _pairs

CONFIG = 'spiking_retinanet/spiking-retinanet_sg-r10-asd_fpn_1xb8-8e_digits.py'
DEFAULT = 'libgomp default'
ONE = 'one thread'
POLICIES = {
    DEFAULT: {'GOMP_SPINCOUNT': '300000'},
    **{f'spin count {n}': {'GOMP_SPINCOUNT': str(n)} for n in (1000, 3000, 10000)},
    'passive': {'OMP_WAIT_POLICY': 'passive'},
    ONE: {},
}
IDLE, BUSY = ', idle', ', one core occupied'
OCCUPY = """import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
while True:
    pass
"""


class Worker:
    """A process that runs a training step on request.

    Args:
        policy: A key of :data:`POLICIES`.
        args: The options.
    """

    def __init__(self, policy: str, args: argparse.Namespace) -> None:
        threads = 1 if policy == ONE else args.threads
        numbers = [str(n) for n in (threads, args.images, args.size)]
        unset = ('GOMP_SPINCOUNT', 'OMP_WAIT_POLICY', 'OMP_NUM_THREADS')
        env = {k: v for k, v in os.environ.items() if k not in unset}
        self._process = subprocess.Popen(
            [sys.executable, __file__, 'serve', *numbers],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=env | POLICIES[policy],
        )

    def __call__(self) -> None:
        """Run one step and wait for its end.

        Raises:
            RuntimeError: If the process has ended.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError('the worker has no pipes')
        stdin.write('step\n')
        stdin.flush()
        if not stdout.readline():
            raise RuntimeError(f'a worker ended with code {self._process.wait()}')

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


def serve(threads: int, images: int, size: int) -> None:
    """Run a training step for each line of standard input, and answer with a line."""
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # output of libraries must not be taken for answers
    step = make_step(threads, images, size)
    for _ in sys.stdin:
        step()
        answers.write('done\n')
        answers.flush()


def make_step(threads: int, images: int, size: int) -> Any:
    """Return a function that trains the demo's detector for one step."""
    import mmsnn  # noqa: F401

    # isort: split
    import torch
    from detector import build, make_samples

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = build(CONFIG).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    batch = torch.rand(images, 3, size, size)
    samples = make_samples(images, size)
    for sample in samples:
        sample.gt_instances.labels %= 10

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        losses = model.loss(batch, samples)
        model.parse_losses(losses)[0].backward()
        optimizer.step()

    return step


@contextlib.contextmanager
def occupied_core() -> Iterator[None]:
    """Occupy one core with another program in this context."""
    program = subprocess.Popen([sys.executable, '-c', OCCUPY])
    try:
        time.sleep(0.5)
        yield
    finally:
        program.kill()
        program.wait()


def main() -> None:
    """Measure and print."""
    args = _pairs.parse_args(
        'Measure training beside a program that occupies a core',
        20,
        images=(8, 'images of a batch'),
        size=(128, 'pixels of height and width'),
    )
    workers = {policy: Worker(policy, args) for policy in POLICIES}
    times: _pairs.Times = {}
    try:
        for situation in (IDLE, BUSY):
            cases = {policy + situation: worker for policy, worker in workers.items()}
            with occupied_core() if situation == BUSY else contextlib.nullcontext():
                times |= _pairs.take_turns(cases, args.pairs)
    finally:
        for worker in workers.values():
            worker.stop()
    idle = [(name + IDLE, DEFAULT + IDLE) for name in POLICIES if name != DEFAULT]
    busy = [(name + BUSY, ONE + BUSY) for name in POLICIES if name != ONE]
    _pairs.save(args, times, idle + busy)


if __name__ == '__main__':
    if sys.argv[1:2] == ['serve']:
        serve(*map(int, sys.argv[2:]))
    else:
        _pairs.run(main)
