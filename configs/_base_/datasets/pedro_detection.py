# PEDRo: data/pedro/{numpy,xml}/{train,val,test}/; all boxes count.
_base_ = 'event_detection.py'

dataset = dict(type='mmsnn.PEDRoDetection', data_root='data/pedro')
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)
val_evaluator = dict(min_diagonal=0, min_side=0, min_time=-1)
test_evaluator = val_evaluator
