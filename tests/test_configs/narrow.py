"""Narrow versions of the configs' classifiers, to be run on a CPU in no time."""

from mmengine.config import Config

WIDTH = 16


def narrow(cfg: Config) -> None:
    """Give a spiking ResNet and what classifies its features few channels, in place."""
    model = cfg.model
    if model.backbone.type == 'mmsnn.PooledResNet':
        return  # it is narrow
    if 'channels' in model.backbone:  # of a Transformer's stages
        model.backbone.channels = [WIDTH, WIDTH, 2 * WIDTH, 2 * WIDTH]
        model.neck[0].in_channels = [2 * WIDTH]
        model.head.in_channels = 2 * WIDTH
        return
    if model.backbone.type == 'mmsnn.DenseNetSNN':
        # it has no width but its growth
        full = 48 if model.backbone.depth == 161 else 32
        model.backbone.growth_rate = WIDTH
    else:
        full = model.backbone.get('base_channels', 64)
        model.backbone.base_channels = WIDTH
    channels = model.head.in_channels * WIDTH // full
    model.neck[0].in_channels = [channels]
    model.head.in_channels = channels
    if 'mid_channels' in model.head:
        model.head.mid_channels = [WIDTH for _ in model.head.mid_channels]
