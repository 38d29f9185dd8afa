"""Console output of training and testing; the log file has all messages."""

import logging
from collections.abc import Mapping, Sized
from pathlib import Path
from typing import Any

from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.runner import EpochBasedTrainLoop, Runner

import mmsnn
from mmsnn.reporting.tables import Column, Table, si
from mmsnn.utils.model_wrappers import unwrap

_PACKAGE = str(Path(mmsnn.__file__).parent)
_MAX_COLUMNS = 8


class ConsoleFilter(logging.Filter):
    """Filter that only shows progress, resuming and warnings.

    Dumps of the environment, config and hooks, and the frameworks' own deprecation
    warnings, are in the log file only.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is shown."""
        message = record.getMessage()
        if record.levelno >= logging.WARNING:
            return 'deprecated' not in message and ' is the alias of ' not in message
        if record.module == 'logger_hook':
            return record.funcName.endswith('_iter') and not message.startswith('Exp')
        resumes = record.module == 'runner' and record.funcName == 'resume'
        return resumes or record.pathname.startswith(_PACKAGE)


class ConsoleFormatter(logging.Formatter):
    """Formatter that shows the message and, from warnings on, its level."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as text."""
        level = record.levelname.lower()
        prefix = f'{level}: ' if record.levelno >= logging.WARNING else ''
        return prefix + record.getMessage()


class ConsoleHook(Hook):
    """Prints a header before training or testing, and a table per evaluation."""

    # before hooks that may stop the run because of the metrics
    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Print the config, model, data and folder."""
        loaders = {'train': runner.train_dataloader}
        if runner.val_loop is not None:
            loaders['val'] = runner.val_dataloader
        _print_header(runner, loaders)

    def before_test(self, runner: Runner) -> None:
        """Print the config, model, data and folder."""
        _print_header(runner, {'test': runner.test_dataloader})

    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Print the metrics of an evaluation during training."""
        if metrics and is_main_process():
            by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
            done = f'epoch {runner.epoch}' if by_epoch else f'iteration {runner.iter}'
            print(metrics_table(f'Evaluation after {done}', metrics), flush=True)


def metrics_table(title: str, metrics: Mapping[str, Any]) -> str:
    """Return metrics as a table of few columns, or of two if there are many metrics.

    A prefix that all names share becomes the heading.
    """
    prefixes = {name.rpartition('/')[0] for name in metrics}
    prefix = f'{prefixes.pop()}/' if len(prefixes) == 1 else ''
    values = {name.removeprefix(prefix): value for name, value in metrics.items()}
    heading = prefix.rstrip('/')
    if len(values) > _MAX_COLUMNS:
        columns = [Column(heading or 'metric'), Column('', format='.4g')]
        return Table(title, tuple(columns), tuple(values.items())).text()
    columns = [Column(''), *(Column(name, format='.4g') for name in values)]
    return Table(title, tuple(columns), ((heading, *values.values()),)).text()


def make_quiet(runner_class: type[Any]) -> type[Any]:
    """Return a runner class whose log is filtered on the console only."""

    def build_logger(self: Any, *args: Any, **kwargs: Any) -> MMLogger:
        logger: MMLogger = runner_class.build_logger(self, *args, **kwargs)
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler:  # not the file's
                handler.addFilter(ConsoleFilter())
                handler.setFormatter(ConsoleFormatter())
        return logger

    return type(runner_class.__name__, (runner_class,), {'build_logger': build_logger})


def _print_header(runner: Runner, loaders: Mapping[str, Any]) -> None:
    if not is_main_process():
        return
    model = unwrap(runner.model)
    parameters = sum(p.numel() for p in model.parameters())
    backbone = getattr(model, 'backbone', None)
    parts = [type(part).__name__ for part in (model, backbone) if part is not None]
    lines = {
        'config': runner.cfg.filename,
        'model': f'{" with ".join(parts)}, {si(parameters)} parameters, '
        f'on {get_device()}',
    }
    for split, loader in loaders.items():
        lines[split] = _describe_data(loader)
    lines['log'] = f'{runner.log_dir}/{runner.timestamp}.log'
    for name, text in lines.items():
        print(f'{name + ":":<8}{text}', flush=True)


def _describe_data(loader: Any) -> str:
    dataset = loader.dataset
    number = f'{len(dataset)} samples of ' if isinstance(dataset, Sized) else ''
    while hasattr(dataset, 'dataset'):
        dataset = dataset.dataset
    return f'{number}{type(dataset).__name__}, batch size {loader.batch_size}'
