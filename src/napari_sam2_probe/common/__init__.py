"""Small things every folder may use: errors, progress events, atomic writes."""
