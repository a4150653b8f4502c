"""The command line: each command parses, asks the hub or a service, and prints."""
