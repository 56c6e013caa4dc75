"""What tests of several folders share: made videos and runs, the stock predictor beside ours, hands for the window."""
