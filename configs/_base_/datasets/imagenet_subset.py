# ImageNet-5, five classes of ImageNet-1k, drawn with a seed (Li et al., Section V-A;
# the classes of the paper are not known). The files are those of imagenet.py, the
# pipelines those of imagenet_autoaugment.py.
_base_ = 'imagenet_autoaugment.py'

dataset = dict(type='mmsnn.ImageNetSubset', num_classes=5, seed=0)
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = val_dataloader
