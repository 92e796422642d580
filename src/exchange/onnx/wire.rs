//! The wire format of protocol buffers: the fields of a message, without copies.
//!
//! A message is a sequence of fields: a varint with the field's number and its wire type (0
//! varint, 1 eight bytes, 2 a length and that many bytes, 5 four bytes), then the value. Lengths
//! are checked against the remaining bytes. Nothing is recursive: the caller gets the bytes of a
//! field, and reads its fields if it is a message.

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Varint(u64),
    Eight,
    Bytes(&'a [u8]),
    Four([u8; 4]),
}

/// A message, of which the first fields were read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    /// How many more fields there may be.
    left: usize,
    /// The name of the message, for errors.
    what: &'static str,
}

impl<'a> Fields<'a> {
    pub fn new(message: &'a [u8]) -> Self {
        Self { rest: message, left: usize::MAX, what: "" }
    }

    /// The fields of the message `what`, which may have at most `most`.
    pub fn at_most(most: usize, what: &'static str, message: &'a [u8]) -> Self {
        Self { rest: message, left: most, what }
    }

    /// The next field's number and value.
    pub fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, String> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.left =
            self.left.checked_sub(1).ok_or_else(|| format!("{} has too many fields", self.what))?;
        let tag = varint(&mut self.rest)?;
        let number = tag >> 3;
        let cut = |what: &str| {
            format!("field {number} is cut off: expected {what} (the file may be truncated)")
        };
        let value = match tag & 7 {
            _ if number == 0 || number >> 29 != 0 => {
                return Err(format!("field number {number}: expected one from 1 to 536870911"));
            }
            0 => Value::Varint(varint(&mut self.rest)?),
            1 => {
                self.rest = self.rest.get(8..).ok_or_else(|| cut("8 bytes"))?;
                Value::Eight
            }
            2 => {
                let length = varint(&mut self.rest)?;
                let split =
                    usize::try_from(length).ok().and_then(|n| self.rest.split_at_checked(n));
                let (bytes, rest) = split.ok_or_else(|| {
                    let left = self.rest.len();
                    format!(
                        "field {number} should have {length} bytes, but only {left} are left (the \
                         file may be truncated)"
                    )
                })?;
                self.rest = rest;
                Value::Bytes(bytes)
            }
            5 => {
                let (four, rest) = self.rest.split_first_chunk().ok_or_else(|| cut("4 bytes"))?;
                self.rest = rest;
                Value::Four(*four)
            }
            kind => {
                return Err(format!("field {number} has wire type {kind}: expected 0, 1, 2 or 5"));
            }
        };
        Ok(Some((number, value)))
    }
}

/// Removes a varint from the front: 7 bits per byte, the lowest first, at most 10 bytes and 64
/// bits.
pub(super) fn varint(rest: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, left) = rest.split_first().ok_or("a varint is cut off")?;
        *rest = left;
        let bits = u64::from(byte & 127);
        if shift == 63 && bits > 1 {
            break;
        }
        value |= bits << shift;
        if byte & 128 == 0 {
            return Ok(value);
        }
    }
    Err("a varint is too long: expected at most 64 bits".to_owned())
}

impl<'a> Value<'a> {
    /// The bytes of the field `what`.
    pub fn bytes(self, what: &str) -> Result<&'a [u8], String> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(format!("{what} is a number: expected bytes")),
        }
    }

    /// The text of the field `what`.
    pub fn text(self, what: &str) -> Result<&'a str, String> {
        let bytes = self.bytes(what)?;
        std::str::from_utf8(bytes).map_err(|_| format!("{what} is not UTF-8: expected text"))
    }

    /// The whole number of the field `what`.
    pub fn int(self, what: &str) -> Result<i64, String> {
        match self {
            // Negative numbers are sign-extended to 64 bits.
            Self::Varint(value) => Ok(value.cast_signed()),
            _ => Err(format!("{what} is not a whole number")),
        }
    }

    /// The f32 of the field `what`.
    pub fn float(self, what: &str) -> Result<f32, String> {
        match self {
            Self::Four(bytes) => Ok(f32::from_le_bytes(bytes)),
            _ => Err(format!("{what} is not an f32")),
        }
    }

    /// Appends the f32 of the repeated field `what`, packed or a single one, to `into`, which may
    /// hold `most` in all.
    pub fn floats(self, what: &str, into: &mut Vec<f32>, most: usize) -> Result<(), String> {
        let more = match self {
            Self::Bytes(packed) => packed.as_chunks::<4>().0,
            Self::Four(bytes) => &[bytes],
            _ => return Err(format!("{what} are not f32")),
        };
        if into.len() + more.len() > most {
            return Err(format!("{what} has more than {most} numbers"));
        }
        into.try_reserve(more.len()).map_err(|_| "not enough memory for the numbers")?;
        into.extend(more.iter().map(|&bytes| f32::from_le_bytes(bytes)));
        Ok(())
    }

    /// Appends the whole numbers of the repeated field `what`, packed or a single one, to `into`,
    /// which may hold `most` in all.
    pub fn ints(self, what: &str, into: &mut Vec<i64>, most: usize) -> Result<(), String> {
        let mut rest = match self {
            Self::Bytes(packed) => packed,
            one => {
                into.push(one.int(what)?);
                &[]
            }
        };
        while !rest.is_empty() && into.len() <= most {
            into.push(varint(&mut rest)?.cast_signed());
        }
        if into.len() > most {
            return Err(format!("{what} has more than {most} numbers"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(bytes: &[u8]) -> Result<Vec<(u64, Value<'_>)>, String> {
        let mut fields = Fields::new(bytes);
        let mut all = Vec::new();
        while let Some(field) = fields.next()? {
            all.push(field);
        }
        Ok(all)
    }

    /// The examples in the documentation of the format: field 1 is 150, field 2 is "testing".
    #[test]
    fn fields_are_read_without_copies() {
        assert_eq!(fields(&[8, 150, 1]).unwrap(), [(1, Value::Varint(150))]);
        let text = [18, 7, b't', b'e', b's', b't', b'i', b'n', b'g'];
        let found = fields(&text).unwrap();
        assert_eq!(found[0].1.text("a text").unwrap(), "testing");
        let numbers = [13, 0, 0, 0xc0, 0x3f, 17, 1, 2, 3, 4, 5, 6, 7, 8];
        let found = fields(&numbers).unwrap();
        assert_eq!((found[0].1.float("a number").unwrap(), found[1]), (1.5, (2, Value::Eight)));
        assert!(fields(&[]).unwrap().is_empty());
        let minus_one = [8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
        assert_eq!(fields(&minus_one).unwrap()[0].1.int("a number").unwrap(), -1);
    }

    #[test]
    fn malformed_messages_are_refused() {
        for (bytes, words) in [
            (&[128][..], "a varint is cut off"),
            (&[8], "a varint is cut off"),
            (&[8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2], "a varint is too long"),
            (&[8, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 0], "a varint is too long"),
            (&[0, 0], "field number 0"),
            (
                &[18, 2, 7],
                "field 2 should have 2 bytes, but only 1 are left (the file may be truncated)",
            ),
            (
                &[18, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
                "should have 18446744073709551615 bytes",
            ),
            (&[9, 1, 2, 3], "field 1 is cut off: expected 8 bytes"),
            (&[13, 1], "field 1 is cut off: expected 4 bytes"),
            (&[11], "wire type 3"),
            (&[12], "wire type 4"),
            (&[14], "wire type 6"),
            (&[128, 128, 128, 128, 16, 0], "field number 536870912"),
        ] {
            let reason = fields(bytes).unwrap_err();
            assert!(reason.contains(words), "{bytes:?}: {reason}");
        }
    }

    #[test]
    fn repeated_numbers_are_packed_or_not_and_bounded() {
        let mut numbers = Vec::new();
        Value::Bytes(&[1, 150, 1]).ints("dims", &mut numbers, 3).unwrap();
        Value::Varint(7).ints("dims", &mut numbers, 3).unwrap();
        assert_eq!(numbers, [1, 150, 7]);
        assert!(
            Value::Varint(7).ints("dims", &mut numbers, 3).unwrap_err().contains("more than 3")
        );
        let mut numbers = Vec::new();
        assert!(Value::Bytes(&[1; 100]).ints("dims", &mut numbers, 3).is_err());
        assert_eq!(numbers.len(), 4, "no more than needed to refuse them");
        assert!(Value::Bytes(&[128]).ints("dims", &mut numbers, 9).is_err());
    }
}
