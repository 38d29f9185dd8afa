# Gen1 in RVT's preprocessed files: data/gen1_rvt/{train,val,test}/RECORDING/...
# A window is five stored histograms of 50 ms: five frames of ten bins and two
# polarities.
_base_ = 'event_detection.py'

load = dict(_base_.load, num_bins=10)
train_pipeline = [load, *_base_.train_pipeline[1:]]
test_pipeline = [load, *_base_.test_pipeline[1:]]

dataset = dict(
    type='mmsnn.RVTGen1Detection', data_root='data/gen1_rvt', duration=250_000
)
train_dataloader = dict(dataset=dict(dataset, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(dataset, pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(dataset, pipeline=test_pipeline))
