"""Stills: from picture files to their outcomes."""
