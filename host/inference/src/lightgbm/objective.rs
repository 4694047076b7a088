//! Objectives: what the raw scores become.

use crate::{ensemble::Head, forest::Post};

/// What an objective means at prediction time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Objective {
    Values(Post),
    Binary(Post),
    Classes { post: Post, count: usize },
}

/// Reads an objective line, as in `multiclass num_class:3`. No objective, or
/// one of the trainer's own, leaves scores as they are, as in LightGBM.
pub(super) fn find(line: &str) -> Option<Objective> {
    let mut words = line.split_ascii_whitespace();
    let name = words.next().unwrap_or("none");
    let options: Vec<(&str, &str)> = words
        .map(|word| word.split_once(':').unwrap_or((word, "")))
        .collect();
    let option = |name: &str| {
        options
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| *value)
    };
    let sigmoid = option("sigmoid").map_or(Some(1.0), |text| text.parse().ok());
    let sigmoid = sigmoid.filter(|k: &f64| k.is_finite())?;
    let classes = || option("num_class")?.parse().ok();
    Some(match name {
        "regression" | "huber" | "fair" | "quantile" | "mape" if option("sqrt").is_some() => {
            Objective::Values(Post::SignedSquare)
        }
        "regression" | "regression_l1" | "regression_l2" | "huber" | "fair" | "quantile"
        | "mape" | "lambdarank" | "rank_xendcg" | "none" | "custom" => {
            Objective::Values(Post::None)
        }
        "poisson" | "gamma" | "tweedie" => Objective::Values(Post::Exp),
        "cross_entropy" | "xentropy" => Objective::Values(Post::Logistic(1.0)),
        "cross_entropy_lambda" | "xentlambda" => Objective::Values(Post::Softplus),
        "binary" => Objective::Binary(Post::Logistic(sigmoid)),
        "multiclass" => Objective::Classes {
            post: Post::Softmax,
            count: classes()?,
        },
        "multiclassova" => Objective::Classes {
            post: Post::Logistic(sigmoid),
            count: classes()?,
        },
        _ => return None,
    })
}

impl Objective {
    /// How scores of so many trees per round are answered.
    pub(super) fn head(self, targets: usize) -> Result<Head, String> {
        match self {
            Self::Values(post) => Ok(Head::Regression(post)),
            Self::Binary(post) if targets == 1 => Ok(Head::Binary(post)),
            Self::Classes { post, count } if targets == count => Ok(Head::Classes(post)),
            _ => Err(format!(
                "num_tree_per_iteration is {targets}, which does not fit the objective"
            )),
        }
    }
}
