//! The only SQL, and the artifact folder.
//!
//! [`SqlStore`] implements the database ports of [`domain::ports::store`] on
//! SQLite and PostgreSQL with one schema and the same statements;
//! [`FileArtifacts`] keeps files under the digest of their bytes.
//!
//! This crate records and reads; it decides nothing. It knows no HTTP, and no
//! rule beyond what keeps records true: numbers given once, entries chained,
//! routes changed only where a promotion stands.
//!
//! Reading order: `connect` opens a database, `migrate` brings its schema up to
//! date, `ledger` is the transaction every change runs in; then one file per
//! family of tables, `check` for the doctor, and `artifacts`.

#![forbid(unsafe_code)]

mod artifacts;
mod check;
mod connect;
mod datasets;
mod document;
mod endpoints;
mod evaluations;
mod failure;
mod gates;
mod ledger;
mod migrate;
mod models;
mod plugins;
mod promotions;
mod records;

pub use artifacts::FileArtifacts;
pub use check::StoreReport;
pub use connect::SqlStore;
