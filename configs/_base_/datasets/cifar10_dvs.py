# CIFAR10-DVS as published, one folder per class: data/cifar10_dvs/airplane/*.aedat, ...
# Frames are made once: tools/dataset_tools/events.py cifar10_dvs data/cifar10_dvs/
dataset_type = 'mmsnn.CIFAR10DVS'
data_root = 'data/cifar10_dvs/'

pack_inputs = dict(
    type='mmpretrain.PackInputs',
    input_key='frames',
    meta_keys=('sample_idx', 'event_path', 'event_key', 'ori_shape', 'img_shape'),
)
train_pipeline = [dict(type='mmsnn.LoadEventFrames', num_steps=16), pack_inputs]
test_pipeline = [dict(type='mmsnn.LoadEventFrames', num_steps=16), pack_inputs]

train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type=dataset_type, data_root=data_root, split='train', pipeline=train_pipeline
    ),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        split='test',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='mmpretrain.Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
