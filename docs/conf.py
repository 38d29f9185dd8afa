"""Sphinx settings of the site: the guides in this folder and the API reference.

sphinx-build -W --keep-going docs docs/_build
"""

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

import mmsnn

ROOT = Path(__file__).resolve().parents[1]

project = 'mmsnn'
version = release = mmsnn.__version__
extensions = [
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'sphinx.ext.mathjax',
    'myst_nb',
]
exclude_patterns = ['jupyter_execute', '_build', 'benchmarks']
html_theme = 'furo'
html_title = f'mmsnn {version}'
html_copy_source = False

myst_enable_extensions = ['dollarmath']
myst_heading_anchors = 4
nb_execution_mode = 'off'  # a test executes the notebooks

autodoc_default_options = {'members': True}
autodoc_member_order = 'bysource'
autodoc_typehints = 'signature'
autodoc_typehints_format = 'short'
python_maximum_signature_line_length = 80
napoleon_numpy_docstring = False
napoleon_use_ivar = True

nitpicky = True
# Types of other packages, whose documentation is not linked, and annotations.
nitpick_ignore_regex = [
    # in signatures, but not part of the reference
    (
        'py:class',
        r'mmsnn\..*\.(Arithmetic|EventFile|PreparedFrames|Material|Architecture|SpikeFormer)',
    ),
    (
        'py:.*',
        r'(torch|numpy|np|mmengine|mmdet|mmcv|mmpretrain|matplotlib|jinja2|nn)\..*',
    ),
    ('py:.*', r'(collections|pathlib|typing|argparse|os|contextlib|types)\..*'),
    ('py:class', r'[A-Za-z_]+'),
    ('py:class', r'enum.IntEnum|.*(\b(Unpack|Literal|optional)\b|Options).*'),
]
# A class is documented where it is exported and in its own module.
suppress_warnings = ['ref.python']


def _show_files(app: Sphinx, tree: nodes.document) -> None:
    """Show links to files of the repository that are no pages as their paths."""
    docs = ROOT / 'docs'
    folder = (docs / app.env.current_document.docname).parent
    for link in list(tree.findall(addnodes.pending_xref)):
        path = folder / link.get('reftarget', '').partition('#')[0]
        inside = path.resolve().is_relative_to(docs)
        if link.get('reftype') == 'myst' and path.exists() and not inside:
            link.replace_self(link.children)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the handlers."""
    app.connect('doctree-read', _show_files)
    return dict(parallel_read_safe=True)
