//! Tree models, against the libraries that trained them and against attackers.

#[cfg(test)]
mod given;
#[cfg(test)]
mod reference;
