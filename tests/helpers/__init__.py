"""What several folders of tests share: models, scenarios, made-up data, hands for the window."""
