//! Database errors as port errors. Public messages say what was tried and what
//! to do; statements, addresses and passwords stay in the cause.

use domain::error::{ErrorKind, PortError};
use sqlx::error::{DatabaseError, ErrorKind as Violation};

/// Maps the failure of `action`, as in "read the model".
pub(crate) fn failed(action: &'static str) -> impl FnOnce(sqlx::Error) -> PortError {
    move |error| {
        let (kind, why) = judge(&error);
        PortError::new(kind, format!("could not {action}: {why}")).caused_by(error)
    }
}

/// Like [`failed`], with a conflict for what exists already.
pub(crate) fn taken(
    action: &'static str,
    what: impl std::fmt::Display,
) -> impl FnOnce(sqlx::Error) -> PortError {
    move |error| match &error {
        sqlx::Error::Database(cause) if cause.is_unique_violation() => {
            PortError::new(ErrorKind::Conflict, format!("{what} exists already")).caused_by(error)
        }
        _ => failed(action)(error),
    }
}

/// What does not exist.
pub(crate) fn missing(what: impl std::fmt::Display) -> PortError {
    PortError::new(ErrorKind::Missing, format!("{what} does not exist"))
}

fn judge(error: &sqlx::Error) -> (ErrorKind, &'static str) {
    const BROKEN: (ErrorKind, &str) = (
        ErrorKind::Internal,
        "the database gave an unexpected answer; the log has the cause",
    );
    const AWAY: (ErrorKind, &str) = (
        ErrorKind::Unavailable,
        "the database cannot be reached; try again later",
    );
    const UNTRUSTED: (ErrorKind, &str) = (
        ErrorKind::Unavailable,
        "no secure connection to the database; check sslmode and sslrootcert in its address, and the server's certificate",
    );
    match error {
        sqlx::Error::Tls(_) => UNTRUSTED,
        sqlx::Error::Configuration(_) => (
            ErrorKind::Invalid,
            "its address has an option that is not known or has a wrong value",
        ),
        // How a certificate is refused in the middle of the handshake.
        sqlx::Error::Io(cause) if cause.kind() == std::io::ErrorKind::InvalidData => UNTRUSTED,
        sqlx::Error::Io(cause) if cause.kind() == std::io::ErrorKind::NotFound => (
            ErrorKind::Unavailable,
            "a file that its address names is not there: the server's socket, or sslrootcert",
        ),
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => AWAY,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => (
            ErrorKind::Internal,
            "a stored row is corrupt; run `tollgate doctor`",
        ),
        sqlx::Error::Database(cause) => judge_database(cause.as_ref()).unwrap_or(BROKEN),
        _ => BROKEN,
    }
}

/// SQLite gives numbers (<https://sqlite.org/rescode.html>, extended codes have
/// the primary one in their low byte), PostgreSQL five characters
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn judge_database(cause: &dyn DatabaseError) -> Option<(ErrorKind, &'static str)> {
    const BUSY: &str = "the database is busy or shutting down; try again";
    const FULL: &str = "the database has no room left on its disk";
    const CORRUPT: &str = "the database file is corrupt; run `tollgate doctor`";
    const RULE: &str = "a field breaks a rule of the database";
    match cause.kind() {
        Violation::UniqueViolation => {
            return Some((ErrorKind::Conflict, "it exists already"));
        }
        Violation::ForeignKeyViolation => {
            return Some((ErrorKind::Missing, "something it names does not exist"));
        }
        Violation::NotNullViolation | Violation::CheckViolation => {
            return Some((ErrorKind::Invalid, RULE));
        }
        _ => {}
    }
    let code = cause.code()?;
    if code.len() == 5 {
        return Some(match code.get(..2)? {
            _ if code == "53100" => (ErrorKind::Unavailable, FULL),
            // 25 is a standby, or a session that was ended in a transaction.
            "08" | "25" | "53" | "57" => (ErrorKind::Unavailable, BUSY),
            "28" | "3D" => (
                ErrorKind::Unavailable,
                "the database server refused the connection; check user, password and database name",
            ),
            _ if matches!(code.as_ref(), "40001" | "40P01" | "55P03") => {
                (ErrorKind::Unavailable, BUSY)
            }
            "22" => (ErrorKind::Invalid, RULE),
            _ if matches!(code.as_ref(), "XX001" | "XX002") => (ErrorKind::Internal, CORRUPT),
            _ => return None,
        });
    }
    Some(match code.parse::<u32>().ok()? & 0xff {
        5 | 6 => (ErrorKind::Unavailable, BUSY),
        8 | 14 => (
            ErrorKind::Unavailable,
            "the database file cannot be opened or written; check its folder's permissions",
        ),
        10 => (ErrorKind::Unavailable, "the disk of the database failed"),
        11 | 26 => (ErrorKind::Internal, CORRUPT),
        13 => (ErrorKind::Unavailable, FULL),
        18 => (ErrorKind::Invalid, "the record is too large"),
        _ => return None,
    })
}
