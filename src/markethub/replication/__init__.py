"""Proof that two stores hold the same data."""
