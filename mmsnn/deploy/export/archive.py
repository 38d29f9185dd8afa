"""Export of detectors and classifiers as torch.export programs."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch import Tensor, nn
from torch.export import ExportedProgram

from mmsnn.deploy.folding import fold_norms
from mmsnn.ops.build import CompilerError, find_compiler
from mmsnn.utils.errors import UserError

from .onnx_program import dims, trace
from .picture_input import PictureInput
from .tensor_networks import as_tensor_network, example_inputs

# large enough that no feature level has size 1, which tracing would fix
_SIDE = 512


@dataclass(frozen=True)
class Traced:
    """A network that is traced for export.

    Attributes:
        program: Takes images ``[N, C, H, W]`` and, for a detector, ``size`` and
            ``scale``, as
            :class:`mmsnn.deploy.export.tensor_networks.SingleStageNetwork` does.
        inputs: Names of its inputs.
        outputs: Names of its outputs.
        preprocessing: What precedes it.
    """

    program: ExportedProgram
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    preprocessing: PictureInput


def export_archive(model: nn.Module, cfg: Config) -> Traced:
    """Trace a trained detector or classifier with folded norms, of any batch and size.

    Args:
        model: The model of ``cfg``; it is not changed.
        cfg: The full config.

    Raises:
        UserError: If the model or its preprocessing cannot be exported.
    """
    preprocessing = PictureInput.of(cfg)
    network: Any = as_tensor_network(fold_norms(model).cpu().eval())
    batch, height, width = dims(preprocessing.divisor)
    divisor, channels = preprocessing.divisor, len(preprocessing.mean)
    side = divisor * -(-_SIDE // divisor)
    images = torch.rand(2, channels, side, side + divisor)
    inputs = example_inputs(network, images)
    free: list[dict[int, Any]] = [{0: batch, 2: height, 3: width}]
    program = trace(network, [*inputs.values()], free + [{}] * (len(inputs) - 1))
    return Traced(program, tuple(inputs), network.outputs, preprocessing)


def compile_program(program: ExportedProgram) -> bytes:
    """Return a package of AOTInductor, compiled for this machine's processor.

    Args:
        program: A traced network, see :func:`export_archive`.

    Raises:
        UserError: If there is no C++ compiler.
    """
    try:
        settings = {'cpp.cxx': find_compiler(), 'cpp.dynamic_threads': True}
    except CompilerError as error:
        raise UserError(f'compiling needs a C++ compiler: {error}') from error
    with tempfile.TemporaryDirectory() as folder:
        path = torch._inductor.aoti_compile_and_package(
            program,
            package_path=f'{folder}/network.pt2',
            inductor_configs=settings,
        )
        return Path(path).read_bytes()


@torch.no_grad()
def compare_archive(model: Any, archive: Callable[..., Any], batch: Any) -> float:
    """Return the greatest difference between the results for a batch of one image.

    Args:
        model: The model, in evaluation mode.
        archive: The module of the traced program, or the compiled program.
        batch: See :func:`mmsnn.analysis.model_inputs.make_batches`.
    """
    data = model.data_preprocessor(dict(batch), False)
    (sample,) = model.test_step(batch)
    images = data['inputs'].cpu()
    if not hasattr(sample, 'pred_instances'):
        return float((archive(images)[0] - sample.pred_score.cpu()).abs().max())
    scale = torch.tensor(sample.metainfo.get('scale_factor', (1.0, 1.0)))
    size = torch.tensor(sample.img_shape[:2])
    boxes, scores, _ = archive(images, size.float(), scale.float())
    expected = sample.pred_instances
    number = len(expected.scores)
    if int((scores > 0).sum()) != number:
        return float('inf')
    differences: list[Tensor] = [
        (boxes[0, :number] - expected.bboxes.cpu()).abs(),
        (scores[0, :number] - expected.scores.cpu()).abs(),
        torch.zeros(1),
    ]
    return max(
        float(difference.amax()) for difference in differences if len(difference)
    )


__all__ = ['Traced', 'compare_archive', 'compile_program', 'export_archive']
