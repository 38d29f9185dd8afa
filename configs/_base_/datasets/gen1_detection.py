# Prophesee's Gen1: data/gen1/{train,val,test}/*_td.dat, *_bbox.npy
_base_ = 'event_detection.py'

dataset = dict(
    type='mmsnn.Gen1Detection', data_root='data/gen1', duration=_base_.duration
)
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)
