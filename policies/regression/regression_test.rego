package tollgate.gates.regression_test

import data.tollgate.gates.regression

metric(value, low, high, greater) := {
	"value": value, "ci_low": low, "ci_high": high, "level": 0.95,
	"n": 500, "method": "m", "greater_is_better": greater,
}

good := {
	"baseline": {"role": "champion"},
	"evaluation": {"id": "e", "rows": 500, "age_s": 60, "paired": true},
	"metrics": {
		"r2": {"candidate": metric(0.8, 0.7, 0.9, true), "baseline": null, "diff": null},
		"wape": {"candidate": metric(0.1, 0.08, 0.12, false), "baseline": null, "diff": null},
		"rmse": {
			"candidate": metric(9, 8, 10, false),
			"baseline": metric(10, 9, 11, false),
			"diff": metric(-1, -1.5, -0.5, false),
		},
	},
	"evidence": {"complete": true, "missing": []},
}

not_numbers := [null, "0", "", [], {}, true]

status(id) := one if {
	found := [check.status | some check in regression.decision.checks; check.id == id]
	count(found) == 1
	one := found[0]
}

test_a_good_candidate_is_allowed if {
	regression.decision.allow with input as good
}

test_every_check_is_reported_without_any_evidence if {
	count({check.id | some check in regression.decision.checks}) == 5 with input as {}
	not regression.decision.allow with input as {}
}

test_missing_metrics_fail if {
	every id, name in {"r2_floor": "r2", "wape_ceiling": "wape", "no_regression": "rmse"} {
		status(id) == "fail" with input as good with input.metrics as object.remove(good.metrics, [name])
	}
}

test_what_is_not_a_number_fails if {
	every bad in not_numbers {
		status("r2_floor") == "fail" with input as good with input.metrics.r2.candidate.value as bad
		status("r2_floor") == "fail" with input as good with input.metrics.r2.candidate.ci_low as bad
		status("wape_ceiling") == "fail" with input as good with input.metrics.wape.candidate.ci_high as bad
		status("no_regression") == "fail" with input as good with input.metrics.rmse.diff.ci_high as bad
		status("no_regression") == "fail" with input as good with input.metrics.rmse.baseline.value as bad
		status("sample_size") == "fail" with input as good with input.evaluation.rows as bad
	}
}

test_bounds_hold if {
	status("r2_floor") == "fail" with input as good with input.metrics.r2.candidate.ci_low as 0.49
	status("r2_floor") == "pass" with input as good with input.metrics.r2.candidate.ci_low as 0.5
	status("wape_ceiling") == "fail" with input as good with input.metrics.wape.candidate.ci_high as 0.26
	status("wape_ceiling") == "pass" with input as good with input.metrics.wape.candidate.ci_high as 0.25
}

test_few_rows_are_inconclusive if {
	status("r2_floor") == "inconclusive" with input as good with input.metrics.r2.candidate.n as 1
	status("wape_ceiling") == "inconclusive" with input as good with input.metrics.wape.candidate.n as 1
	status("no_regression") == "inconclusive" with input as good with input.metrics.rmse.diff.n as 1
	status("sample_size") == "fail" with input as good with input.evaluation.rows as 1
}

test_the_margin_is_a_share_of_the_champions_error if {
	status("no_regression") == "pass" with input as good with input.metrics.rmse.diff as metric(0.1, 0, 0.2, false)
	status("no_regression") == "fail" with input as good with input.metrics.rmse.diff as metric(0.1, 0, 0.21, false)
}

test_a_champion_must_be_compared_with if {
	status("no_regression") == "fail" with input as good with input.evaluation.paired as false
	status("no_regression") == "fail" with input as good with input.metrics.rmse.diff as null
	status("no_regression") == "fail" with input as good with input.baseline as {}
	status("no_regression") == "pass" with input as good with input.baseline as {"role": "none"}
}

test_a_metric_where_more_is_better_is_not_compared_as_an_error if {
	status("no_regression") == "fail" with input as good with input.metrics.rmse.diff.greater_is_better as true
}

test_evidence_must_be_sealed_and_complete if {
	status("evidence_sealed") == "fail" with input as good with input.evidence.complete as false
	status("evidence_sealed") == "fail" with input as good with input.evaluation as null
}
