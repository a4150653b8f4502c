"""One folder per venue; venues share transport/ and never import each other."""
