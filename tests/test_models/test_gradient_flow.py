"""Gradients at initialisation through 152 layers: what the papers find, on narrow nets.

Fang et al. 2021 (SEW), Eqs. 8 and 11, Figs. 6 to 8 and Appendix A.4; Zhang et al. 2023
(SG), Eqs. 16 and 17; Li et al. (DANet), Propositions 1 and 4. All of it is about the 35
blocks of stage 3 that keep their size. ``decades`` is log10 of the norm of the gradient
before them over that behind them: negative where gradients vanish on their way to
shallow blocks. Comments give its range over seeds, widths of 4 to 32 and both stems;
the bounds leave a factor 3 at least.
"""

import math

import pytest
import torch
from docs_tools import FOLDER, load_tool
from torch import Tensor

SLOW = pytest.mark.slow
NETWORKS = [
    pytest.param({'seed': 0}, id='seed 0'),
    *(pytest.param({'seed': i}, id=f'seed {i}', marks=SLOW) for i in range(1, 5)),
    pytest.param(
        {'seed': 5, 'stem': 'imagenet', 'image_size': 64, 'num_images': 8},
        id='imagenet stem',
        marks=SLOW,
    ),
    pytest.param({'seed': 6, 'base_channels': 24}, id='wider', marks=SLOW),
]
IDENTITIES = ('SEW-ADD', 'SEW-AND', 'SEW-IAND', 'SG-BSG', 'SG-BSG*')
ANALOG = ('DANet-A', 'DANet-B', 'MS')


tool = load_tool('gradient_tables')
BASE, SHARP, LOW = tool.PAPER_SETTINGS
SETTINGS = pytest.mark.parametrize(
    'setting',
    [BASE, *(pytest.param(setting, marks=SLOW) for setting in (SHARP, LOW))],
    ids=lambda s: f'v_th {s[0]}, alpha {s[1]}',
)
STEPS = pytest.mark.parametrize(
    'steps', [1, pytest.param(4, marks=SLOW)], ids=lambda t: f'T={t}'
)


class Measured:
    """Norms and means by family, setting, initialisation and T; each measured once."""

    def __init__(self, options: dict):
        self.options = options
        self.known = {}

    def flow(self, family, setting, zero, steps):
        key = family, setting, zero, steps
        if key not in self.known:
            flow = tool.measure(*key, **self.options)
            means = [value.mean().item() for value in flow.values]
            self.known[key] = flow.norms, means
        return self.known[key]

    def norms(self, family, setting, zero, steps) -> list[float]:
        """Return the norms behind the blocks of stage 3."""
        return self.flow(family, setting, zero, steps)[0][tool.STAGE_3]

    def means(self, family, setting, zero, steps) -> list[float]:
        """Return the mean values behind the blocks of stage 3."""
        return self.flow(family, setting, zero, steps)[1][tool.STAGE_3]

    def decades(self, family, setting, zero, steps) -> float:
        return math.log10(tool.ratio(self.norms(family, setting, zero, steps)))


@pytest.fixture(scope='module', params=NETWORKS)
def measured(request) -> Measured:
    return Measured(request.param)


# the identity: exact


@SETTINGS
@STEPS
def test_identity_blocks_pass_gradients_unchanged(measured, setting, steps):
    # SEW Eq. 11, SG Eq. 17: the derivative is 1 whatever threshold and surrogate are
    norms = {f: measured.norms(f, setting, True, steps) for f in IDENTITIES + ANALOG}
    for family, values in norms.items():
        assert values[0] > 0, family
        assert len(values) == 36 and set(values) == {values[0]}, family
    for family in IDENTITIES:  # 'no matter what g we choose'
        assert norms[family] == pytest.approx(norms['SEW-ADD'], rel=1e-4), family


def closed_form(
    spikes: Tensor, gradient: Tensor, blocks: int, setting, steps: int, detach: bool
) -> Tensor:
    """Take ``gradient`` back through blocks that are IF neurons fed with ``spikes``.

    Each spike fires and resets the neuron at once, silence leaves it at rest, so that
    its potential is h_t = s_t, and

        dL/dx_t = sigma'(s_t - v_th) dL/dy_t + c_t dL/dx_{t+1},
        c_t = dv_t/dh_t = 1 - s_t, less s_t sigma'(s_t - v_th) by way of the reset.

    For T = 1 it is Eq. 13 of the SEW paper; its A.4 leaves the second term out.
    """
    s = spikes.double().unflatten(0, (steps, -1))
    a = setting.alpha / 2
    slope = a / (1 + (math.pi * a * (s - setting.v_threshold)) ** 2)
    carry = 1 - s if detach else 1 - s - s * slope
    g = gradient.double().unflatten(0, (steps, -1)).clone()
    for _ in range(blocks):
        g[-1] = slope[-1] * g[-1]
        for t in reversed(range(steps - 1)):
            g[t] = slope[t] * g[t] + carry[t] * g[t + 1]
    return g.flatten(0, 1)


@SETTINGS
@pytest.mark.parametrize(('steps', 'detach'), [(1, True), (4, True), (4, False)])
def test_spiking_resnet_multiplies_by_the_surrogate(setting, steps, detach):
    flow = tool.measure('Spiking', setting, True, steps, detach)
    values, gradients = flow.values[tool.STAGE_3], flow.gradients[tool.STAGE_3]
    assert all(torch.equal(value, values[0]) for value in values)
    for blocks in (1, 5, 35):
        expected = closed_form(values[0], gradients[-1], blocks, setting, steps, detach)
        error = (gradients[-1 - blocks] - expected).norm() / expected.norm()
        assert error < 1e-4, blocks


def test_only_neurons_that_fired_remain():
    # A.4: sigma'(1 - v_th) = 1, sigma'(0 - v_th) = 0.092
    flow = tool.measure('Spiking', BASE, True, num_steps=1)
    norms, fired = flow.norms[tool.STAGE_3], flow.values[tool.STAGE_3][0]
    last = flow.gradients[tool.STAGE_3][-1].double()
    share, silent = (last * fired).norm().item(), (last * (1 - fired)).norm().item()
    for blocks in range(36):
        expected = math.hypot(share, silent * (1 / (1 + math.pi**2)) ** blocks)
        assert norms[-1 - blocks] == pytest.approx(expected, rel=1e-4)
    assert 0 < share < 0.7 * norms[-1]
    assert norms[0] == pytest.approx(share, rel=1e-4)


@SETTINGS
def test_danet_c_adds_one_to_the_surrogate(setting):
    # Prop. 4 with T = 1: sum_{i+1} = sum_i + SN(sum_i), so nothing vanishes
    flow = tool.measure('DANet-C', setting, True, num_steps=1)
    sums, gradients = flow.values[tool.STAGE_3], flow.gradients[tool.STAGE_3]
    a = setting.alpha / 2
    expected = gradients[-1].double()
    for total, gradient in reversed(list(zip(sums, gradients, strict=True))[:-1]):
        distance = total.double() - setting.v_threshold
        expected = expected * (1 + a / (1 + (math.pi * a * distance) ** 2))
        assert (gradient - expected).norm() / expected.norm() < 1e-4
    assert (gradients[0].abs() >= gradients[-1].abs()).all()


# branches that fire: orders of magnitude


def test_spiking_resnet_vanishes_or_explodes(measured):
    assert measured.decades('Spiking', BASE, False, 1) < -0.8  # -1.95 to -1.6
    assert measured.decades('Spiking', LOW, False, 1) < -2.5  # -4.1 to -3.9
    assert measured.decades('Spiking', LOW, False, 4) < -1.5  # -3.1 to -2.6
    assert measured.decades('Spiking', SHARP, False, 1) > 5  # 6.5 to 6.9
    assert measured.decades('Spiking', SHARP, False, 4) > 6  # 7.7 to 8.7


def test_time_makes_up_for_the_decay(measured):
    # Not in the papers, whose Eq. 8 has no path over time: at alpha 2 and T = 4 the
    # gradient of Spiking ResNet keeps its size, -0.6 to 0.5.
    spatial = measured.decades('Spiking', BASE, False, 1)
    both = measured.decades('Spiking', BASE, False, 4)
    assert abs(both) < 1.2
    assert both > spatial + 0.5


@STEPS
def test_zero_initialisation_makes_spiking_resnet_worse_at_half_threshold(
    measured, steps
):
    # 'because gradient from F can not contribute'; 0.288^35 is -18.9
    zero = measured.decades('Spiking', LOW, True, steps)  # -18.9 (T = 1), -16
    assert zero < -14
    assert zero < measured.decades('Spiking', LOW, False, steps) - 8


@SETTINGS
@STEPS
def test_and_falls_silent(measured, setting, steps):
    assert measured.means('SEW-AND', setting, False, steps)[-1] < 1e-3
    norms = measured.flow('SEW-AND', setting, False, steps)[0]
    assert norms[0] < 1e-6 * norms[-1]  # 0: no neuron of stage 3 fires


@STEPS
def test_add_and_iand_change_slowly(measured, steps):
    for setting, low, high in (
        (BASE, -0.2, 1.5),  # 0.5 to 0.8
        (SHARP, 0.5, 2.7),  # 1.4 to 2.0
        (LOW, -0.5, 1.5),  # 0.3 to 0.6
    ):
        assert low < measured.decades('SEW-ADD', setting, False, steps) < high
    for setting, low, high in (
        (BASE, -1.5, 1.2),  # -0.7 to 0.2
        (SHARP, -0.5, 2.8),  # 0.2 to 2.1
        (LOW, -2, 1.2),  # -1.1 to 0.2
    ):
        assert low < measured.decades('SEW-IAND', setting, False, steps) < high


@STEPS
def test_explosion_in_sew_is_not_serious(measured, steps):
    spiking = measured.decades('Spiking', SHARP, False, steps)
    for family in ('SEW-ADD', 'SEW-IAND'):  # 4.5 to 7.3 less
        assert measured.decades(family, SHARP, False, steps) < spiking - 3, family


@STEPS
def test_gates_saturate_if_branches_fire(measured, steps):
    # Not in the paper, whose networks have 34 layers at most: the OR of 36 branches is
    # 1 almost everywhere, and norms whose inputs hardly vary amplify gradients.
    assert measured.means('SG-BSG', BASE, False, steps)[-1] > 0.95
    assert measured.decades('SG-BSG', BASE, False, steps) > 6  # 10.7 to 12


@STEPS
def test_pre_activation_does_not_vanish(measured, steps):
    for setting, a_high, b_high in ((BASE, 2.7, 1.2), (SHARP, 4.9, 1.8), (LOW, 2, 1)):
        # A: 1.2 to 1.7, 3.6 to 4.3, 1.0 to 1.3; B: 0.2 to 0.6, 0.6 to 1.2, 0.1 to 0.4
        assert 0.4 < measured.decades('DANet-A', setting, False, steps) < a_high
        assert -0.5 < measured.decades('DANet-B', setting, False, steps) < b_high
    spiking = measured.decades('Spiking', SHARP, False, steps)
    assert measured.decades('DANet-A', SHARP, False, steps) < spiking - 1.5


@STEPS
def test_dense_addition_keeps_gradients(measured, steps):
    # DANet Prop. 4: C and D have a lower bound where Origin and BAA vanish
    for setting in (BASE, LOW):
        c = measured.decades('DANet-C', setting, False, steps)
        d = measured.decades('DANet-D', setting, False, steps)
        assert c > 0.4  # 1.0 to 2.3
        assert d > -0.2  # 0.4 to 1.1
        assert c > measured.decades('Spiking', setting, False, steps) + 0.8
        assert d > measured.decades('BAA', setting, False, steps) + 1.3
    assert measured.decades('BAA', LOW, False, steps) < -3  # -6.1 to -3.8
    # from zero it grows instead, to 3.8 (T = 1) and 5.4 (T = 4)
    assert 3 < measured.decades('DANet-C', LOW, True, steps) < 6.5


# the page


def page_tables() -> dict[str, dict[tuple[str, str], list[str]]]:
    """Return the cells of docs/gradient_flow.md by table, family and initialisation."""
    tables, title = {}, ''
    text = (FOLDER.parents[1] / 'docs/gradient_flow.md').read_text(encoding='utf-8')
    for line in text.splitlines():
        if line.startswith('#'):
            title = line
        cells = [cell.strip() for cell in line.strip('|').split('|')]
        if line.startswith('|') and cells[1] in ('zero', 'Kaiming'):
            tables.setdefault(title, {})[cells[0], cells[1]] = cells[2:]
    return tables


@pytest.mark.parametrize(
    ('title', 'steps', 'detach', 'family', 'init'),
    [
        pytest.param('T = 4', 4, True, 'Spiking', 'zero', marks=SLOW),
        pytest.param('T = 4', 4, True, 'DANet-A', 'Kaiming', marks=SLOW),
        ('T = 1', 1, True, 'SEW-ADD', 'Kaiming'),
        ('the reset', 4, False, 'Spiking', 'zero'),
    ],
)
def test_the_page_shows_what_is_measured(title, steps, detach, family, init):
    rows = next(rows for name, rows in page_tables().items() if title in name)
    shown = rows[family, init][1:]
    again = tool.row(family, init == 'zero', 1, steps, detach).strip('| ').split(' | ')
    for old, new in zip(shown, again[3:], strict=True):
        assert abs(math.log10(float(old)) - math.log10(float(new))) < 0.5


def test_the_page_has_all_families():
    main, spatial, _ = page_tables().values()
    assert main.keys() == spatial.keys()
    # PA-A and PA-B are DANet-A and DANet-B; PA-A-S differs in its projections
    shown = {name for name in tool.FAMILIES if not name.startswith('PA-')}
    assert {family for family, _ in main} == shown
