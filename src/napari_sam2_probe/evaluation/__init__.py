"""Scores against true masks: metrics, protocols, clicks."""
