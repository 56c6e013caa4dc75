"""Plots in panels: charts painted by Qt."""
