"""From what a paper prints to what can be re-derived from it: printed numbers in, verdicts out; no case data needed."""
