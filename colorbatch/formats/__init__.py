"""Formats of stills: their headers, samples and metadata, in and out. No models, no journals."""
