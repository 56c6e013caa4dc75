"""An interactive session that is recorded as it happens: prompts, passes, events, resume; no window."""
