package tollgate.gates.quality_test

import data.tollgate.gates.quality

# --- a good candidate, and the ways in which it can fall short ---------------

metric(value, low, high) := {
	"value": value, "ci_low": low, "ci_high": high, "level": 0.95,
	"n": 500, "method": "m", "greater_is_better": true,
}

good := {
	"baseline": {"role": "champion", "model": "churn", "version": 1},
	"candidate": {"lineage": {"data": "2026-10"}},
	"evaluation": {"id": "e", "rows": 500, "age_s": 60, "paired": true},
	"metrics": {
		"roc_auc": {"candidate": metric(0.95, 0.93, 0.97), "baseline": metric(0.94, 0.92, 0.96), "diff": metric(0.01, 0.001, 0.02)},
		"log_loss": {"candidate": metric(0.2, 0.15, 0.25), "baseline": null, "diff": null},
		"ece": {"candidate": metric(0.03, 0.01, 0.05), "baseline": null, "diff": null},
	},
	"slices": [
		{"column": "region", "value": "north", "n": 250, "metrics": {"accuracy": metric(0.9, 0.85, 0.95)}},
		{"column": "region", "value": "south", "n": 250, "metrics": {"accuracy": metric(0.8, 0.7, 0.9)}},
	],
	"latency": {"p50_ms": 1, "p95_ms": 2, "p99_ms": 3, "n": 500, "unit": "ms"},
	"external_metrics": {},
	"evidence": {"complete": true, "missing": []},
}

status(id) := one if {
	found := [check.status | some check in quality.decision.checks; check.id == id]
	count(found) == 1
	one := found[0]
}

reported(id) := [c | some c in quality.decision.checks; c.id == id][0]

# Values that are not the number they should be.
not_numbers := [null, "0.99", "", [], {}, true]

test_a_good_candidate_is_allowed if {
	quality.decision.allow with input as good
}

test_every_check_is_reported_once if {
	count(quality.decision.checks) == 9 with input as good
	count({check.id | some check in quality.decision.checks}) == 9 with input as good
}

test_every_check_is_reported_without_any_evidence if {
	count({check.id | some check in quality.decision.checks}) == 9 with input as {}
	not quality.decision.allow with input as {}
}

test_a_check_reports_what_it_saw if {
	c := reported("auc_floor") with input as good
	[c.observed, c.ci_low, c.ci_high, c.n, c.bound] == [0.95, 0.93, 0.97, 500, data.params.min_auc]
}

# --- each required metric: missing, not a number, below bound, n = 1 ---------

test_missing_metrics_fail if {
	every id, name in {"auc_floor": "roc_auc", "log_loss_ceiling": "log_loss", "calibration": "ece"} {
		status(id) == "fail" with input as good with input.metrics as object.remove(good.metrics, [name])
		not quality.decision.allow with input as good with input.metrics as object.remove(good.metrics, [name])
	}
}

test_auc_that_is_not_a_number_fails if {
	every bad in not_numbers {
		status("auc_floor") == "fail" with input as good with input.metrics.roc_auc.candidate.value as bad
		status("auc_floor") == "fail" with input as good with input.metrics.roc_auc.candidate.ci_low as bad
		status("auc_floor") == "fail" with input as good with input.metrics.roc_auc.candidate.n as bad
		status("auc_floor") == "fail" with input as good with input.metrics.roc_auc.candidate as bad
		status("auc_floor") == "fail" with input as good with input.metrics.roc_auc as bad
		status("auc_floor") == "fail" with input as good with input.metrics as bad
	}
}

test_log_loss_and_calibration_that_are_not_numbers_fail if {
	every bad in not_numbers {
		status("log_loss_ceiling") == "fail" with input as good with input.metrics.log_loss.candidate.ci_high as bad
		status("calibration") == "fail" with input as good with input.metrics.ece.candidate.ci_high as bad
	}
}

test_below_and_above_the_bounds_fail if {
	status("auc_floor") == "fail" with input as good with input.metrics.roc_auc.candidate as metric(0.86, 0.84, 0.9)
	status("auc_floor") == "pass" with input as good with input.metrics.roc_auc.candidate as metric(0.86, 0.85, 0.9)
	status("log_loss_ceiling") == "fail" with input as good with input.metrics.log_loss.candidate as metric(0.5, 0.4, 0.61)
	status("calibration") == "fail" with input as good with input.metrics.ece.candidate as metric(0.3, 0.2, 0.36)
}

test_an_interval_that_does_not_hold_its_estimate_fails if {
	status("auc_floor") == "fail" with input as good with input.metrics.roc_auc.candidate as metric(0.5, 0.9, 0.95)
}

test_few_rows_are_inconclusive if {
	status("auc_floor") == "inconclusive" with input as good with input.metrics.roc_auc.candidate.n as 1
	status("log_loss_ceiling") == "inconclusive" with input as good with input.metrics.log_loss.candidate.n as 1
	status("calibration") == "inconclusive" with input as good with input.metrics.ece.candidate.n as 99
	not quality.decision.allow with input as good with input.metrics.roc_auc.candidate.n as 1
}

# --- evidence ----------------------------------------------------------------

test_evidence_must_be_sealed_and_complete if {
	status("evidence_sealed") == "pass" with input as good
	status("evidence_sealed") == "fail" with input as good with input.evidence.complete as false
	status("evidence_sealed") == "fail" with input as good with input.evidence.complete as "true"
	status("evidence_sealed") == "fail" with input as good with input.evaluation as null
	status("evidence_sealed") == "fail" with input as good with input.evaluation.rows as 0
}

test_sample_size_is_counted_in_rows if {
	every bad in array_of(not_numbers, [1, 99, 0, -5]) {
		status("sample_size") == "fail" with input as good with input.evaluation.rows as bad
	}
	status("sample_size") == "pass" with input as good with input.evaluation.rows as 100
}

array_of(a, b) := [x | some list in [a, b]; some x in list]

test_lineage_is_needed if {
	status("lineage") == "fail" with input as good with input.candidate.lineage as {}
	status("lineage") == "fail" with input as good with input.candidate.lineage as null
	status("lineage") == "fail" with input as good with data.params.lineage_keys as ["code"]
	status("lineage") == "fail" with input as good
		with data.params.lineage_keys as ["code"]
		with input.candidate.lineage as {"code": ""}
	status("lineage") == "pass" with input as good
		with data.params.lineage_keys as ["code"]
		with input.candidate.lineage as {"code": "4f2c"}
}

test_external_metrics_prove_nothing if {
	external := {"roc_auc": {"metric": metric(0.99, 0.98, 1), "source": "laptop", "logged_by": "eve", "age_s": 1}}
	status("auc_floor") == "fail" with input as good
		with input.metrics as object.remove(good.metrics, ["roc_auc"])
		with input.external_metrics as external
}

# --- comparison ---------------------------------------------------------------

test_a_first_promotion_has_nothing_to_fall_behind if {
	status("no_regression") == "pass" with input as good with input.baseline as {"role": "none"}
	contains(reported("no_regression").message, "nothing is served yet") with input as good with input.baseline as {"role": "none"}
}

test_a_champion_must_be_compared_with if {
	status("no_regression") == "pass" with input as good
	status("no_regression") == "fail" with input as good with input.evaluation.paired as false
	status("no_regression") == "fail" with input as good with input.metrics.roc_auc.diff as null
	status("no_regression") == "fail" with input as good with input.baseline.role as "other"
	status("no_regression") == "fail" with input as good with input.baseline as {}
	not quality.decision.allow with input as good with input.evaluation.paired as false
}

test_falling_behind_by_more_than_the_margin_fails if {
	status("no_regression") == "fail" with input as good with input.metrics.roc_auc.diff as metric(-0.01, -0.03, 0.01)
	status("no_regression") == "pass" with input as good with input.metrics.roc_auc.diff as metric(-0.01, -0.02, 0.01)
	status("no_regression") == "inconclusive" with input as good with input.metrics.roc_auc.diff.n as 1
	every bad in not_numbers {
		status("no_regression") == "fail" with input as good with input.metrics.roc_auc.diff.ci_low as bad
	}
}

# --- slices -------------------------------------------------------------------

slice(n, low) := {"column": "c", "value": "v", "n": n, "metrics": {"accuracy": object.union(metric(0.95, low, 1), {"n": n})}}

test_the_worst_slice_decides if {
	status("slices") == "pass" with input as good
	contains(reported("slices").message, "region = south") with input as good
	status("slices") == "fail" with input as good with input.slices as [slice(50, 0.9), slice(50, 0.5)]
}

test_small_slices_are_not_judged_but_named if {
	status("slices") == "pass" with input as good with input.slices as [slice(50, 0.9), slice(5, 0.1)]
	count(quality.decision.warn) == 1 with input as good with input.slices as [slice(50, 0.9), slice(5, 0.1)]
	status("slices") == "inconclusive" with input as good with input.slices as [slice(5, 0.9)]
}

test_a_slice_without_its_metric_fails if {
	bare := {"column": "c", "value": "v", "n": 50, "metrics": {}}
	status("slices") == "fail" with input as good with input.slices as [slice(50, 0.9), bare]
	every bad in not_numbers {
		status("slices") == "fail" with input as good
			with input.slices as [{"column": "c", "value": "v", "n": 50, "metrics": {"accuracy": bad}}]
	}
}

test_slices_may_be_needed if {
	status("slices") == "pass" with input as good with input.slices as []
	status("slices") == "fail" with input as good with input.slices as [] with data.params.slices_needed as true
	status("slices") == "fail" with input as good with input.slices as null
}

# --- latency ------------------------------------------------------------------

test_latency_has_a_ceiling if {
	status("latency_p99") == "pass" with input as good with input.latency.p99_ms as data.params.max_p99_ms
	status("latency_p99") == "fail" with input as good with input.latency.p99_ms as data.params.max_p99_ms + 1
	status("latency_p99") == "inconclusive" with input as good with input.latency.n as 1
	status("latency_p99") == "fail" with input as good with input.latency as null
	every bad in not_numbers {
		status("latency_p99") == "fail" with input as good with input.latency.p99_ms as bad
		status("latency_p99") == "fail" with input as good with input.latency.n as bad
	}
}

# --- parameters ---------------------------------------------------------------

test_a_bound_that_is_not_a_number_never_passes if {
	every bad in not_numbers {
		not quality.decision.allow with input as good with data.params.min_auc as bad
		not quality.decision.allow with input as good with data.params.max_log_loss as bad
		not quality.decision.allow with input as good with data.params.max_ece as bad
	}
}
