# CIFAR10-DVS as published, one folder per class: data/cifar10_dvs/airplane/*.aedat, ...
# Frames are made once: tools/dataset_tools/events.py cifar10_dvs data/cifar10_dvs/
_base_ = 'event_frames.py'

dataset = dict(type='mmsnn.CIFAR10DVS', data_root='data/cifar10_dvs/')
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = val_dataloader
