"""Write ``metafile.yml`` of each folder of configs, and ``model-index.yml``.

MIM and MMEngine's hub read them. Descriptions and reported numbers come from the tables
of the folder's README, measured numbers from the project's README and
``docs/classification.md``. Usage:
    python tools/docs_tools/metafiles.py
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _tables import LINK, find_tables, plain_text  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs'
HEAD = '# Written by tools/docs_tools/metafiles.py from the tables of {}.\n'

METRIC = re.compile(
    r'(accuracy|top-[15]|mAP|AP\d*|AP_[SML]|mAR|AR_[SML])( in the paper)?'
)
# MIM searches for a condition's field in all names, so no name may contain another.
REPORTED = {'accuracy': 'Top 1', 'top-1': 'Top 1', 'top-5': 'Top 5'}
MEASURED = 'Top 1 Accuracy'
NUMBER = re.compile(r'(\d+(?:\.\d+)?)(?: ± \d+\.\d+)?(?: %)?(?: \(.*\))?')
# The demo's config, by the decoder's name in the table of the project's README.
DEMO = 'spiking_retinanet/spiking-retinanet_sg-r10-{}_fpn_1xb8-8e_digits.py'


def folders() -> list[Path]:
    """Return the folders of configs, in alphabetical order."""
    return sorted({path.parent for path in CONFIGS.glob('[!_]*/*.py')})


def number(text: str) -> float | int:
    """Return the number in a cell.

    Raises:
        ValueError: If the cell is not a number.
    """
    match = NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f'{text!r} is not a number')
    return float(match[1]) if '.' in match[1] else int(match[1])


def describe_row(header: list[str], row: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield the link of a row's config, and the facts in the row."""
    facts: dict[str, Any] = {}
    for name, cell in zip(header, map(plain_text, row), strict=True):
        metric = METRIC.fullmatch(name)
        if cell in ('', '-') or name == 'config':
            continue
        if metric:
            facts[f'Reported {REPORTED.get(metric[1], metric[1])}'] = number(cell)
        elif name == 'from':
            facts['Reported by'] = cell
        else:
            key = re.sub(r' \(.*\)', '', name)
            is_number = NUMBER.fullmatch(cell)
            facts[key[0].upper() + key[1:]] = number(cell) if is_number else cell
    for _, link in LINK.findall(row[header.index('config')]):
        yield link, facts


def describe_cells(header: list[str], row: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield (link, facts) of each config of a row whose columns are networks.

    The text of a link is the accuracy, or something else if there is none.
    """
    texts = dict(zip(header, map(plain_text, row), strict=True))
    for column, cell in zip(header, row, strict=True):
        for text, link in LINK.findall(cell):
            facts: dict[str, Any] = {'Network': f'{plain_text(row[0])}, {column}'}
            if re.fullmatch(r'\d+\.\d+', text):
                facts['Reported Top 1'] = number(text)
                if 'from' in texts:
                    facts['Reported by'] = texts['from']
            yield link, facts


def describe(page: str) -> dict[str, dict[str, Any]]:
    """Return the facts about each config that the tables of a page link.

    Raises:
        ValueError: If a table has numbers of a paper but no column ``from``, or if a
            column of numbers has a cell that is not a number.
    """
    found: dict[str, dict[str, Any]] = {}
    for header, rows in find_tables(page):
        first = ''
        for row in rows:
            # a row whose first cell is empty continues the one above
            first = row[0] = row[0] or first
            read = describe_row if 'config' in header else describe_cells
            for link, facts in read(header, row):
                reported = any(key.startswith('Reported ') for key in facts)
                if reported and 'Reported by' not in facts:
                    raise ValueError(f'the number of {link} needs a column "from"')
                found.setdefault(link, {}).update(facts)
    return found


def measured() -> dict[str, dict[str, float | int]]:
    """Return the metrics measured here, by the config's path below ``configs``."""
    results = {}
    guide = (ROOT / 'docs/classification.md').read_text(encoding='utf-8')
    for header, rows in find_tables(guide):
        if header[:2] == ['config, in `configs`', 'accuracy']:
            for row in rows:
                results[plain_text(row[0])] = {MEASURED: number(row[1])}
    readme = (ROOT / 'README.md').read_text(encoding='utf-8')
    for header, rows in find_tables(readme):
        if header[:2] == ['decoder', 'seed']:
            for row in rows:
                metrics = {
                    f'box {name}': number(cell)
                    for name, cell in zip(header, row, strict=True)
                    if METRIC.fullmatch(name)
                }
                # the first row of a decoder has the config's own seed
                results.setdefault(DEMO.format(row[0].lower()), metrics)
    return results


def model(
    path: Path, facts: dict[str, Any], metrics: dict[str, Any] | None
) -> dict[str, Any]:
    """Return the entry of a config.

    Raises:
        ValueError: If its name does not end in the epochs and the data set.
    """
    name = re.search(r'-(?P<epochs>\d+)e_(?P<data>.+)', path.stem)
    if name is None:
        raise ValueError(f'{path.name} does not end in -EPOCHSe_DATA.py')
    entry: dict[str, Any] = {
        'Name': path.stem,
        'In Collection': title(path.parent),
        'Config': path.relative_to(ROOT).as_posix(),
        'Metadata': {
            'Training Data': name['data'],
            'Epochs': int(name['epochs']),
            **facts,
        },
    }
    if metrics:
        classifies = MEASURED in metrics
        task = 'Image Classification' if classifies else 'Object Detection'
        entry['Results'] = [{'Task': task, 'Dataset': name['data'], 'Metrics': metrics}]
    return entry


def title(folder: Path) -> str:
    """Return the heading of a folder's README."""
    page = (folder / 'README.md').read_text(encoding='utf-8')
    return page.partition('\n')[0].removeprefix('# ')


def metafile(folder: Path) -> str:
    """Return the content of a folder's ``metafile.yml``."""
    page = folder / 'README.md'
    described = describe(page.read_text(encoding='utf-8'))
    results = measured()
    content = {
        'Collections': [
            {'Name': title(folder), 'README': page.relative_to(ROOT).as_posix()}
        ],
        'Models': [
            model(
                path,
                described.get(path.name, {}),
                results.get(path.relative_to(CONFIGS).as_posix()),
            )
            for path in sorted(folder.glob('*.py'))
        ],
    }
    return HEAD.format('README.md') + _dump(content)


def index() -> str:
    """Return the content of ``model-index.yml``."""
    paths = [folder.relative_to(ROOT) / 'metafile.yml' for folder in folders()]
    return _dump({'Import': [path.as_posix() for path in paths]})


def files() -> dict[Path, str]:
    """Return the content of every file that is written."""
    written = {folder / 'metafile.yml': metafile(folder) for folder in folders()}
    return {**written, ROOT / 'model-index.yml': index()}


def _dump(content: dict[str, Any]) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=88)


def main() -> None:
    """Write the files."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    for path, content in files().items():
        path.write_text(content, encoding='utf-8')


if __name__ == '__main__':
    main()
