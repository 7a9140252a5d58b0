"""From cases to cohorts and splits, and the proof that no patient stands on two sides of one."""
