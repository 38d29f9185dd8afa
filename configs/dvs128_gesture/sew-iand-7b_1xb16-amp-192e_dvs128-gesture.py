_base_ = './sew-add-7b_1xb16-amp-192e_dvs128-gesture.py'

model = dict(backbone=dict(family='SEW-IAND'))

optim_wrapper = dict(optimizer=dict(lr=0.063))
