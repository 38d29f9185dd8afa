# 1 Mpx in RVT's preprocessed files: data/1mpx_rvt/{train,val,test}/RECORDING/... Their
# histograms and boxes have half the resolution, so the metric keeps its default limits:
# 30 and 10 pixels correspond to 60 and 20 pixels of the sensor.
_base_ = 'gen1_rvt_detection.py'

dataset = dict(type='mmsnn.RVTMegapixelDetection', data_root='data/1mpx_rvt')
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)
