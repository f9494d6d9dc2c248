"""What every run needs: the pipeline, memory, the report and the log. Knows no format."""
