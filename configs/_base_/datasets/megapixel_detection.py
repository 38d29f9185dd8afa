# Prophesee's 1 Mpx: data/1mpx/{train,val,test}/*_td.dat, *_bbox.npy; at half the
# resolution, as is common.
_base_ = 'event_detection.py'

dataset = dict(
    type='mmsnn.MegapixelDetection', data_root='data/1mpx', duration=_base_.duration
)
resize = dict(type='Resize', scale=(640, 360), keep_ratio=True)
train_dataloader = dict(
    dataset=dict(
        dataset,
        pipeline=[_base_.train_pipeline[0], _base_.train_pipeline[1], resize]
        + _base_.train_pipeline[2:],
    )
)
test_pipeline = [_base_.test_pipeline[0], resize, *_base_.test_pipeline[1:]]
val_dataloader = dict(dataset=dict(dataset, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(dataset, pipeline=test_pipeline))
val_evaluator = dict(min_diagonal=60, min_side=20)
test_evaluator = val_evaluator
