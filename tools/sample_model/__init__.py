"""Training and evaluation of the sample model, the small SAM 2 that ships with the project."""
