# DVS128 Gesture as published: the extracted folder DvsGesture, or its parent folder:
#   data/dvs128_gesture/DvsGesture/{*.aedat,*_labels.csv,trials_to_{train,test}.txt}
# Frames are made once:
#   tools/dataset_tools/events.py dvs128_gesture data/dvs128_gesture/
_base_ = 'event_frames.py'

dataset = dict(type='mmsnn.DVS128Gesture', data_root='data/dvs128_gesture/')
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = val_dataloader
