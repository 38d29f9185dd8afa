_base_ = './danet-a-r50-t4_1xb32-amp-100e_imagenet-5.py'

subset = dict(num_classes=20)
model = dict(data_preprocessor=subset, head=subset)
train_dataloader = dict(dataset=subset)
val_dataloader = dict(dataset=subset)
test_dataloader = val_dataloader
