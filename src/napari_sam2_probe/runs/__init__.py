"""A probe run on disk: written as it grows, read without SAM 2."""
