"""Files as the system has them: paths and names, writing whole files or none, locks. No pixels."""
