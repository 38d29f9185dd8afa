# Frames of events for classification, shared by the event data sets. Other base files
# inherit from this one and add the data set.
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
    dataset=dict(split='train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='default_collate'),
    dataset=dict(split='test', test_mode=True, pipeline=test_pipeline),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='mmpretrain.Accuracy', topk=(1, 5))
test_evaluator = val_evaluator
