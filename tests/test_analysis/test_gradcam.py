"""Grad-CAM of networks whose maps are known, and of a detector."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import mmsnn
from mmsnn.analysis import GradCAM, compute_cam, explain_prediction
from mmsnn.analysis.model_inputs import build_model, make_file_batches
from mmsnn.models.neurons import IF
from mmsnn.utils.config_files import load_config
from mmsnn.utils.shipped_configs import shipped_weights

T, N, C, H, W = 3, 2, 4, 5, 6
CONFIG = 'mmsnn::spiking_retinanet/spiking-retinanet_sg-r10-asd_fpn_1xb8-8e_digits.py'
SAMPLES = Path(mmsnn.__file__).parent / 'web' / 'samples'


class Known(nn.Module):
    """Spikes are the frames; a logit is their weighted mean over time and places."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form
        self.neuron = IF(num_steps=T)
        self.features = nn.Identity()
        self.weights = nn.Parameter(torch.randn(10, T, C))

    def forward(self, frames: Tensor) -> Tensor:
        """Return the logits ``[N, 10]``."""
        spikes = self.neuron(frames.transpose(0, 1).flatten(0, 1))
        if self.form == 'folded':
            spikes = self.features(spikes).unflatten(0, (T, -1))
        elif self.form == 'unfolded':
            spikes = self.features(spikes.unflatten(0, (T, -1)))
        else:
            spikes, _ = self.features((spikes.unflatten(0, (T, -1)), spikes[:N]))
        rates = spikes.mean((3, 4))
        spikes.zero_()  # what is done in place later does not reach the maps
        return torch.einsum('tnc,ktc->nk', rates, self.weights) / T


def known_maps(frames: Tensor, weights: Tensor) -> np.ndarray:
    """Maps of an image: the gradient is the weight, over T H W, at every place."""
    maps = torch.einsum('tchw,tc->thw', frames, weights).relu() / (T * H * W)
    return maps.detach().numpy()


@pytest.mark.parametrize('image', [0, 1])
@pytest.mark.parametrize('form', ['folded', 'unfolded', 'several'])
def test_known_map(form: str, image: int) -> None:
    model = Known(form).eval()
    frames = torch.randint(2, (N, T, C, H, W)).float()
    label = 7
    with GradCAM(model, 'features', image) as cam:
        layers = cam.result(model(frames)[image, label])
    expected = known_maps(frames[image], model.weights[label])
    assert 0 < (expected > 0).mean() < 1
    np.testing.assert_allclose(layers[0].steps, expected, atol=1e-7)
    np.testing.assert_allclose(layers[0].mean, expected.mean(0), atol=1e-7)
    if form == 'several':
        assert [layer.name for layer in layers] == ['features[0]', 'features[1]']
        # the score does not depend on the second one, which has no time steps
        assert layers[1].steps.shape == (1, H, W) and not layers[1].steps.any()
    assert model.weights.grad is None
    assert not any(module._forward_hooks for module in model.modules())


def test_weights_of_channels_are_means_over_places() -> None:
    activations = torch.tensor([[[[1.0, 0.0]], [[2.0, 1.0]]]])
    gradients = torch.tensor([[[[3.0, 1.0]], [[0.0, -2.0]]]])
    # 2 * (1, 0) - 1 * (2, 1)
    assert compute_cam(activations, gradients).tolist() == [[[0.0, 0.0]]]
    assert compute_cam(activations, -gradients).tolist() == [[[0.0, 1.0]]]


def test_layer_that_is_named_twice() -> None:
    model = Known('folded').eval()
    with GradCAM(model, ['features', 'features']) as cam:
        (layer,) = cam.result(model(torch.ones(N, T, C, H, W))[0, 0])
    assert layer.name == 'features'


def test_scores_and_layers_that_do_not_fit() -> None:
    model = Known('folded').eval()
    frames = torch.ones(N, T, C, H, W)
    with GradCAM(model, 'features') as cam:
        score = model(frames)[0, 0]
        with pytest.raises(ValueError, match='no gradient'):
            cam.result(score.detach())
        with pytest.raises(ValueError, match='does not depend on features'):
            cam.result(model.weights.sum())
    two = nn.Sequential(nn.Flatten(1), nn.Linear(C * H * W, 2))
    with (
        GradCAM(two, '1') as cam,
        pytest.raises(ValueError, match=r"'1'.* returned \[2, 2\]"),
    ):
        two(frames[:, 0])


@pytest.fixture(scope='module')
def detector() -> tuple[nn.Module, dict]:
    """The shipped detector, and a batch of one picture."""
    cfg = load_config(CONFIG)
    model = build_model(cfg, shipped_weights(CONFIG))
    (batch,) = make_file_batches(cfg, sorted(SAMPLES.glob('*'))[:1])
    return model, batch


def logit_maps(model, batch, boxes) -> list[Tensor]:
    """Maps of boxes, with the places found by the scores in the head's output."""
    data = model.data_preprocessor(batch, False)
    spikes = [x.detach().requires_grad_() for x in model.backbone(data['inputs'])]
    logits, _ = model.bbox_head(model.neck(spikes))
    scores = torch.cat([x.flatten() for x in logits]).sigmoid()
    chosen = sum(scores[(scores - score).abs().argmin()] for score in boxes)
    gradients = torch.autograd.grad(chosen, spikes)
    return [
        (x * g.mean((3, 4), keepdim=True)).sum(2).relu()[:, 0].detach()
        for x, g in zip(spikes, gradients, strict=True)
    ]


@pytest.mark.parametrize('choice', [{}, dict(box=1), dict(category=7)])
def test_boxes_of_a_detector(detector, choice) -> None:
    model, batch = detector
    with torch.no_grad():
        (sample,) = model.test_step(batch)
    found = sample.pred_instances
    wanted = found[found.labels == 7] if 'category' in choice else found
    wanted = wanted if 'category' in choice else wanted[[choice.get('box', 0)]]
    cam = explain_prediction(model, batch, **choice)
    assert cam.score == pytest.approx(float(wanted.scores.sum()), abs=1e-5)
    assert cam.category == wanted.labels[0]
    np.testing.assert_allclose(cam.boxes.boxes, wanted.bboxes, atol=1e-3)
    assert len(cam.layers) == 4 and cam.layers[3].steps.max() > 0
    for layer, expected in zip(
        cam.layers, logit_maps(model, batch, wanted.scores), strict=True
    ):
        assert layer.steps.shape[0] == 4
        np.testing.assert_allclose(layer.steps, expected, rtol=1e-3, atol=1e-8)


@pytest.mark.parametrize(
    ('choice', 'words'),
    [
        (dict(box=-1), 'index -1'),
        (dict(box=999), 'index 999'),
        (dict(category=10), 'class 10'),
        (dict(box=1, category=1), 'class 1 and box 1'),
    ],
)
def test_boxes_that_are_not_there(detector, choice, words) -> None:
    with pytest.raises(ValueError, match=words):
        explain_prediction(*detector, **choice)


def test_picture_without_boxes(detector, tmp_path) -> None:
    model, _ = detector
    Image.new('RGB', (128, 128)).save(tmp_path / 'black.png')
    (batch,) = make_file_batches(load_config(CONFIG), [tmp_path / 'black.png'])
    with pytest.raises(ValueError, match='no box of class 3'):
        explain_prediction(model, batch, category=3)
    with pytest.raises(ValueError, match='no box with index 0'):
        explain_prediction(model, batch)
