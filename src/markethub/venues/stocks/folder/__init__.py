"""Bars of stocks from CSV or Parquet files."""
