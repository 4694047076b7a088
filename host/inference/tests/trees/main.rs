//! Tree models, against the libraries that trained them and against attackers.

#[cfg(test)]
mod given;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod libraries;
#[cfg(test)]
mod reference;
