//! What stands before the elements of an NPY file.

use std::io::Read;

use super::Kind;

/// The longest header that is read; NumPy's own limit.
const LONGEST: u64 = 10_000;

/// The most dimensions; NumPy's own limit.
const MOST_DIMENSIONS: usize = 64;

const MAGIC: [u8; 6] = *b"\x93NUMPY";

/// The elements and their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub kind: Kind,
    pub big_endian: bool,
    pub fortran_order: bool,
    /// Outermost first.
    pub dimensions: Vec<usize>,
}

/// The header of a file of `size` bytes, and the bytes that it took.
pub(super) fn read(from: &mut impl Read, size: u64) -> Result<(Header, u64), String> {
    let mut magic = [0; 8];
    exactly(from, &mut magic)?;
    let [.., major, minor] = magic;
    if magic[..6] != MAGIC {
        return Err(format!(
            "not an NPY file: expected the first bytes {MAGIC:?}, got {:?}",
            &magic[..6]
        ));
    }
    let (length, before) = match (major, minor) {
        (1, 0) => {
            let mut bytes = [0; 2];
            exactly(from, &mut bytes)?;
            (u64::from(u16::from_le_bytes(bytes)), 10)
        }
        (2 | 3, 0) => {
            let mut bytes = [0; 4];
            exactly(from, &mut bytes)?;
            (u64::from(u32::from_le_bytes(bytes)), 12)
        }
        _ => return Err(format!("version {major}.{minor}: expected 1.0, 2.0 or 3.0")),
    };
    let there = size.saturating_sub(before);
    if length > LONGEST.min(there) {
        return Err(format!(
            "a header of {length} bytes: expected at most {LONGEST}, and the {there} that are there"
        ));
    }
    let mut text = vec![0; length as usize];
    exactly(from, &mut text)?;
    // Up to version 2.0 it is Latin-1, then UTF-8; what may stand in it is ASCII.
    let text = std::str::from_utf8(&text)
        .ok()
        .filter(|text| text.is_ascii())
        .ok_or("a header that is not ASCII: expected one of an array without named fields")?;
    Ok((Text { rest: text }.header()?, before + length))
}

fn exactly(from: &mut impl Read, bytes: &mut [u8]) -> Result<(), String> {
    from.read_exact(bytes).map_err(|error| format!("cannot be read whole: {error}"))
}

/// What `np.save` writes before such elements, little-endian and in C order: padded
/// with spaces so that the elements start at a multiple of 64 bytes.
pub(super) fn to_bytes(kind: Kind, dimensions: &[usize]) -> Vec<u8> {
    let order = if kind.size() == 1 { '|' } else { '<' };
    let shape: String = match dimensions {
        [one] => format!("{one},"),
        all => all.iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
    };
    let mut text = format!(
        "{{'descr': '{order}{}', 'fortran_order': False, 'shape': ({shape}), }}",
        kind.name()
    );
    let before = MAGIC.len() + 4;
    let whole = (before + text.len() + 1).next_multiple_of(64);
    text.extend(std::iter::repeat_n(' ', whole - before - text.len() - 1));
    text.push('\n');
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    // At most two dimensions of 20 digits: far below 2^16.
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

/// A header's text that is left.
struct Text<'a> {
    rest: &'a str,
}

impl<'a> Text<'a> {
    /// The dictionary: each key once, in any order.
    fn header(mut self) -> Result<Header, String> {
        let (mut elements, mut fortran_order, mut dimensions) = (None, None, None);
        self.expect("{")?;
        while !self.takes("}") {
            let key = self.string()?;
            self.expect(":")?;
            let again = match key {
                "descr" => elements.replace(self.elements()?).is_some(),
                "fortran_order" => fortran_order.replace(self.boolean()?).is_some(),
                "shape" => dimensions.replace(self.shape()?).is_some(),
                _ => {
                    return Err(format!(
                        "key `{key}` in its header: expected descr, fortran_order and shape"
                    ));
                }
            };
            if again {
                return Err(format!("key `{key}` stands twice in its header: expected it once"));
            }
            if !self.takes(",") {
                self.expect("}")?;
                break;
            }
        }
        self.skip();
        if !self.rest.is_empty() {
            return Err(self.instead_of("the end of its header"));
        }
        let missing = |key| format!("no key `{key}` in its header: expected it once");
        let (kind, big_endian) = elements.ok_or_else(|| missing("descr"))?;
        Ok(Header {
            kind,
            big_endian,
            fortran_order: fortran_order.ok_or_else(|| missing("fortran_order"))?,
            dimensions: dimensions.ok_or_else(|| missing("shape"))?,
        })
    }

    /// What the elements are, and whether they are big-endian.
    fn elements(&mut self) -> Result<(Kind, bool), String> {
        self.skip();
        if self.rest.starts_with('[') {
            return Err("elements with fields: expected numbers".to_owned());
        }
        let name = self.string()?;
        let known = Kind::ALL.iter().copied().find_map(|kind| {
            let order = name.strip_suffix(kind.name())?;
            let big_endian = match order {
                "<" => false,
                ">" => true,
                "|" if kind.size() == 1 => false,
                _ => return None,
            };
            Some((kind, big_endian))
        });
        known.ok_or_else(|| {
            let names: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
            format!(
                "elements of type `{name}`: expected `<` or `>` and one of {}",
                names.join(", ")
            )
        })
    }

    /// `True` or `False`.
    fn boolean(&mut self) -> Result<bool, String> {
        if self.takes("True") {
            return Ok(true);
        }
        self.expect("False").map(|()| false)
    }

    /// A tuple of whole numbers.
    fn shape(&mut self) -> Result<Vec<usize>, String> {
        let mut sizes = Vec::new();
        self.expect("(")?;
        while !self.takes(")") {
            if sizes.len() == MOST_DIMENSIONS {
                return Err(format!("more than {MOST_DIMENSIONS} dimensions: expected no more"));
            }
            sizes.push(self.number()?);
            if !self.takes(",") {
                self.expect(")")?;
                // In Python `(3)` is a number.
                if sizes.len() == 1 {
                    return Err("a shape that is a number: expected a tuple".to_owned());
                }
                break;
            }
        }
        Ok(sizes)
    }

    fn number(&mut self) -> Result<usize, String> {
        self.skip();
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let number = self.rest[..end].parse().map_err(|_| {
            self.instead_of("a whole number of at least 0 that this machine can count to")
        })?;
        self.rest = &self.rest[end..];
        Ok(number)
    }

    /// A quoted text without escapes.
    fn string(&mut self) -> Result<&'a str, String> {
        self.skip();
        for quote in ['\'', '"'] {
            if let Some(inside) = self.rest.strip_prefix(quote)
                && let Some((text, rest)) = inside.split_once(quote)
                && !text.contains('\\')
            {
                self.rest = rest;
                return Ok(text);
            }
        }
        Err(self.instead_of("a quoted text"))
    }

    fn skip(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn takes(&mut self, token: &str) -> bool {
        self.skip();
        let rest = self.rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.takes(token) { Ok(()) } else { Err(self.instead_of(&format!("`{token}`"))) }
    }

    fn instead_of(&self, expected: &str) -> String {
        let next: String = self.rest.chars().take(24).collect();
        format!("`{}` in its header: expected {expected}", next.escape_debug())
    }
}
