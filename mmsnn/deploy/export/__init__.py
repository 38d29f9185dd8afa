"""Export of networks out of PyTorch."""
