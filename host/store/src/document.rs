//! Records as JSON documents, and numbers as the databases keep them.

use domain::{
    error::{ErrorKind, PortError, PortResult},
    ports::store::Page,
};
use serde::{Serialize, de::DeserializeOwned};

/// JSON of a record, proven to read back as the same record: a NaN would come
/// back as nothing, and a document nested too deep would not come back at all.
pub(crate) fn encode<T>(what: &str, record: &T) -> PortResult<String>
where
    T: Serialize + DeserializeOwned + PartialEq,
{
    let text = serde_json::to_string(record).map_err(|error| unkept(what).caused_by(error))?;
    match serde_json::from_str::<T>(&text) {
        Ok(back) if back == *record => Ok(text),
        Ok(_) => Err(unkept(what)),
        Err(error) => Err(unkept(what).caused_by(error)),
    }
}

fn unkept(what: &str) -> PortError {
    PortError::new(
        ErrorKind::Invalid,
        format!(
            "{what} cannot be kept as JSON: numbers must be finite and documents nested less than 128 deep"
        ),
    )
}

/// A record from its JSON.
pub(crate) fn decode<T: DeserializeOwned>(what: &str, text: &str) -> PortResult<T> {
    serde_json::from_str(text).map_err(|error| corrupt(what).caused_by(error))
}

/// Records from rows of one JSON column.
pub(crate) fn decode_all<T: DeserializeOwned>(what: &str, texts: &[String]) -> PortResult<Vec<T>> {
    texts.iter().map(|text| decode(what, text)).collect()
}

/// A name, id or digest from its text.
pub(crate) fn parse<T>(what: &str, text: &str) -> PortResult<T>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    text.parse().map_err(|error| corrupt(what).caused_by(error))
}

/// A row that says what it cannot say.
pub(crate) fn corrupt(what: &str) -> PortError {
    PortError::new(
        ErrorKind::Internal,
        format!("the stored {what} is corrupt; run `tollgate doctor`"),
    )
}

/// A count as a database integer.
pub(crate) fn signed(what: &str, number: u64) -> PortResult<i64> {
    i64::try_from(number)
        .map_err(|_| PortError::new(ErrorKind::Invalid, format!("{what} {number} is too large")))
}

/// A count from a database integer.
pub(crate) fn unsigned(what: &str, number: i64) -> PortResult<u64> {
    u64::try_from(number).map_err(|error| corrupt(what).caused_by(error))
}

/// The page's length as a database integer.
pub(crate) fn limit(page: &Page) -> i64 {
    i64::from(page.limit)
}
