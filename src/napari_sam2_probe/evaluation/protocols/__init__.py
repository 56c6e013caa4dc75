"""The evaluation protocols of the SAM 2 paper, on any data set in a layout that `napari_sam2_probe.video` opens.

Ravi et al., "SAM 2: Segment Anything in Images and Videos", 2024, section 6.1 and appendix E.1. Semi-supervised: a
prompt on the first frame where each object appears. Interactive: a simulated user who clicks on bad frames, offline
(any frame, several passes) or online (one pass forward).
"""
