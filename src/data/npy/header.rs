//! The header of an NPY file.

use super::Dtype;
use crate::{data::source::Source, error::Error};

/// The longest header that is read; also NumPy's limit.
const LONGEST: u32 = 10_000;

/// The most dimensions; also NumPy's limit.
const MAX_DIMENSIONS: usize = 64;

const MAGIC: [u8; 6] = *b"\x93NUMPY";

/// The element type and order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub dtype: Dtype,
    pub big_endian: bool,
    pub fortran_order: bool,
    /// The sizes of the dimensions, outermost first.
    pub dimensions: Vec<usize>,
}

/// Reads the header.
pub(super) fn read(from: &mut Source<'_>) -> Result<Header, Error> {
    let magic: [u8; 8] = from.magic("an NPY file")?;
    let [.., major, minor] = magic;
    if magic[..6] != MAGIC {
        return Err(from.refuse(format!(
            "not an NPY file: expected the first bytes {MAGIC:?}, got {:?}",
            &magic[..6]
        )));
    }
    let length = match (major, minor) {
        (1, 0) => {
            let mut bytes = [0; 2];
            from.exactly(&mut bytes)?;
            u32::from(u16::from_le_bytes(bytes))
        }
        (2 | 3, 0) => {
            let mut bytes = [0; 4];
            from.exactly(&mut bytes)?;
            u32::from_le_bytes(bytes)
        }
        _ => {
            let version = format!("NPY version {major}.{minor}: expected 1.0, 2.0 or 3.0");
            return Err(from.refuse(version));
        }
    };
    if length > LONGEST {
        let reason = format!("a header of {length} bytes: expected at most {LONGEST}");
        return Err(from.refuse(reason));
    }
    from.bears(length.into(), 0, "the header")?;
    let mut text = vec![0; length as usize];
    from.exactly(&mut text)?;
    // Latin-1 up to version 2.0, UTF-8 from then on; a valid header is ASCII.
    let text = std::str::from_utf8(&text).ok().filter(|text| text.is_ascii()).ok_or_else(|| {
        from.refuse("the header is not ASCII: expected an array without named fields")
    })?;
    Text { rest: text, python_2: major < 3 }.header().map_err(|reason| from.refuse(reason))
}

/// The header that `np.save` writes for such elements, little-endian and in C order: padded with
/// spaces so that the elements start at a multiple of 64 bytes.
pub(super) fn to_bytes(dtype: Dtype, dimensions: &[usize]) -> Vec<u8> {
    let order = if dtype.size() == 1 { '|' } else { '<' };
    let shape: String = match dimensions {
        [one] => format!("{one},"),
        all => all.iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
    };
    let mut text = format!(
        "{{'descr': '{order}{}', 'fortran_order': False, 'shape': ({shape}), }}",
        dtype.name()
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

/// The element type that a `descr` means to NumPy, and whether it is big-endian. A short name may
/// be preceded by `<`, `>`, or, for this machine's order, `=`, `|` or nothing.
fn element(descr: &str) -> Option<(Dtype, bool)> {
    if let Some((dtype, _)) = LONG_NAMES.iter().find(|(_, names)| names.contains(&descr)) {
        return Some((*dtype, NATIVE));
    }
    let (big_endian, name) = match descr.split_at_checked(1) {
        Some(("<", name)) => (false, name),
        Some((">", name)) => (true, name),
        Some(("=" | "|", name)) => (NATIVE, name),
        _ => (NATIVE, descr),
    };
    let of_one = |dtype: &Dtype| LETTERS.contains(&(name, *dtype));
    let dtype = Dtype::ALL.iter().copied().find(|dtype| dtype.name() == name || of_one(dtype))?;
    Some((dtype, big_endian && dtype.size() > 1))
}

/// Whether this machine is big-endian.
const NATIVE: bool = cfg!(target_endian = "big");

/// NumPy's one-letter names; those whose size differs between systems (`l`, `p`) are not read.
const LETTERS: [(&str, Dtype); 12] = [
    ("?", Dtype::Bool),
    ("b", Dtype::I8),
    ("B", Dtype::U8),
    ("h", Dtype::I16),
    ("H", Dtype::U16),
    ("i", Dtype::I32),
    ("I", Dtype::U32),
    ("q", Dtype::I64),
    ("Q", Dtype::U64),
    ("e", Dtype::F16),
    ("f", Dtype::F32),
    ("d", Dtype::F64),
];

/// NumPy's long names, as found in hand-written files.
const LONG_NAMES: [(Dtype, &[&str]); 12] = [
    (Dtype::Bool, &["bool", "bool_"]),
    (Dtype::U8, &["uint8", "ubyte"]),
    (Dtype::U16, &["uint16", "ushort"]),
    (Dtype::U32, &["uint32", "uintc"]),
    (Dtype::U64, &["uint64", "ulonglong"]),
    (Dtype::I8, &["int8", "byte"]),
    (Dtype::I16, &["int16", "short"]),
    (Dtype::I32, &["int32", "intc"]),
    (Dtype::I64, &["int64", "longlong"]),
    (Dtype::F16, &["float16", "half"]),
    (Dtype::F32, &["float32", "single"]),
    (Dtype::F64, &["float64", "double", "float"]),
];

/// The part of a header that is still to be parsed.
struct Text<'a> {
    rest: &'a str,
    /// Whether it may come from Python 2, where long integers end in `L`.
    python_2: bool,
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
                return Err(format!("key `{key}` occurs twice in its header: expected it once"));
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
        let (dtype, big_endian) = elements.ok_or_else(|| missing("descr"))?;
        Ok(Header {
            dtype,
            big_endian,
            fortran_order: fortran_order.ok_or_else(|| missing("fortran_order"))?,
            dimensions: dimensions.ok_or_else(|| missing("shape"))?,
        })
    }

    /// The element type, and whether it is big-endian.
    fn elements(&mut self) -> Result<(Dtype, bool), String> {
        self.skip();
        if self.rest.starts_with('[') {
            return Err("elements with fields: expected numbers".to_owned());
        }
        if self.rest.starts_with('(') {
            return Err("elements that are arrays: expected numbers".to_owned());
        }
        let name = self.string()?;
        element(name).ok_or_else(|| {
            let what = match name.trim_start_matches(['<', '>', '=', '|']) {
                "O" | "object" => " (Python objects)",
                _ => "",
            };
            let names = Dtype::NAMES;
            format!(
                "elements of type `{name}`{what}: expected numbers of type {names} (in Python: \
                 array.astype(\"float32\"))"
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

    /// A tuple of integers.
    fn shape(&mut self) -> Result<Vec<usize>, String> {
        let mut sizes = Vec::new();
        self.expect("(")?;
        while !self.takes(")") {
            if sizes.len() == MAX_DIMENSIONS {
                return Err(format!(
                    "more than {MAX_DIMENSIONS} dimensions: expected at most {MAX_DIMENSIONS}"
                ));
            }
            sizes.push(self.number()?);
            if !self.takes(",") {
                self.expect(")")?;
                // In Python, `(3)` is a number.
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
        let digits = &self.rest[..end];
        // `010` is an error in Python 3 and 8 in Python 2.
        let leads_with_0 = digits.starts_with('0') && digits.bytes().any(|digit| digit != b'0');
        let number =
            digits.parse().ok().filter(|_| !leads_with_0).ok_or_else(|| {
                self.instead_of(&format!("a whole number from 0 to {}", usize::MAX))
            })?;
        self.rest = &self.rest[end..];
        if self.python_2 {
            self.takes("L");
        }
        Ok(number)
    }

    /// A quoted string without escapes; Python 2 prefixes Unicode strings with `u`.
    fn string(&mut self) -> Result<&'a str, String> {
        self.skip();
        let quoted = self.rest.strip_prefix(['u', 'U']).unwrap_or(self.rest);
        for quote in ['\'', '"'] {
            if let Some(inside) = quoted.strip_prefix(quote)
                && let Some((text, rest)) = inside.split_once(quote)
                && !text.contains('\\')
            {
                self.rest = rest;
                return Ok(text);
            }
        }
        Err(self.instead_of("a quoted string"))
    }

    fn skip(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0c']);
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
