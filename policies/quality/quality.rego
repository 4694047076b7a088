# Promotion gate for binary classification.
#
# Every check passes only on positive proof: the number is there, is a number,
# rests on enough rows, and the unfavourable end of its interval clears the
# bound. Only sealed metrics count; input.external_metrics is not read.
package tollgate.gates.quality

params := data.params

default decision := {
	"allow": false,
	"checks": [],
	"deny": [{"code": "not_decided", "message": "the quality gate came to no decision"}],
}

decision := {"allow": allow, "checks": checks, "warn": warnings}

default allow := false

allow if {
	count(checks) > 0
	every check in checks {
		check.status == "pass"
	}
}

# --- evidence ---------------------------------------------------------------

checks contains report("evidence_sealed", status, {"value": rows}, null, message) if {
	status := verdict(sealed)
	rows := number_of(object.get(input, "evaluation", null), "rows")
	message := text(sealed, "a sealed evaluation of this version was found", "no sealed evaluation of this version matches")
}

default sealed := false

sealed if {
	input.evidence.complete == true
	is_string(input.evaluation.id)
	is_number(input.evaluation.rows)
	input.evaluation.rows > 0
}

checks contains report("sample_size", status, {"value": rows, "n": rows}, params.min_rows, message) if {
	status := verdict(large_enough)
	rows := number_of(object.get(input, "evaluation", null), "rows")
	message := text(large_enough, "enough rows were evaluated", "too few rows were evaluated")
}

default large_enough := false

large_enough if {
	is_number(input.evaluation.rows)
	input.evaluation.rows >= params.min_rows
}

checks contains report("lineage", verdict(known_lineage), null, null, message) if {
	message := text(known_lineage, "the lineage is registered", wanted_lineage)
}

wanted_lineage := "register the version with its lineage, as in --lineage git=1a2b3c" if count(params.lineage_keys) == 0

wanted_lineage := sprintf("register the version with this lineage: %v", [concat(", ", params.lineage_keys)]) if {
	count(params.lineage_keys) > 0
}

default known_lineage := false

known_lineage if {
	is_object(input.candidate.lineage)
	count(input.candidate.lineage) > 0
	every key in params.lineage_keys {
		is_string(input.candidate.lineage[key])
		input.candidate.lineage[key] != ""
	}
}

# --- metrics ----------------------------------------------------------------

checks contains report("auc_floor", status, candidate("roc_auc"), params.min_auc, message) if {
	status := at_least(candidate("roc_auc"), params.min_auc)
	message := "ROC AUC, lower end of its interval"
}

checks contains report("log_loss_ceiling", status, candidate("log_loss"), params.max_log_loss, message) if {
	status := at_most(candidate("log_loss"), params.max_log_loss)
	message := "log loss, upper end of its interval"
}

checks contains report("calibration", status, candidate("ece"), params.max_ece, message) if {
	status := at_most(candidate("ece"), params.max_ece)
	message := "expected calibration error, upper end of its interval"
}

# --- comparison with the champion -------------------------------------------

checks contains report("no_regression", "pass", null, null, message) if {
	input.baseline.role == "none"
	message := "nothing is served yet, so there is nothing to fall behind"
}

checks contains report("no_regression", status, difference, bound, message) if {
	not input.baseline.role == "none"
	bound := 0 - params.regression_margin
	difference := paired_difference
	status := at_least(difference, bound)
	message := text(difference != null, "ROC AUC minus the champion's on the same rows, lower end of its interval", "evaluate the candidate with the champion as baseline on the same data set")
}

# What a comparison with a champion on the same rows found, else null.
default paired_difference := null

paired_difference := input.metrics.roc_auc.diff if {
	input.baseline.role == "champion"
	input.evaluation.paired == true
	is_object(input.metrics.roc_auc.diff)
}

# --- slices -----------------------------------------------------------------

slices := input.slices if is_array(input.slices)

judged := [slice | some slice in slices; is_number(slice.n); slice.n >= params.min_slice_rows]

small := [slice | some slice in slices; not slice in judged]

unusable := [slice | some slice in judged; not enough(accuracy(slice))]

enough(metric) if {
	usable(metric)
	metric.n >= params.min_slice_rows
}

checks contains report("slices", status, metric, params.min_slice_accuracy, message) if {
	count(judged) > 0
	count(unusable) == 0
	lowest := min([accuracy(slice).ci_low | some slice in judged])
	worst := [slice | some slice in judged; accuracy(slice).ci_low == lowest][0]
	metric := accuracy(worst)
	status := bounded_below(metric, params.min_slice_accuracy)
	message := sprintf("accuracy of the worst of %d slices, %v = %v, lower end of its interval", [count(judged), worst.column, worst.value])
}

checks contains report("slices", "fail", null, params.min_slice_accuracy, message) if {
	count(unusable) > 0
	message := sprintf("slice %v = %v has no accuracy over enough rows", [unusable[0].column, unusable[0].value])
}

checks contains report("slices", "inconclusive", null, params.min_slice_accuracy, message) if {
	count(slices) > 0
	count(judged) == 0
	message := sprintf("no slice has the %d rows it takes to judge it", [params.min_slice_rows])
}

checks contains report("slices", status, null, params.min_slice_accuracy, message) if {
	count(slices) == 0
	status := verdict(params.slices_needed == false)
	message := "the evaluation has no slices"
}

checks contains report("slices", "fail", null, params.min_slice_accuracy, message) if {
	not slices
	message := "the evaluation has no list of slices"
}

warnings contains {"code": "small_slices", "check": "slices", "message": message} if {
	count(small) > 0
	message := sprintf("%d slices have fewer than %d rows and were not judged", [count(small), params.min_slice_rows])
}

accuracy(slice) := object.get(slice.metrics, "accuracy", null) if is_object(slice.metrics)

# --- latency ----------------------------------------------------------------

checks contains report("latency_p99", status, metric, params.max_p99_ms, message) if {
	latency := object.get(input, "latency", null)
	metric := {"value": number_of(latency, "p99_ms"), "n": number_of(latency, "n")}
	status := latency_status(metric)
	message := "99th percentile of one call, in ms"
}

latency_status(metric) := "fail" if {
	not is_number(metric.value)
} else := "fail" if {
	not is_number(metric.n)
} else := "inconclusive" if {
	metric.n < params.min_latency_calls
} else := "pass" if {
	metric.value >= 0
	metric.value <= params.max_p99_ms
} else := "fail"

# --- how numbers are judged -------------------------------------------------

# The candidate's sealed metric, else null.
candidate(name) := metric if {
	metric := input.metrics[name].candidate
	is_object(metric)
} else := null

# Estimate, interval and count are all numbers. Rego would order texts and nulls
# among numbers without complaint.
usable(metric) if {
	is_object(metric)
	is_number(metric.value)
	is_number(metric.ci_low)
	is_number(metric.ci_high)
	is_number(metric.n)
	metric.ci_low <= metric.value
	metric.value <= metric.ci_high
	metric.n > 0
}

# At least `bound`, by the lower end of the interval, on enough rows.
at_least(metric, bound) := "fail" if {
	not usable(metric)
} else := "inconclusive" if {
	metric.n < params.min_rows
} else := bounded_below(metric, bound)

bounded_below(metric, bound) := "pass" if {
	is_number(bound)
	metric.ci_low >= bound
} else := "fail"

# At most `bound`, by the upper end of the interval, on enough rows.
at_most(metric, bound) := "fail" if {
	not usable(metric)
} else := "inconclusive" if {
	metric.n < params.min_rows
} else := "pass" if {
	is_number(bound)
	metric.ci_high <= bound
} else := "fail"

verdict(holds) := "pass" if {
	holds == true
} else := "fail"

text(holds, good, bad) := good if {
	holds == true
} else := bad

number_of(object, key) := object[key] if {
	is_object(object)
	is_number(object[key])
} else := null

# One check as the gateway reads it; what is not a number is left out as null.
report(id, status, metric, bound, message) := {
	"id": id,
	"status": status,
	"observed": number_of(metric, "value"),
	"bound": bound,
	"n": number_of(metric, "n"),
	"ci_low": number_of(metric, "ci_low"),
	"ci_high": number_of(metric, "ci_high"),
	"message": message,
}
