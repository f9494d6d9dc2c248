"""What is finished, kept beside the results: one append-only file for each home."""
