"""Matplotlib functions that draw on an Axes, shared by reports and panels."""
