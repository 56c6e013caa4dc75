"""The models that a session can drive, one module a family; loading them."""
