"""Predictions in, numbers and one HTML page out: evaluation, figures, report. Never imports torch.

Public: `content.ReportContent` (what goes in), `evaluate.evaluate` (numbers), `write.write_report` (the folder).
"""
