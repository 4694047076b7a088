//! `ai.onnx.ml` support vector machines. Formulas: the operators' specification
//! and libsvm (Chang and Lin, ACM TIST 2011) for pairwise probabilities.

use super::{
    Build,
    ml_linear::{Labels, first_largest, post, table},
};
use crate::{
    forest::Post,
    onnx::{
        array::{Array, Shape},
        fault::{Fault, Refusal},
        node::{Built, Node, many, one},
    },
};

/// Most classes: one decision for each pair of them.
const MAX_CLASSES: usize = 1000;

/// The builder of an operator of this group.
pub(crate) fn find(op: &str) -> Option<Build> {
    Some(match op {
        "SVMClassifier" => classifier,
        "SVMRegressor" => regressor,
        _ => return None,
    })
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Linear,
    Poly,
    Rbf,
    Sigmoid,
}

/// A kernel against resident vectors.
#[derive(Debug)]
struct Kernel {
    kind: Kind,
    gamma: f32,
    coef0: f32,
    degree: f32,
    /// One vector per row.
    vectors: Vec<f32>,
    features: usize,
}

impl Kernel {
    fn read(node: &Node<'_>, vectors: &[f32], count: usize) -> Result<Self, Refusal> {
        let parameters = node.floats("kernel_params")?.unwrap_or_default();
        let kind = match node.string("kernel_type")?.as_deref() {
            None | Some("LINEAR") => Kind::Linear,
            Some("POLY") => Kind::Poly,
            Some("RBF") => Kind::Rbf,
            Some("SIGMOID") => Kind::Sigmoid,
            Some(other) => return Err(node.refuse(&format!("kernel_type={other}"))),
        };
        if count == 0 || vectors.is_empty() || !vectors.len().is_multiple_of(count) {
            return Err(node.broken("vectors do not fit their number"));
        }
        let parameter = |at: usize| parameters.get(at).copied().unwrap_or(0.0);
        Ok(Self {
            kind,
            gamma: parameter(0),
            coef0: parameter(1),
            degree: parameter(2),
            vectors: vectors.to_vec(),
            features: vectors.len() / count,
        })
    }

    /// The kernel of a row with every vector.
    fn values(&self, row: &[f32]) -> Vec<f32> {
        let each = self.vectors.chunks_exact(self.features);
        each.map(|vector| {
            let pairs = row.iter().zip(vector);
            if matches!(self.kind, Kind::Rbf) {
                let distance: f32 = pairs.map(|(x, v)| (x - v) * (x - v)).sum();
                return (-self.gamma * distance).exp();
            }
            let dot: f32 = pairs.map(|(x, v)| x * v).sum();
            match self.kind {
                Kind::Poly => (self.gamma * dot + self.coef0).powf(self.degree),
                Kind::Sigmoid => (self.gamma * dot + self.coef0).tanh(),
                Kind::Linear | Kind::Rbf => dot,
            }
        })
        .collect()
    }

    fn rows(&self, input: &Array) -> Result<(usize, Vec<f32>), Fault> {
        let (rows, columns) = table(input)?;
        if columns != self.features {
            return Err(Fault::shape(format!(
                "{columns} columns where {} are needed",
                self.features
            )));
        }
        Ok((rows, input.to_f32()?))
    }
}

fn transformed(post: Post, scores: &mut [f32]) {
    let mut wide: Vec<f64> = scores.iter().map(|&x| x.into()).collect();
    post.apply(&mut wide);
    for (score, wide) in scores.iter_mut().zip(wide) {
        *score = wide as f32;
    }
}

fn regressor(node: &Node<'_>) -> Result<Built, Refusal> {
    let coefficients = node.floats("coefficients")?.unwrap_or_default();
    let rho = node.floats("rho")?.unwrap_or_default();
    let rho = rho.first().copied().unwrap_or(0.0);
    let vectors = node.floats("support_vectors")?.unwrap_or_default();
    let supports = usize::try_from(node.int("n_supports")?.unwrap_or(0)).unwrap_or(0);
    let one_class = node.int("one_class")?.unwrap_or(0) != 0;
    let post = post(node)?;
    // Without support vectors the coefficients are the only vector.
    let (kernel, weights) = if supports == 0 {
        (Kernel::read(node, coefficients, 1)?, vec![1.0])
    } else {
        (
            Kernel::read(node, vectors, supports)?,
            coefficients.to_vec(),
        )
    };
    if weights.len() != supports.max(1) {
        return Err(node.broken("coefficients do not fit the support vectors"));
    }
    one(move |inputs| {
        let (rows, values) = kernel.rows(inputs.get(0)?)?;
        let mut out: Vec<f32> = values
            .chunks_exact(kernel.features)
            .map(|row| {
                let parts = kernel.values(row);
                let sum = parts.iter().zip(&weights).map(|(k, w)| k * w).sum::<f32>() + rho;
                match one_class {
                    true if sum > 0.0 => 1.0,
                    true => -1.0,
                    false => sum,
                }
            })
            .collect();
        if post != Post::None {
            out.iter_mut()
                .for_each(|x| transformed(post, std::slice::from_mut(x)));
        }
        Array::of(Shape::new(&[rows, 1])?, out)
    })
}

/// Pairwise decisions between classes.
struct Pairs {
    kernel: Kernel,
    /// First vector and number of vectors of each class.
    spans: Vec<(usize, usize)>,
    /// `[classes - 1, vectors]`
    coefficients: Vec<f32>,
    rho: Vec<f32>,
}

impl Pairs {
    /// Scores of all pairs `(i, j)`, `i < j`, in order, and the votes they make.
    fn decide(&self, row: &[f32]) -> (Vec<f32>, Vec<usize>) {
        let values = self.kernel.values(row);
        let vectors = values.len();
        let classes = self.spans.len();
        let mut scores = Vec::with_capacity(self.rho.len());
        let mut votes = vec![0; classes];
        for i in 0..classes {
            for j in i + 1..classes {
                let part = |(first, count): (usize, usize), line: usize| {
                    let from = line * vectors + first;
                    let weights = &self.coefficients[from..from + count];
                    let kernels = &values[first..first + count];
                    let products = weights.iter().zip(kernels);
                    products.map(|(w, k)| f64::from(w * k)).sum::<f64>()
                };
                let rho = self.rho.get(scores.len()).copied().unwrap_or(0.0);
                let sum = part(self.spans[i], j - 1) + part(self.spans[j], i) + f64::from(rho);
                scores.push(sum as f32);
                votes[if sum > 0.0 { i } else { j }] += 1;
            }
        }
        (scores, votes)
    }
}

fn pairs(node: &Node<'_>, classes: usize, per_class: &[i64]) -> Result<Pairs, Refusal> {
    let mut spans = Vec::with_capacity(classes);
    let mut total = 0usize;
    for &count in per_class {
        let count = usize::try_from(count)
            .ok()
            .filter(|&count| count <= 1 << 24);
        let Some(count) = count else {
            return Err(node.broken("vectors_per_class out of range"));
        };
        spans.push((total, count));
        total = total.saturating_add(count);
    }
    let vectors = node.floats("support_vectors")?.unwrap_or_default();
    let coefficients = node.floats("coefficients")?.unwrap_or_default().to_vec();
    let rho = node.floats("rho")?.unwrap_or_default().to_vec();
    if spans.len() != classes
        || coefficients.len() != total.saturating_mul(classes - 1)
        || rho.len() != classes * (classes - 1) / 2
    {
        return Err(node.broken("coefficients, rho or vectors_per_class do not fit the classes"));
    }
    Ok(Pairs {
        kernel: Kernel::read(node, vectors, total)?,
        spans,
        coefficients,
        rho,
    })
}

/// Pairwise probabilities from scores (Platt), clipped as libsvm does.
fn pairwise(scores: &[f32], a: &[f32], b: &[f32], classes: usize) -> Vec<f64> {
    let mut all = vec![0.0; classes * classes];
    let mut at = 0;
    for i in 0..classes {
        for j in i + 1..classes {
            let fit = f64::from(scores[at] * a[at] + b[at]);
            let p = (1.0 / (1.0 + fit.exp())).clamp(1e-7, 1.0 - 1e-7);
            all[i * classes + j] = p;
            all[j * classes + i] = 1.0 - p;
            at += 1;
        }
    }
    all
}

/// Class probabilities that agree best with pairwise ones: the second method of
/// Wu, Lin and Weng (JMLR 2004), iterated as in libsvm.
fn couple(r: &[f64], k: usize) -> Vec<f64> {
    let mut q = vec![0.0; k * k];
    for t in 0..k {
        for j in (0..k).filter(|&j| j != t) {
            q[t * k + t] += r[j * k + t] * r[j * k + t];
            q[t * k + j] = -r[j * k + t] * r[t * k + j];
        }
    }
    let mut p = vec![1.0 / k as f64; k];
    for _ in 0..k.max(100) {
        let mut qp: Vec<f64> = (0..k)
            .map(|t| (0..k).map(|j| q[t * k + j] * p[j]).sum())
            .collect();
        let mut pqp: f64 = p.iter().zip(&qp).map(|(p, qp)| p * qp).sum();
        let worst = qp.iter().map(|qp| (qp - pqp).abs()).fold(0.0, f64::max);
        if worst < 0.005 / k as f64 {
            break;
        }
        for t in 0..k {
            let step = (pqp - qp[t]) / q[t * k + t];
            p[t] += step;
            let norm = 1.0 + step;
            pqp = (pqp + step * (step * q[t * k + t] + 2.0 * qp[t])) / norm / norm;
            for j in 0..k {
                qp[j] = (qp[j] + step * q[t * k + j]) / norm;
                p[j] /= norm;
            }
        }
    }
    p
}

fn classifier(node: &Node<'_>) -> Result<Built, Refusal> {
    let labels = Labels::read(node, "classlabels_ints", "classlabels_strings")?;
    let classes = labels.len();
    if !(2..=MAX_CLASSES).contains(&classes) {
        return Err(node.refuse(&format!("{classes} classes")));
    }
    let post = post(node)?;
    let prob_a = node.floats("prob_a")?.unwrap_or_default().to_vec();
    let prob_b = node.floats("prob_b")?.unwrap_or_default().to_vec();
    let per_class = node.ints("vectors_per_class")?.unwrap_or_default();
    if per_class.iter().all(|&count| count == 0) {
        return linear_classifier(node, labels, post);
    }
    let pairs = pairs(node, classes, per_class)?;
    let fits = prob_a.is_empty() || prob_a.len() == pairs.rho.len();
    if prob_a.len() != prob_b.len() || !fits {
        return Err(node.broken("prob_a or prob_b do not fit the classes"));
    }
    many(move |inputs| {
        let (rows, values) = pairs.kernel.rows(inputs.get(0)?)?;
        let mut best = Vec::with_capacity(rows);
        let mut out = Vec::new();
        for row in values.chunks_exact(pairs.kernel.features) {
            let (mut scores, votes) = pairs.decide(row);
            best.push(first_largest(&votes));
            if !prob_a.is_empty() {
                let r = pairwise(&scores, &prob_a, &prob_b, classes);
                scores = couple(&r, classes).into_iter().map(|p| p as f32).collect();
                transformed(post, &mut scores);
            } else if let [score] = *scores.as_slice() {
                scores = match post {
                    Post::None => vec![-score, score],
                    _ => vec![1.0 - score, score],
                };
            } else {
                transformed(post, &mut scores);
            }
            out.extend(scores);
        }
        let width = out.len().checked_div(rows).unwrap_or(0);
        Ok(vec![
            labels.pick(&best)?,
            Array::of(Shape::new(&[rows, width])?, out)?,
        ])
    })
}

/// Without support vectors: one vector of coefficients per class.
fn linear_classifier(node: &Node<'_>, labels: Labels, post: Post) -> Result<Built, Refusal> {
    let classes = labels.len();
    let coefficients = node.floats("coefficients")?.unwrap_or_default();
    let rho = node.floats("rho")?.unwrap_or_default();
    let rho = rho.first().copied().unwrap_or(0.0);
    node.ignore("support_vectors");
    node.ignore("kernel_params");
    let mut kernel = Kernel::read(node, coefficients, classes)?;
    kernel.kind = Kind::Linear;
    many(move |inputs| {
        let (rows, values) = kernel.rows(inputs.get(0)?)?;
        let mut best = Vec::with_capacity(rows);
        let mut out = Vec::with_capacity(rows.saturating_mul(classes));
        for row in values.chunks_exact(kernel.features) {
            let mut scores: Vec<f32> = kernel.values(row).iter().map(|k| k + rho).collect();
            best.push(first_largest(&scores));
            transformed(post, &mut scores);
            out.extend(scores);
        }
        Ok(vec![
            labels.pick(&best)?,
            Array::of(Shape::new(&[rows, classes])?, out)?,
        ])
    })
}
