//! A reader of UBJSON (draft 12, <https://ubjson.org>) for serde, bounded in
//! depth and by the bytes there are: every element takes at least one byte, so
//! no count can ask for more than the file holds.

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor,
    value::StrDeserializer,
};
use std::fmt;

/// Deepest nesting of containers.
const MAX_DEPTH: usize = 64;

/// What is wrong, and at which byte.
#[derive(Debug)]
pub(super) struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// Reads one value that fills the whole input.
pub(super) fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let mut reader = Reader {
        bytes,
        at: 0,
        depth: 0,
    };
    let value = reader.marker().and_then(|marker| {
        T::deserialize(Value {
            reader: &mut reader,
            marker,
        })
    });
    let value = value.map_err(|error| Error(format!("{error} (before byte {})", reader.at)))?;
    match reader.rest() {
        0 => Ok(value),
        extra => Err(Error(format!("{extra} bytes follow the model"))),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    const fn rest(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let end = self.at.checked_add(count);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| Error("the file ends too early".to_owned()))?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let taken = self.take(N)?;
        taken
            .try_into()
            .map_err(|_| Error("the file ends too early".to_owned()))
    }

    fn byte(&mut self) -> Result<u8, Error> {
        self.array().map(|[byte]| byte)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The next marker that is not a no-op.
    fn marker(&mut self) -> Result<u8, Error> {
        loop {
            match self.byte()? {
                b'N' => {}
                marker => return Ok(marker),
            }
        }
    }

    fn integer(&mut self, marker: u8) -> Result<i64, Error> {
        Ok(match marker {
            b'i' => i64::from(i8::from_be_bytes(self.array()?)),
            b'U' => i64::from(self.byte()?),
            b'I' => i64::from(i16::from_be_bytes(self.array()?)),
            b'l' => i64::from(i32::from_be_bytes(self.array()?)),
            b'L' => i64::from_be_bytes(self.array()?),
            other => {
                return Err(Error(format!(
                    "expected an integer, found marker {other:#04x}"
                )));
            }
        })
    }

    fn length(&mut self) -> Result<usize, Error> {
        let marker = self.marker()?;
        let length = self.integer(marker)?;
        match usize::try_from(length) {
            Ok(length) if length <= self.rest() => Ok(length),
            _ => Err(Error(format!(
                "length {length} with {} bytes left",
                self.rest()
            ))),
        }
    }

    fn text(&mut self) -> Result<&'a str, Error> {
        let length = self.length()?;
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map_err(|_| Error("text that is not UTF-8".to_owned()))
    }

    /// Reads the head of a container, after `[` or `{`.
    fn open(&mut self, close: u8) -> Result<Items, Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error(format!("nested deeper than {MAX_DEPTH}")));
        }
        let mut kind = None;
        if self.peek() == Some(b'$') {
            self.at += 1;
            let marker = self.byte()?;
            // Elements without bytes would make counts free.
            if matches!(marker, b'Z' | b'T' | b'F' | b'N') {
                return Err(Error("a typed container of empty elements".to_owned()));
            }
            if self.peek() != Some(b'#') {
                return Err(Error("a typed container without a count".to_owned()));
            }
            kind = Some(marker);
        }
        let mut left = None;
        if self.peek() == Some(b'#') {
            self.at += 1;
            left = Some(self.length()?);
        }
        Ok(Items { kind, left, close })
    }
}

/// What is still to come in a container.
struct Items {
    kind: Option<u8>,
    left: Option<usize>,
    close: u8,
}

impl Items {
    /// Whether there is another element; reads the closing marker if not.
    fn more(&mut self, reader: &mut Reader<'_>) -> Result<bool, Error> {
        let more = match &mut self.left {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => {
                while reader.peek() == Some(b'N') {
                    reader.at += 1;
                }
                let end = reader.peek() == Some(self.close);
                reader.at += usize::from(end);
                !end
            }
        };
        if !more {
            reader.depth = reader.depth.saturating_sub(1);
        }
        Ok(more)
    }

    fn marker(&self, reader: &mut Reader<'_>) -> Result<u8, Error> {
        self.kind.map_or_else(|| reader.marker(), Ok)
    }
}

/// One value whose marker was read.
struct Value<'r, 'a> {
    reader: &'r mut Reader<'a>,
    marker: u8,
}

impl<'de> Deserializer<'de> for Value<'_, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let reader = self.reader;
        match self.marker {
            b'Z' => visitor.visit_unit(),
            b'T' => visitor.visit_bool(true),
            b'F' => visitor.visit_bool(false),
            b'd' => visitor.visit_f32(f32::from_be_bytes(reader.array()?)),
            b'D' => visitor.visit_f64(f64::from_be_bytes(reader.array()?)),
            b'C' => visitor.visit_char(char::from(reader.byte()?)),
            b'S' => visitor.visit_str(reader.text()?),
            b'[' => {
                let items = reader.open(b']')?;
                visitor.visit_seq(Elements { reader, items })
            }
            b'{' => {
                let items = reader.open(b'}')?;
                visitor.visit_map(Elements { reader, items })
            }
            b'H' => Err(Error::custom("a number of unlimited precision")),
            marker => match reader.integer(marker)? {
                value @ 0.. => visitor.visit_u64(value.unsigned_abs()),
                value => visitor.visit_i64(value),
            },
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.marker == b'Z' {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Elements<'r, 'a> {
    reader: &'r mut Reader<'a>,
    items: Items,
}

impl<'de> SeqAccess<'de> for Elements<'_, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        if !self.items.more(self.reader)? {
            return Ok(None);
        }
        let marker = self.items.marker(self.reader)?;
        seed.deserialize(Value {
            reader: self.reader,
            marker,
        })
        .map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        self.items.left
    }
}

impl<'de> MapAccess<'de> for Elements<'_, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        if !self.items.more(self.reader)? {
            return Ok(None);
        }
        let key = self.reader.text()?;
        seed.deserialize(StrDeserializer::<Error>::new(key))
            .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let marker = self.items.marker(self.reader)?;
        seed.deserialize(Value {
            reader: self.reader,
            marker,
        })
    }
}
