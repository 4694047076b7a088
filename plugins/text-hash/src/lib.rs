//! A transform for text: the tokens of each column are hashed into a fixed
//! number of buckets, as scikit-learn's `HashingVectorizer` does.
//!
//! Nothing here learns and nothing is looked up, so any text has a place. The
//! settings are described beside their types in [`settings`]; [`tokens`] takes
//! text apart, [`murmur`] hashes, [`hasher`] runs a batch.

#![forbid(unsafe_code)]

pub mod hasher;
pub mod murmur;
pub mod settings;
pub mod tokens;

#[cfg(target_arch = "wasm32")]
tollgate_plugin::export_transform!(hasher::TextHash);
