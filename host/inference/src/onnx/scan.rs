//! A look at the wire format before anything is decoded: counts messages, so
//! that a file of tiny messages cannot make the decoder use many times the
//! file's size.

use super::fault::Refusal;

/// Most nodes, attributes, tensors, inputs and outputs together.
const MAX_MESSAGES: usize = 2_000_000;

/// Length-delimited fields of one message; stops at the first thing it does not
/// understand, which the decoder will refuse in its own words.
struct Fields<'a>(&'a [u8]);

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let key = varint(&mut self.0)?;
            match key & 7 {
                0 => {
                    varint(&mut self.0)?;
                }
                1 => self.0 = self.0.get(8..)?,
                5 => self.0 = self.0.get(4..)?,
                2 => {
                    let length = usize::try_from(varint(&mut self.0)?).ok()?;
                    let (body, rest) = self.0.split_at_checked(length)?;
                    self.0 = rest;
                    return Some((key >> 3, body));
                }
                _ => return None,
            }
        }
    }
}

/// Counts the messages below the model, the graph and its nodes.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Refusal> {
    let mut seen = 0usize;
    for (field, body) in Fields(bytes) {
        seen += 1;
        match field {
            7 => graph(body, &mut seen, 0)?,
            _ => limit(seen)?,
        }
    }
    Ok(())
}

fn limit(seen: usize) -> Result<(), Refusal> {
    if seen > MAX_MESSAGES {
        return Err(Refusal::malformed(format!(
            "it has more than {MAX_MESSAGES} nodes, attributes and values"
        )));
    }
    Ok(())
}

fn graph(bytes: &[u8], seen: &mut usize, depth: usize) -> Result<(), Refusal> {
    if depth > 8 {
        return Err(Refusal::malformed("branches are nested too deep"));
    }
    for (field, body) in Fields(bytes) {
        *seen += 1;
        limit(*seen)?;
        if field != 1 {
            continue;
        }
        for (field, body) in Fields(body) {
            *seen += 1;
            limit(*seen)?;
            if field != 5 {
                continue;
            }
            // Strings are the only repeated attribute values that cost more in
            // memory than in the file.
            for (field, body) in Fields(body) {
                match field {
                    6 => graph(body, seen, depth + 1)?,
                    9 => *seen += 1,
                    _ => {}
                }
                limit(*seen)?;
            }
        }
    }
    Ok(())
}
