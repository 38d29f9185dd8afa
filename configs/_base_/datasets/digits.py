# scikit-learn's 8x8 digits; no download. No flips, since mirrored digits are invalid.
# No workers: loading is cheap, and on a CPU a worker takes a core away from training.
_base_ = 'classification.py'

train_pipeline = [
    dict(type='RandomCrop', crop_size=8, padding=1),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='PackInputs')]

loader = dict(batch_size=64, num_workers=0, persistent_workers=False)
dataset = dict(type='mmsnn.DigitsClassification')
train_dataloader = dict(
    dataset=dict(split='train', pipeline=train_pipeline, **dataset), **loader
)
val_dataloader = dict(
    dataset=dict(split='test', test_mode=True, pipeline=test_pipeline, **dataset),
    **loader,
)
test_dataloader = val_dataloader
