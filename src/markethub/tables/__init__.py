"""Arrow schemas, one module per kind of data, and the checks that rows must pass to be stored."""
