"""Whole jobs: the demo and its report."""
