package tollgate.gates.latency_test

import data.tollgate.gates.latency

status := latency.decision.checks[0].status

test_within_the_budget_passes if {
	status == "pass" with input.latency as {"p99_ms": 10, "n": 100}
	latency.decision.allow with input.latency as {"p99_ms": 10, "n": 100}
}

test_over_the_budget_fails if {
	status == "fail" with input.latency as {"p99_ms": 10.1, "n": 100}
	not latency.decision.allow with input.latency as {"p99_ms": 10.1, "n": 100}
}

test_few_calls_are_inconclusive if {
	status == "inconclusive" with input.latency as {"p99_ms": 1, "n": 1}
}

test_what_was_not_measured_has_no_check_and_is_not_allowed if {
	every bad in [null, {}, {"p99_ms": "1", "n": 100}, {"p99_ms": 1, "n": null}] {
		latency.decision.checks == [] with input.latency as bad
		not latency.decision.allow with input.latency as bad
	}
}
