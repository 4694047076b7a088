//! Evaluations compared with scikit-learn, simulated, and attacked.

#[cfg(test)]
#[path = "evaluation/coverage.rs"]
mod coverage;
#[cfg(test)]
#[path = "evaluation/datasets.rs"]
mod datasets;
#[cfg(test)]
#[path = "evaluation/reference.rs"]
mod reference;
#[cfg(test)]
#[path = "evaluation/runs.rs"]
mod runs;
