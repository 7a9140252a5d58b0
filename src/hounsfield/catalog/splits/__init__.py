"""Cases -> parts and folds with every patient on one side, and the proof of it."""
