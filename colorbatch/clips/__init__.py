"""Clips, which are film files or numbered frames: from their sources to their outcomes."""
