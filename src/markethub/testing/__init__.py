"""Contract suites that the tests of any adapter can subclass; they need pytest."""
