"""The columns of Table 4 of Zhang et al. 2023 (SG ResNet), plus AP50.

MMDetection's ``CocoMetric`` computes COCO's twelve metrics but reports six of them by
default, without recalls. This module adds the missing ones to a config and sorts the
results into the table's columns.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmdet.evaluation import CocoMetric
from mmengine.config import Config
from mmengine.registry import METRICS

from mmsnn.utils.errors import UserError
from mmsnn.utils.preflight import find_class, metric_configs

# CocoMetric's name of each column. It calls the recalls at the last of `proposal_nums`
# 'AR@1000' for any number; all four recalls use this number, so that mAR and AR_S,
# AR_M, AR_L are consistent.
COLUMNS = {
    'mAP': 'mAP',
    'AP50': 'mAP_50',
    'AP_S': 'mAP_s',
    'AP_M': 'mAP_m',
    'AP_L': 'mAP_l',
    'mAR': 'AR@1000',
    'AR_S': 'AR_s@1000',
    'AR_M': 'AR_m@1000',
    'AR_L': 'AR_l@1000',
}
# Items that CocoMetric reports for boxes if `metric_items` is None.
_DEFAULT_ITEMS = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')
_DEFAULT_PROPOSAL_NUMS = (100, 300, 1000)


@dataclass(frozen=True)
class CocoColumns:
    """One row of the table: the results of one ``CocoMetric``.

    Attributes:
        prefix: The metric's prefix in MMEngine's results, such as 'coco'.
        max_dets: Maximum detections per image for the recalls, and for the precisions
            except mAP, for which pycocotools always uses 100.
        columns: Values in [0, 1] by column; None if there are no such objects or no
            detections at all.
    """

    prefix: str
    max_dets: int
    columns: Mapping[str, float | None] = field(
        default_factory=lambda: dict.fromkeys(COLUMNS)
    )

    def filled(self, metrics: Mapping[str, Any]) -> 'CocoColumns':
        """Return this row with the values in ``metrics``.

        Args:
            metrics: Result of ``Runner.test()`` or ``Runner.val()``. COCO's -1, for a
                size without objects, becomes None.
        """
        columns: dict[str, float | None] = {}
        for column, item in COLUMNS.items():
            value = metrics.get(f'{self.prefix}/bbox_{item}')
            columns[column] = None if value is None or value < 0 else float(value)
        return CocoColumns(self.prefix, self.max_dets, columns)


def request_columns(cfg: Config, split: str = 'test') -> list[CocoColumns]:
    """Make each box ``CocoMetric`` of a config report the table's columns.

    Missing items are appended to ``metric_items`` in place; call it before the runner
    is built.

    Args:
        cfg: A full config.
        split: 'test' or 'val'.

    Returns:
        An empty table for each box ``CocoMetric``, except those that only format their
        results; other evaluators are ignored.

    Raises:
        UserError: If the ``proposal_nums`` of such a metric are not a list of integers.
    """
    tables = []
    for name, metric in metric_configs(cfg, split):
        kinds = metric.get('metric', 'bbox')
        kinds = [kinds] if isinstance(kinds, str) else kinds
        class_ = find_class(METRICS, metric.get('type'), cfg.get('default_scope'))
        if class_ is None or not issubclass(class_, CocoMetric):
            continue
        if 'bbox' not in kinds or metric.get('format_only'):
            continue
        numbers = metric.get('proposal_nums', _DEFAULT_PROPOSAL_NUMS)
        if not isinstance(numbers, list | tuple) or not numbers:
            raise UserError(
                f'{name}.proposal_nums must be a list of integers, but got {numbers!r}'
            )
        items = metric.get('metric_items')
        items = list(_DEFAULT_ITEMS if items is None else items)
        items += [item for item in COLUMNS.values() if item not in items]
        metric['metric_items'] = items
        tables.append(
            CocoColumns(
                prefix=metric.get('prefix') or CocoMetric.default_prefix,
                max_dets=numbers[-1],
            )
        )
    return tables


def format_tables(tables: Iterable[CocoColumns]) -> str:
    """Return the tables as text, one line per table; '-' for missing values."""
    rows: list[list[str]] = [['metric', *COLUMNS]]
    for table in tables:
        values = [table.columns[column] for column in COLUMNS]
        cells = ['-' if value is None else f'{value:.3f}' for value in values]
        rows.append([table.prefix, *cells])
    width = max(len(row[0]) for row in rows)
    return '\n'.join(
        row[0].ljust(width) + ''.join(cell.rjust(7) for cell in row[1:]) for row in rows
    )


def save_tables(
    path: Path, tables: Iterable[CocoColumns], config: str, checkpoint: str
) -> None:
    """Write the tables as JSON; missing values are null.

    Args:
        path: The file; its folder is created if it does not exist.
        tables: The filled tables.
        config: The tested config.
        checkpoint: The tested checkpoint.
    """
    content = {
        'config': config,
        'checkpoint': checkpoint,
        'tables': {
            table.prefix: {
                'max_dets': table.max_dets,
                'columns': dict(table.columns),
            }
            for table in tables
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + '\n', encoding='utf-8')


def read_tables(path: Path) -> list[CocoColumns]:
    """Read tables written by :func:`save_tables`."""
    content = json.loads(path.read_text(encoding='utf-8'))
    return [
        CocoColumns(prefix, row['max_dets'], row['columns'])
        for prefix, row in content['tables'].items()
    ]
