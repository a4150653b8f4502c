"""The demonstration: real processes, real recorded bars, and every claim checked as it is made."""
