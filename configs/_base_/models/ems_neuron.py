# EMS-ResNet's own neurons for necks and heads; here the gradient passes through the reset.
ems_neuron = dict(
    type='LIF',
    tau=4 / 3,
    decay_input=False,
    v_threshold=0.5,
    surrogate=dict(type='Rectangular'),
)
