//! Gates as the rest of the gateway meets them: bundles in, verdicts out.

#[cfg(test)]
mod gates {
    mod admission;
    mod edges;
    mod evaluation;
    mod fixture;
    mod policy_tests;
    mod shipped;
}
