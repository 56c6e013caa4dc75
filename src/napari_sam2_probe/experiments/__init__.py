"""Whole jobs: data sets of clips tracked and scored, protocols, decoders, reports, exports, the demo."""
