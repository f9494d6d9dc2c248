"""Which files a run is for, and what their results are called. Paths only, but for film headers."""
