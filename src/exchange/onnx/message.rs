//! Writes protocol buffers: messages whose length is known before they are written, without
//! copies of the tensors in them.
//!
//! The length of a message comes before its bytes, so messages are built from the innermost one
//! outwards. The numbers of tensors are counted but not copied: [`Message::write`] passes them on
//! in pieces.

use crate::{
    checkpoint::{Tensor, WriteFrom},
    error::Error,
};

/// The fields of a message.
#[derive(Default)]
pub(super) struct Message<'m> {
    parts: Vec<Part<'m>>,
    size: u64,
}

enum Part<'m> {
    Bytes(Vec<u8>),
    /// The numbers of a tensor as little-endian f32.
    Numbers(Tensor<WriteFrom<'m>>),
}

/// How a field's value is written: its wire type.
enum Wire {
    Varint = 0,
    Length = 2,
    Four = 5,
}

impl<'m> Message<'m> {
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of bytes that [`Self::write`] writes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a whole number of at least 0.
    pub fn int(self, field: u32, value: u64) -> Self {
        self.tag(field, Wire::Varint).varint(value)
    }

    /// Adds an f32.
    pub fn float(self, field: u32, value: f32) -> Self {
        self.tag(field, Wire::Four).put(&value.to_le_bytes())
    }

    /// Adds a string, or bytes.
    pub fn bytes(self, field: u32, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.tag(field, Wire::Length).varint(value.len() as u64).put(value)
    }

    /// Adds a message.
    pub fn message(self, field: u32, inner: Self) -> Self {
        self.tag(field, Wire::Length).varint(inner.size).and(inner)
    }

    /// Adds the numbers of a tensor as bytes.
    pub fn numbers(self, field: u32, tensor: Tensor<WriteFrom<'m>>) -> Self {
        let size = tensor.size();
        let mut message = self.tag(field, Wire::Length).varint(size);
        message.size = message.size.saturating_add(size);
        message.parts.push(Part::Numbers(tensor));
        message
    }

    /// Appends the fields of another message.
    pub fn and(mut self, other: Self) -> Self {
        for part in other.parts {
            match part {
                Part::Bytes(bytes) => self = self.put(&bytes),
                Part::Numbers(tensor) => {
                    self.size = self.size.saturating_add(tensor.size());
                    self.parts.push(Part::Numbers(tensor));
                }
            }
        }
        self
    }

    /// Passes the bytes to `to`, piece by piece.
    ///
    /// # Errors
    /// Those of `to`, or a number is not finite.
    pub fn write(&self, mut to: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        self.parts.iter().try_for_each(|part| match part {
            Part::Bytes(bytes) => to(bytes),
            Part::Numbers(tensor) => tensor.write(&mut to),
        })
    }

    fn tag(self, field: u32, wire: Wire) -> Self {
        self.varint(u64::from(field) << 3 | wire as u64)
    }

    /// Appends a varint: 7 bits per byte, the lowest first. The highest bit says that more follow.
    fn varint(mut self, mut value: u64) -> Self {
        while value > 127 {
            self = self.put(&[value as u8 | 128]);
            value >>= 7;
        }
        self.put(&[value as u8])
    }

    fn put(mut self, bytes: &[u8]) -> Self {
        self.size = self.size.saturating_add(bytes.len() as u64);
        match self.parts.last_mut() {
            Some(Part::Bytes(last)) => last.extend_from_slice(bytes),
            _ => self.parts.push(Part::Bytes(bytes.to_vec())),
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(message: &Message<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        message
            .write(|part| {
                bytes.extend_from_slice(part);
                Ok(())
            })
            .unwrap();
        assert_eq!(bytes.len() as u64, message.size());
        bytes
    }

    /// The examples in the documentation of the format, as in the tests of the reader.
    #[test]
    fn fields_are_written_as_the_documentation_says() {
        assert!(bytes(&Message::new()).is_empty());
        assert_eq!(bytes(&Message::new().int(1, 150)), [8, 150, 1]);
        let text = Message::new().bytes(2, "testing");
        assert_eq!(bytes(&text), [18, 7, b't', b'e', b's', b't', b'i', b'n', b'g']);
        assert_eq!(bytes(&Message::new().float(1, 1.5)), [13, 0, 0, 0xc0, 0x3f]);
        let inner = Message::new().message(3, Message::new().int(1, 150));
        assert_eq!(bytes(&inner), [26, 3, 8, 150, 1]);
        let most = [8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1];
        assert_eq!(bytes(&Message::new().int(1, u64::MAX)), most);
        assert_eq!(bytes(&Message::new().int(16, 127)), [128, 1, 127]);
    }

    #[test]
    fn numbers_are_written_in_messages_without_a_copy() {
        let values: Vec<f32> = (0..5000).map(|x| x as f32).collect();
        let tensor = || Tensor::new("t".to_owned(), vec![50, 100], WriteFrom::Values(&values));
        let inner = Message::new().int(2, 1).numbers(9, tensor()).int(1, 3);
        let outer = Message::new().message(5, inner).and(Message::new().int(2, 7));
        let numbers: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        let length = [0xa0, 0x9c, 1]; // 20000
        let inner = [&[16, 1, 74], &length[..], &numbers, &[8, 3]].concat();
        let size = [0xa8, 0x9c, 1]; // 20008
        assert_eq!(bytes(&outer), [&[42], &size[..], &inner, &[16, 7]].concat());
    }
}
