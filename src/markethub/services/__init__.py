"""One use case per function; every door (HTTP, command line) calls these and only formats."""
