"""Bars of stocks from Futu OpenD, a program of the user's own broker account."""
