//! Closes an evaluation's record: a seal is the digest of everything else in
//! it, so a number changed later no longer matches.

use domain::{
    digest::Digest,
    evidence::Evaluation,
    json::{CanonicalError, canonical_digest},
};

/// A record whose seal does not hold.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// There is no seal.
    #[error("evaluation {0} is not sealed")]
    Open(String),
    /// The record is not what was sealed.
    #[error("evaluation {id} was changed after it was sealed: its seal is {recorded}, its content gives {computed}")]
    Broken {
        /// The evaluation.
        id: String,
        /// In the record.
        recorded: Digest,
        /// From the record.
        computed: Digest,
    },
    /// The record cannot be written down.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

fn digest_without_seal(evaluation: &Evaluation) -> Result<Digest, CanonicalError> {
    let open = Evaluation {
        seal: None,
        ..evaluation.clone()
    };
    canonical_digest(&open)
}

/// The record with its seal: the digest of its canonical JSON with `seal` null.
pub fn seal(evaluation: Evaluation) -> Result<Evaluation, CanonicalError> {
    let digest = digest_without_seal(&evaluation)?;
    Ok(Evaluation {
        seal: Some(digest),
        ..evaluation
    })
}

/// Whether the record is what was sealed.
pub fn verify_seal(evaluation: &Evaluation) -> Result<(), SealError> {
    let id = || evaluation.id.to_string();
    let recorded = evaluation.seal.ok_or_else(|| SealError::Open(id()))?;
    let computed = digest_without_seal(evaluation)?;
    if recorded == computed {
        Ok(())
    } else {
        Err(SealError::Broken {
            id: id(),
            recorded,
            computed,
        })
    }
}
