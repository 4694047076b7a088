# Promotion gate for models that predict a number.
#
# Units differ, so the absolute bounds are on numbers without one (R², WAPE) and
# the comparison with the champion is relative to the champion's own error.
package tollgate.gates.regression

params := data.params

default decision := {
	"allow": false,
	"checks": [],
	"deny": [{"code": "not_decided", "message": "the regression gate came to no decision"}],
}

decision := {"allow": allow, "checks": checks}

default allow := false

allow if {
	count(checks) > 0
	every check in checks {
		check.status == "pass"
	}
}

checks contains report("evidence_sealed", verdict(sealed), null, null, message) if {
	message := "a sealed evaluation of this version"
}

default sealed := false

sealed if {
	input.evidence.complete == true
	is_string(input.evaluation.id)
}

checks contains report("sample_size", verdict(large_enough), {"value": rows, "n": rows}, params.min_rows, message) if {
	rows := number_of(object.get(input, "evaluation", null), "rows")
	message := "rows evaluated"
}

default large_enough := false

large_enough if {
	is_number(input.evaluation.rows)
	input.evaluation.rows >= params.min_rows
}

checks contains report("r2_floor", status, metric, params.min_r2, message) if {
	metric := candidate("r2")
	status := at_least(metric, params.min_r2)
	message := "R², lower end of its interval"
}

checks contains report("wape_ceiling", status, metric, params.max_wape, message) if {
	metric := candidate("wape")
	status := at_most(metric, params.max_wape)
	message := "weighted absolute percentage error, upper end of its interval"
}

checks contains report("no_regression", "pass", null, null, message) if {
	input.baseline.role == "none"
	message := "nothing is served yet, so there is nothing to fall behind"
}

checks contains report("no_regression", status, difference, bound, message) if {
	not input.baseline.role == "none"
	difference := paired_difference
	bound := largest_increase
	status := at_most(difference, bound)
	message := sprintf("%v minus the champion's on the same rows, upper end of its interval", [params.compared_metric])
}

compared := input.metrics[params.compared_metric] if {
	input.baseline.role == "champion"
	input.evaluation.paired == true
}

# What a comparison with a champion on the same rows found, else null.
default paired_difference := null

paired_difference := compared.diff if {
	is_object(compared.diff)
	compared.diff.greater_is_better == false
}

# A share of the champion's own error; null without one, which never passes.
default largest_increase := null

largest_increase := params.regression_margin * compared.baseline.value if {
	is_number(compared.baseline.value)
}

# The candidate's sealed metric, else null.
candidate(name) := metric if {
	metric := input.metrics[name].candidate
	is_object(metric)
} else := null

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

at_least(metric, bound) := "fail" if {
	not usable(metric)
} else := "inconclusive" if {
	metric.n < params.min_rows
} else := "pass" if {
	is_number(bound)
	metric.ci_low >= bound
} else := "fail"

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

number_of(object, key) := object[key] if {
	is_object(object)
	is_number(object[key])
} else := null

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
