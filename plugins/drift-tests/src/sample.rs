//! The sorted values of one column, thinned to a fixed number.

/// Sorts `values` and keeps at most `most` of them: those in the middle of
/// `most` equally long runs, so every quantile moves by less than `1 / most`.
#[must_use]
pub fn thin(mut values: Vec<f64>, most: usize) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    let count = values.len();
    if count <= most {
        return values;
    }
    (0..most)
        .map(|index| values[(2 * index + 1) * count / (2 * most)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_the_middle_of_each_run() {
        let values: Vec<f64> = (0..10).rev().map(f64::from).collect();
        assert_eq!(thin(values.clone(), 5), [1.0, 3.0, 5.0, 7.0, 9.0]);
        assert_eq!(thin(values.clone(), 10).len(), 10);
        assert_eq!(thin(values, 3), [1.0, 5.0, 8.0]);
    }

    #[test]
    fn no_quantile_moves_by_more_than_the_promise() {
        let values: Vec<f64> = (0..997).map(|x| f64::from(x * 7919 % 997)).collect();
        for most in [30, 100, 333] {
            let kept = thin(values.clone(), most);
            for at in 0..997 {
                let below = kept.iter().filter(|&&x| x <= f64::from(at)).count();
                let error = (f64::from(at + 1) / 997.0 - below as f64 / most as f64).abs();
                assert!(error <= 1.0 / most as f64, "{most} {at} {error}");
            }
        }
    }
}
