"""One file per topic; what takes long to import is imported inside the command that needs it."""
