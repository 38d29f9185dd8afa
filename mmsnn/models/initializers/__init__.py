"""Initial weights from published checkpoints and from other numbers of time steps."""
