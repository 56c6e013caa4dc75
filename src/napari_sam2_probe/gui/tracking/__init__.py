"""Tracking while a person watches: the session's side, which runs in a worker thread, and the window's side."""
