# Detection in event recordings: the 100 ms before each labelled time as five frames of
# two bins and two polarities. Data sets of this layout inherit it and set the type,
# folder and metric.
duration = 100_000
load = dict(type='mmsnn.LoadEventWindow', num_steps=5, num_bins=2)

train_pipeline = [
    load,
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmsnn.PackEventDetInputs'),
]
test_pipeline = [
    load,
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='mmsnn.PackEventDetInputs'),
]

train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(split='train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(split='val', test_mode=True, pipeline=test_pipeline),
)
test_dataloader = dict(
    val_dataloader, dataset=dict(val_dataloader['dataset'], split='test')
)
val_evaluator = dict(type='mmsnn.EventCocoMetric')
test_evaluator = val_evaluator
