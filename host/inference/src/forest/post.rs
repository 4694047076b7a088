//! What a model makes of its raw scores.

/// A transformation of one row's scores. Formulas: ONNX operator
/// specification (`ai.onnx.ml` TreeEnsemble), XGBoost and LightGBM objectives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Post {
    /// As they are.
    None,
    /// `1 / (1 + exp(-k x))`; `k` is 1 except for LightGBM's `sigmoid` parameter.
    Logistic(f64),
    /// `exp(x_i) / sum exp(x_j)`
    Softmax,
    /// Softmax over the scores that are not 0; 0 stays 0 (ONNX `SOFTMAX_ZERO`).
    SoftmaxZero,
    /// Inverse of the normal distribution function (ONNX `PROBIT`).
    Probit,
    /// `exp(x)`
    Exp,
    /// `ln(1 + exp(x))` (LightGBM `cross_entropy_lambda`)
    Softplus,
    /// `sign(x) x²` (LightGBM `reg_sqrt`)
    SignedSquare,
}

impl Post {
    /// Transforms one row's scores in place.
    pub(crate) fn apply(self, scores: &mut [f64]) {
        match self {
            Self::None => {}
            Self::Logistic(k) => each(scores, |x| logistic(k * x)),
            Self::Softmax => softmax(scores, |_| true),
            Self::SoftmaxZero => softmax(scores, |x| x != 0.0),
            Self::Probit => each(scores, probit),
            Self::Exp => each(scores, f64::exp),
            Self::Softplus => each(scores, |x| x.exp().ln_1p()),
            Self::SignedSquare => each(scores, |x| x * x.abs()),
        }
    }
}

fn each(scores: &mut [f64], f: impl Fn(f64) -> f64) {
    for score in scores {
        *score = f(*score);
    }
}

/// The logistic function.
pub(crate) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softmax(scores: &mut [f64], takes_part: impl Fn(f64) -> bool) {
    let part: Vec<bool> = scores.iter().map(|&x| takes_part(x)).collect();
    let most = scores.iter().zip(&part).filter(|(_, part)| **part);
    let most = most.fold(f64::NEG_INFINITY, |most, (&x, _)| most.max(x));
    let mut sum = 0.0;
    for (score, _) in scores.iter_mut().zip(&part).filter(|(_, part)| **part) {
        *score = (*score - most).exp();
        sum += *score;
    }
    for (score, _) in scores.iter_mut().zip(&part).filter(|(_, part)| **part) {
        *score /= sum;
    }
}

/// `sqrt(2) * erfinv(2p - 1)` with Winitzki's approximation of `erfinv`, which
/// is what ONNX Runtime computes.
fn probit(p: f64) -> f64 {
    let x = 2.0 * p - 1.0;
    let log = ((1.0 - x) * (1.0 + x)).ln();
    let v = 2.0 / (std::f64::consts::PI * 0.147) + 0.5 * log;
    let root = (v * v - log / 0.147).sqrt() - v;
    std::f64::consts::SQRT_2 * x.signum() * root.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(post: Post, scores: &[f64]) -> Vec<f64> {
        let mut scores = scores.to_vec();
        post.apply(&mut scores);
        scores
    }

    fn near(post: Post, scores: &[f64], expected: &[f64], within: f64) {
        for (given, expected) in applied(post, scores).iter().zip(expected) {
            assert!(
                (given - expected).abs() <= within,
                "{post:?}: {given} {expected}"
            );
        }
    }

    #[test]
    fn formulas_give_known_values() {
        near(Post::None, &[-3.0], &[-3.0], 0.0);
        near(
            Post::Logistic(1.0),
            &[0.0, 2.0],
            &[0.5, 0.880_797_077_977_882_4],
            1e-15,
        );
        near(
            Post::Logistic(2.0),
            &[1.0],
            &[0.880_797_077_977_882_4],
            1e-15,
        );
        near(
            Post::Softmax,
            &[1.0, 2.0],
            &[0.268_941_421_369_995_1, 0.731_058_578_630_004_9],
            1e-15,
        );
        near(Post::SoftmaxZero, &[1.0, 0.0, 1.0], &[0.5, 0.0, 0.5], 1e-15);
        near(Post::Exp, &[1.0], &[std::f64::consts::E], 1e-15);
        near(Post::Softplus, &[0.0], &[std::f64::consts::LN_2], 1e-15);
        near(Post::SignedSquare, &[-3.0, 2.0], &[-9.0, 4.0], 0.0);
        // An approximation, as in ONNX Runtime; the exact quantile is 1.959964.
        near(
            Post::Probit,
            &[0.5, 0.975, 0.025],
            &[0.0, 1.959_964, -1.959_964],
            5e-3,
        );
    }

    #[test]
    fn large_scores_stay_finite_under_softmax() {
        near(Post::Softmax, &[1e300, -1e300, 0.0], &[1.0, 0.0, 0.0], 0.0);
        assert_eq!(applied(Post::SoftmaxZero, &[0.0, 0.0]), [0.0, 0.0]);
    }
}
