# A small gate to start from: the 99th percentile of a call within a budget.
# Advisory, so a failure is shown as a warning and blocks nothing.
package tollgate.gates.latency

default decision := {"allow": false, "checks": []}

decision := {"allow": check.status == "pass", "checks": [check]}

check := {
	"id": "p99",
	"status": status,
	"observed": input.latency.p99_ms,
	"bound": data.params.budget_ms,
	"n": input.latency.n,
	"message": "99th percentile of one call, in ms",
} if measured

measured if {
	is_number(input.latency.p99_ms)
	is_number(input.latency.n)
}

status := "inconclusive" if {
	measured
	input.latency.n < data.params.min_calls
} else := "pass" if {
	measured
	input.latency.p99_ms <= data.params.budget_ms
} else := "fail"
