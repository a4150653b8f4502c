"""Bars of stocks from Yahoo's chart endpoint."""
