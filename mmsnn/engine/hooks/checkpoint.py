"""Atomic checkpoints: safe if training is killed, and exact when it is resumed."""

import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.dist import all_gather_object, is_main_process
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from mmsnn.registry import HOOKS
from mmsnn.utils.atomic_files import ATOMIC, remove_temporaries, write_atomically
from mmsnn.utils.disk_room import check_room
from mmsnn.utils.errors import UserError, first_line
from mmsnn.utils.generators import get_generator_states, set_generator_states
from mmsnn.utils.worker_seeds import EpochSeededDataset, own_generator, seed_workers

STATE = 'mmsnn'
"""The section of a checkpoint that this hook adds to MMEngine's."""


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook``, safe against kills and full disks.

    All files, including best checkpoints and ``last_checkpoint``, are written under a
    temporary name, flushed to the disk and renamed; older checkpoints are deleted only
    afterwards. After the first save, a complete checkpoint exists at all times. The
    states of all random number generators are saved as well, and whether the evaluation
    that follows has been run, so that resumed training continues exactly as it would
    have without the interruption.

    The arguments are those of ``CheckpointHook``. On backends other than the local
    disk, files are written by the backend.
    """

    backend_args: dict[str, Any] | None
    keep_ckpt_ids: deque[int]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._evaluated = False  # whether the current weights are evaluated
        self._saved_evaluated = False  # whether the last saved weights are evaluated
        self._state: dict[str, Any] | None = None
        self._resumed: dict[str, Any] | None = None
        self._previous_best: dict[str, str | None] = {}  # while new ones are saved

    def before_train(self, runner: Runner) -> None:
        """Check the free disk space, and restore the state of resumed training.

        Raises:
            UserError: If there is not enough free space.
        """
        folder = self.out_dir or runner.work_dir
        if self.file_client_args is None and isinstance(
            get_file_backend(folder, backend_args=self.backend_args), LocalBackend
        ):
            self.backend_args = {'backend': ATOMIC}
        super().before_train(runner)
        if self.backend_args == {'backend': ATOMIC} and is_main_process():
            self._prepare_folder(runner)
        _seed_loaders(runner)
        self._restore(runner)

    def _prepare_folder(self, runner: Runner) -> None:
        remove_temporaries(self.out_dir, '*.pth')
        num_full = max(self.max_keep_ckpts, 1) + 1
        if self.max_keep_ckpts > 0:
            kept = map(self._path_of, self.keep_ckpt_ids)
            num_full -= sum(map(self.file_backend.isfile, kept))
        best = self._best_paths() if self.save_best else {}
        # one more, because the old one is deleted after the new one is written
        num_best = bool(best) + sum(path is None for path in best.values())
        check_room(runner, self.out_dir, num_full, num_best)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Keep the saved state until training starts."""
        if runner._resume:
            self._resumed = checkpoint.get(STATE)

    def _restore(self, runner: Runner) -> None:
        resumed, self._resumed = self._resumed, None
        if resumed is None:
            return
        try:
            states, evaluated = resumed['generators'], resumed['evaluated']
            for name in resumed['outdated']:
                if name.startswith('best_'):
                    self._remove(str(Path(self.out_dir, name)))
            if len(states) == runner.world_size:
                set_generator_states(states[runner.rank])
            else:
                runner.logger.warning(
                    'The states of the random number generators are not restored: '
                    f'they are those of {len(states)} processes'
                )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UserError(
                f'the section {STATE!r} of the resumed checkpoint is unusable '
                f'({first_line(error)})'
            ) from error
        if not evaluated and _is_evaluation_due(runner, self.by_epoch):
            runner.logger.info('The evaluation that was interrupted is run again')
            self.last_ckpt = self._path_of(self._num_done(runner))
            runner.val_loop.run()

    def before_save_checkpoint(
        self, runner: Runner, checkpoint: dict[str, Any]
    ) -> None:
        """Add the state to checkpoints for resuming, and make weights contiguous."""
        if self._state is not None:
            checkpoint[STATE] = self._state
        for section in ('state_dict', 'ema_state_dict'):
            for name, weight in checkpoint.get(section, {}).items():
                checkpoint[section][name] = weight.contiguous()

    def before_train_epoch(self, runner: Runner) -> None:
        """Pass the epoch to the worker processes of the data loader."""
        dataset = getattr(runner.train_dataloader, 'dataset', None)
        if isinstance(dataset, EpochSeededDataset):
            dataset.start_epoch(runner.epoch)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, Any]) -> None:
        """Save the best checkpoint, and record that the evaluation has been run."""
        self._evaluated = True
        super().after_val_epoch(runner, metrics)
        if self.last_ckpt is None or self._saved_evaluated:
            return
        step = self._num_done(runner)
        if self.last_ckpt == self._path_of(step):
            meta = {'epoch': runner.epoch, 'iter': runner.iter}
            self._save_checkpoint_with_step(runner, step, meta)

    def _save_checkpoint(self, runner: Runner) -> None:
        self._evaluated = False
        super()._save_checkpoint(runner)

    def _save_checkpoint_with_step(
        self, runner: Runner, step: int, meta: dict[str, Any]
    ) -> None:
        """Save a checkpoint, update ``last_checkpoint``, then delete older ones."""
        outdated = self._keep(runner, step)
        self.last_ckpt = self._path_of(step)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        # On all processes, although only the main process saves.
        states = all_gather_object(get_generator_states())
        self._state = {
            'generators': states,
            'evaluated': self._evaluated,
            # Deleted on resuming, if training is killed before they are deleted.
            'outdated': [Path(path).name for path in self._replaced_best()],
        }
        with self._explain_failure():
            runner.save_checkpoint(
                self.out_dir,
                self.filename_tmpl.format(step),
                self.file_client_args,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=meta,
                by_epoch=self.by_epoch,
                backend_args=self.backend_args,
                **self.args,
            )
            if is_main_process():
                pointer = Path(runner.work_dir, 'last_checkpoint')
                write_atomically(pointer, os.fsencode(self.last_ckpt))
        self._state = None
        self._saved_evaluated = self._evaluated
        for path in outdated:
            self._remove(path)

    def _keep(self, runner: Runner, step: int) -> list[str]:
        """Record that ``step`` is kept; return the files to delete after saving it."""
        if self.max_keep_ckpts <= 0:
            return []
        steps = list(self.keep_ckpt_ids)
        if step not in steps:
            steps.append(step)
        # Includes outdated ones, so that resuming deletes them if training is killed.
        runner.message_hub.update_info('keep_ckpt_ids', steps)
        self.keep_ckpt_ids = deque(steps, self.max_keep_ckpts)
        return [self._path_of(old) for old in steps[: -self.max_keep_ckpts]]

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, Any]) -> None:
        """Save the best checkpoints, then delete those that they replace.

        Raises:
            UserError: If a metric of ``save_best`` has not been evaluated.
        """
        if not self.save_best:
            return
        unknown = set(self.key_indicators) - {'auto', *metrics}
        if unknown:
            raise UserError(
                f'save_best of the checkpoint hook must be among the metrics '
                f'{", ".join(metrics)}, but got {", ".join(sorted(unknown))}'
            )
        self._previous_best = self._best_paths()
        # Cleared, because MMEngine deletes these files before saving.
        self._set_best_paths(dict.fromkeys(self._previous_best))
        with self._explain_failure():
            super()._save_best_checkpoint(runner, metrics)
        replaced, current = self._replaced_best(), self._best_paths()
        self._set_best_paths(
            {key: new or self._previous_best[key] for key, new in current.items()}
        )
        self._previous_best = {}
        for path in replaced:
            self._remove(path)

    def _replaced_best(self) -> set[str]:
        """Return the previous best checkpoints that better ones replace."""
        previous = self._previous_best
        current = self._best_paths() if previous else {}
        kept = {new or previous[key] for key, new in current.items()}
        return {path for path in previous.values() if path and path not in kept}

    def _best_paths(self) -> dict[str, str | None]:
        """Return the best checkpoint of each metric of ``save_best``."""
        if len(self.save_best) == 1:
            return {self.save_best[0]: self.best_ckpt_path}
        return dict(self.best_ckpt_path_dict)

    def _set_best_paths(self, paths: dict[str, str | None]) -> None:
        if len(self.save_best) == 1:
            (self.best_ckpt_path,) = paths.values()
        else:
            self.best_ckpt_path_dict = paths

    def _num_done(self, runner: Runner) -> int:
        """Return the number of completed epochs or iterations."""
        return int(runner.epoch if self.by_epoch else runner.iter)

    def _path_of(self, step: int) -> str:
        name = self.filename_tmpl.format(step)
        return str(self.file_backend.join_path(self.out_dir, name))

    def _remove(self, path: str) -> None:
        # The path may come from a resumed checkpoint: only delete files in out_dir.
        if not is_main_process() or Path(path).parent != Path(self.out_dir):
            return
        if self.file_backend.isfile(path):
            self.file_backend.remove(path)
        elif self.file_backend.isdir(path):
            # DeepSpeed saves folders.
            self.file_backend.rmtree(path)

    @contextmanager
    def _explain_failure(self) -> Iterator[None]:
        """Report a full or unwritable disk in one line."""
        try:
            yield
        except OSError as error:
            raise UserError(
                f'the next checkpoint cannot be saved in {self.out_dir!r} '
                f'({error.strerror or error}); older ones are intact: train.py '
                '--resume continues from the newest'
            ) from error


def _seed_loaders(runner: Runner) -> None:
    """Seed the data loaders, so that resumed training draws the same numbers."""
    seed = runner.seed + runner.rank
    for loop in (runner.train_loop, runner.val_loop):
        loader = getattr(loop, 'dataloader', None)
        if isinstance(loader, DataLoader):
            own_generator(loader, seed)
            if loop is runner.train_loop:
                seed_workers(loader, seed, _first_batch(runner, loader))


def _first_batch(runner: Runner, loader: DataLoader) -> int | None:
    """Return the number of the first batch to be loaded; None if epochs count."""
    if not isinstance(runner.train_loop, IterBasedTrainLoop):
        return None
    # without `skip`, resumed training loads all batches again
    return runner.iter if hasattr(loader.sampler, 'skip') else 0


def _is_evaluation_due(runner: Runner, by_epoch: bool) -> bool:
    """Return whether MMEngine's loop evaluates at the current epoch or iteration."""
    loop: Any = runner.train_loop
    kind = EpochBasedTrainLoop if by_epoch else IterBasedTrainLoop
    if runner.val_loop is None or not isinstance(loop, kind):
        return False
    loop._decide_current_val_interval()
    done, end = loop.iter, loop.max_iters
    if by_epoch:
        done, end = loop.epoch, loop.max_epochs
    return bool(
        done >= loop.val_begin and (done % loop.val_interval == 0 or done == end)
    )
