//! Objectives: how `base_score` becomes a margin, and scores become answers.

use crate::{ensemble::Head, forest::Post};

/// What an objective means at prediction time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Objective {
    link: Link,
    kind: Kind,
}

/// `base_score` is stored on the scale of predictions; trees add to margins.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Link {
    Identity,
    /// `ln(p / (1 - p))`
    Logit,
    Log,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Values(Post),
    Binary,
    Classes,
    Sign,
}

/// The objective of that name. (`binary:logitraw` takes `base_score` as a
/// margin already, unlike `binary:logistic`.)
pub(super) fn find(name: &str) -> Option<Objective> {
    let (link, kind) = match name {
        "binary:logistic" => (Link::Logit, Kind::Binary),
        "reg:logistic" => (Link::Logit, Kind::Values(Post::Logistic(1.0))),
        "binary:hinge" => (Link::Identity, Kind::Sign),
        "multi:softprob" | "multi:softmax" => (Link::Identity, Kind::Classes),
        "reg:gamma" | "reg:tweedie" | "count:poisson" | "survival:cox" | "survival:aft" => {
            (Link::Log, Kind::Values(Post::Exp))
        }
        "reg:squarederror"
        | "reg:linear"
        | "reg:squaredlogerror"
        | "reg:absoluteerror"
        | "reg:pseudohubererror"
        | "reg:quantileerror"
        | "reg:expectileerror"
        | "binary:logitraw"
        | "rank:pairwise"
        | "rank:ndcg"
        | "rank:map" => (Link::Identity, Kind::Values(Post::None)),
        _ => return None,
    };
    Some(Objective { link, kind })
}

impl Objective {
    /// Margins from `base_score`: one number, or a list in brackets (3.x).
    pub(super) fn margins(self, base_score: &str, targets: usize) -> Result<Vec<f64>, String> {
        let list = base_score.trim();
        let list = list
            .strip_prefix('[')
            .and_then(|list| list.strip_suffix(']'))
            .unwrap_or(list);
        let mut margins = Vec::new();
        for text in list.split(',') {
            let score: f32 = text.trim().parse().map_err(|_| {
                format!(
                    "base_score {:?} is not a number",
                    text.chars().take(32).collect::<String>()
                )
            })?;
            let score = f64::from(score);
            let margin = match self.link {
                Link::Identity => score,
                Link::Logit => (score / (1.0 - score)).ln(),
                Link::Log => score.ln(),
            };
            if !margin.is_finite() {
                return Err(format!("base_score {score} has no finite margin"));
            }
            margins.push(margin);
        }
        match margins.as_slice() {
            [one] => Ok(vec![*one; targets]),
            all if all.len() == targets => Ok(margins),
            all => Err(format!("{} base scores for {targets} outputs", all.len())),
        }
    }

    /// How scores of so many outputs are answered. Several outputs of a binary
    /// objective are independent probabilities, not classes.
    pub(super) const fn head(self, targets: usize) -> Head {
        match self.kind {
            Kind::Values(post) => Head::Regression(post),
            Kind::Binary if targets == 1 => Head::Binary(Post::Logistic(1.0)),
            Kind::Binary => Head::Regression(Post::Logistic(1.0)),
            Kind::Classes => Head::Classes(Post::Softmax),
            Kind::Sign if targets == 1 => Head::Sign,
            Kind::Sign => Head::Regression(Post::None),
        }
    }
}
