"""From labels, probabilities and masks to numbers with intervals: arrays in, numbers out; no file, no torch.

Each file is named after what it yields and shows its public function first; import from the file itself
(`from hounsfield.stats.auc import auc`), so that one metric does not load the others.

- `estimate`: the value with its interval that everything here returns; the warning `UndefinedMetric`.
- `auc`, `roc`, `average_precision`, `classification`, `calibration`, `operating_point`, `overlap`: one model.
- `intervals`: the interval of each metric by the method that fits the data (one case a patient, or several).
- `proportion`, `bootstrap`: the methods those intervals are made with.
- `compare`: two models on the same cases, by the tests of `mcnemar`, `sign_flip` and `auc`.
- `multiplicity`: correction for several comparisons.
- `calibration_multi`, `multinomial`: calibration of three classes and more, and the regression it rests on.
- `kappa`, `predictive_value`, `partial_auc`, `decision_curve`, `auc_bootstrap`: more of one model.
- `contingency`, `groups`: separate groups of patients; `permutation`, `non_inferiority`, `sample_size`: planning.
- `matching`, `froc`, `jafroc`: detections.
- `reader_average`, `mrmc`, `agreement`, `consensus`: several readers; `weighted`: metrics as a bootstrap takes them.
- `inputs`: the checks that every function applies to its arrays.
"""
