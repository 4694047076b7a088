//! A walk over a Parquet column chunk's page headers, before anything is
//! decompressed.
//!
//! The reading library sizes its buffers by what page headers claim and
//! inflates gzip without an end, so a file of a few kilobytes could ask for
//! gigabytes. This adds up the claims and refuses what cannot be bounded.
//! Headers are Thrift structs in the compact protocol
//! (<https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>);
//! only the two sizes of `PageHeader` are read, the rest is skipped.

/// Most bytes that one byte of deflate data can stand for.
const DEFLATE_RATIO: u64 = 1032;
/// Most bytes that one byte of an LZ4 frame can stand for.
const LZ4_RATIO: u64 = 255;
/// Nesting of structs and lists that is followed.
const MAX_DEPTH: u8 = 16;

/// What may bound the size of a decompressed page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Growth {
    /// The codec stops at the size that the header gives.
    Declared,
    /// The codec goes on until its input ends: deflate.
    Deflate,
    /// The codec goes on until its input ends: LZ4 frames.
    Lz4Frame,
}

/// Adds up the decompressed sizes of the pages in `chunk`, at most `budget`.
pub(super) fn decompressed_size(chunk: &[u8], growth: Growth, budget: u64) -> Result<u64, String> {
    let mut cursor = Cursor { bytes: chunk };
    let mut total = 0u64;
    while !cursor.bytes.is_empty() {
        let header = cursor
            .page_header()
            .ok_or("a page header is not readable")?;
        let size = u64::from(header.uncompressed);
        let reach = match growth {
            Growth::Declared => size,
            Growth::Deflate => size.max(u64::from(header.compressed) * DEFLATE_RATIO),
            Growth::Lz4Frame => size.max(u64::from(header.compressed) * LZ4_RATIO),
        };
        if reach > budget {
            return Err(format!(
                "a page of {} bytes may decompress to {reach} bytes, more than the limit of {budget}; write smaller pages, or snappy or zstd",
                header.compressed
            ));
        }
        total = total.saturating_add(size);
        if total > budget {
            return Err(format!("its pages decompress to more than {budget} bytes"));
        }
        cursor
            .take(u64::from(header.compressed))
            .ok_or("a page reaches beyond its column chunk")?;
    }
    Ok(total)
}

struct PageHeader {
    uncompressed: u32,
    compressed: u32,
}

/// What is left to read.
struct Cursor<'a> {
    bytes: &'a [u8],
}

impl Cursor<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn take(&mut self, count: u64) -> Option<()> {
        self.bytes = self.bytes.get(usize::try_from(count).ok()?..)?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let raw = self.varint()?;
        Some((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    /// Next field of a struct as `(id, type)`; `None` in the inner option ends it.
    fn field(&mut self, last: i64) -> Option<Option<(i64, u8)>> {
        let head = self.byte()?;
        if head == 0 {
            return Some(None);
        }
        let id = match head >> 4 {
            0 => self.zigzag()?,
            delta => last.checked_add(i64::from(delta))?,
        };
        Some(Some((id, head & 0x0f)))
    }

    fn page_header(&mut self) -> Option<PageHeader> {
        let (mut uncompressed, mut compressed) = (None, None);
        let mut last = 0;
        while let Some((id, kind)) = self.field(last)? {
            last = id;
            match (id, kind) {
                (2, 5) => uncompressed = u32::try_from(self.zigzag()?).ok(),
                (3, 5) => compressed = u32::try_from(self.zigzag()?).ok(),
                _ => self.skip(kind, false, 0)?,
            }
        }
        Some(PageHeader {
            uncompressed: uncompressed?,
            compressed: compressed?,
        })
    }

    /// Skips a value. Booleans are part of the field's head, but a byte in lists.
    fn skip(&mut self, kind: u8, in_list: bool, depth: u8) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match kind {
            1 | 2 if in_list => self.take(1),
            1 | 2 => Some(()),
            3 => self.take(1),
            4..=6 => self.varint().map(drop),
            7 => self.take(8),
            8 => {
                let length = self.varint()?;
                self.take(length)
            }
            9 | 10 => {
                let head = self.byte()?;
                let size = match head >> 4 {
                    15 => self.varint()?,
                    size => u64::from(size),
                };
                // Every element but a struct without fields takes a byte, and
                // that one takes its end mark.
                if size > self.bytes.len() as u64 {
                    return None;
                }
                (0..size).try_for_each(|_| self.skip(head & 0x0f, true, depth + 1))
            }
            12 => {
                let mut last = 0;
                while let Some((id, kind)) = self.field(last)? {
                    last = id;
                    self.skip(kind, false, depth + 1)?;
                }
                Some(())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with only the two sizes, as zigzag varints below 64.
    fn page(uncompressed: u8, body: &[u8]) -> Vec<u8> {
        let compressed = body.len() as u8 * 2;
        let mut page = vec![0x15, 0, 0x15, uncompressed * 2, 0x15, compressed, 0];
        page.extend_from_slice(body);
        page
    }

    #[test]
    fn pages_add_up() {
        let chunk = [page(30, &[1, 2, 3]), page(12, &[4])].concat();
        assert_eq!(decompressed_size(&chunk, Growth::Declared, 100), Ok(42));
        assert!(decompressed_size(&chunk, Growth::Declared, 41).is_err());
    }

    #[test]
    fn a_codec_without_an_end_is_bounded_by_its_ratio() {
        let chunk = page(30, &[0; 30]);
        assert!(decompressed_size(&chunk, Growth::Deflate, 30_000).is_err());
        assert!(decompressed_size(&chunk, Growth::Lz4Frame, 30_000).is_ok());
    }

    #[test]
    fn broken_headers_end_the_walk() {
        assert!(decompressed_size(&[0x19, 0xf5, 0xff], Growth::Declared, 10).is_err());
        assert!(decompressed_size(&page(1, &[1, 2])[..8], Growth::Declared, 10).is_err());
        assert!(decompressed_size(&[0x1c; 100_000], Growth::Declared, 10).is_err());
    }
}
