//! Values that are known before a graph runs.

use std::borrow::Cow;

use super::{
    external::Store,
    proto::{Node, Tensor, kind, short},
    row::Row,
    wire::{self, varint},
};
use crate::checkpoint::FloatType;

/// The maximum number of whole numbers in a constant, which is a shape or axes.
pub(super) const MAX_INTS: usize = 16;

/// The maximum number of bytes of a packed number.
const MAX_VARINT_BYTES: usize = 10;

/// The attributes of `Constant`, of which a node has one.
const VALUES: [&str; 5] = ["value", "value_float", "value_int", "value_ints", "value_floats"];

/// A value that is known before the graph runs.
#[derive(Clone, Debug)]
pub(super) struct Constant<'a> {
    pub name: &'a str,
    value: Known<'a>,
    /// Whether a `Transpose` turned the matrix.
    pub transposed: bool,
    /// The tensors in other files.
    store: &'a Store<'a>,
}

#[derive(Clone, Debug)]
enum Known<'a> {
    Tensor(Tensor<'a>),
    /// A number, or a vector of one.
    Float {
        number: f32,
        is_vector: bool,
    },
    /// A number, or a vector.
    Ints {
        numbers: Vec<i64>,
        is_vector: bool,
    },
}

/// A tensor of floats.
#[derive(Clone, Copy, Debug)]
pub(super) struct Floats<'a> {
    pub name: &'a str,
    /// Whether a `Transpose` turned the matrix.
    pub transposed: bool,
    tensor: Tensor<'a>,
    element: Element,
    store: &'a Store<'a>,
}

/// The format of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Element {
    /// In 16 or 32 bits.
    Single(FloatType),
    Double,
}

/// One number for all units, or a number for each.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operand<'a> {
    Number(f64),
    Floats(Floats<'a>),
}

/// The bytes of a tensor's elements.
pub(super) struct Elements<'a> {
    bytes: Cow<'a, [u8]>,
    /// Whether they are 16-bit numbers stored as varints.
    packed: bool,
    element: Element,
}

impl<'a> Constant<'a> {
    pub fn of_tensor(name: &'a str, tensor: Tensor<'a>, store: &'a Store<'a>) -> Self {
        Self { name, value: Known::Tensor(tensor), transposed: false, store }
    }

    /// The value of a `Constant` whose output is `name`.
    pub fn of_node(name: &'a str, node: &Node<'a>, store: &'a Store<'a>) -> Result<Self, String> {
        let attributes = node.attributes(&VALUES)?;
        let value = if let Some(tensor) = attributes.tensor("value")? {
            Known::Tensor(tensor)
        } else if let Some(value) = attributes.float("value_float")? {
            Known::Float { number: value, is_vector: false }
        } else if let Some(value) = attributes.int("value_int")? {
            Known::Ints { numbers: vec![value], is_vector: false }
        } else if let Some(numbers) = attributes.ints("value_ints")? {
            Known::Ints { numbers, is_vector: true }
        } else {
            return Err("expected a tensor, a float or whole numbers".to_owned());
        };
        Ok(Self { name, value, transposed: false, store })
    }

    /// The same value with another name.
    pub fn named(self, name: &'a str) -> Self {
        Self { name, ..self }
    }

    /// The transposed matrix.
    pub fn transpose(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    /// The same elements in another shape; `None` if their order or number does not allow it.
    pub fn reshape(self, shape: &[usize]) -> Option<Self> {
        let value = match (&self.value, shape) {
            (Known::Tensor(tensor), _) if !self.transposed => Known::Tensor(tensor.reshape(shape)?),
            (Known::Float { number, .. }, [] | [1]) => {
                Known::Float { number: *number, is_vector: !shape.is_empty() }
            }
            _ => return None,
        };
        Some(Self { value, ..self })
    }

    /// The same numbers as another kind, if none of them is rounded to less than an f32; `None` if
    /// the cast is not supported.
    pub fn cast(&self, to: i64) -> Result<Option<Self>, String> {
        if self.is_integer() {
            // A number that wraps around in 32 bits would change.
            let (numbers, is_vector) = self.ints()?;
            if to == kind::I64
                || (to == kind::I32 && numbers.iter().all(|&n| i32::try_from(n).is_ok()))
            {
                return Ok(Some(self.clone()));
            }
            if !matches!(to, kind::F32 | kind::F64) {
                return Ok(None);
            }
            return Ok(match numbers[..] {
                [one] if one.unsigned_abs() <= 1 << f32::MANTISSA_DIGITS => {
                    let value = Known::Float { number: one as f32, is_vector };
                    Some(Self { value, ..self.clone() })
                }
                _ => None,
            });
        }
        let is_same = match self.value {
            Known::Tensor(tensor) => tensor.kind == to,
            _ => false,
        };
        Ok((is_same || matches!(to, kind::F32 | kind::F64)).then(|| self.clone()))
    }

    /// The shape as the graph sees it, after a `Transpose`.
    pub fn shape(&self) -> Vec<usize> {
        match &self.value {
            Known::Tensor(tensor) => {
                let mut shape = tensor.shape().to_vec();
                if self.transposed {
                    shape.reverse();
                }
                shape
            }
            Known::Ints { numbers, is_vector: true } => vec![numbers.len()],
            Known::Float { is_vector: true, .. } => vec![1],
            Known::Ints { .. } | Known::Float { .. } => Vec::new(),
        }
    }

    /// Whether its elements are whole numbers.
    pub fn is_integer(&self) -> bool {
        match &self.value {
            Known::Tensor(tensor) => matches!(tensor.kind, kind::I32 | kind::I64),
            Known::Float { .. } => false,
            Known::Ints { .. } => true,
        }
    }

    /// A tensor of f32, f64, f16 or bfloat16.
    pub fn floats(&self) -> Result<Floats<'a>, String> {
        let name = short(self.name);
        let Known::Tensor(tensor) = self.value else {
            return Err(format!("{name} is a number: expected a tensor"));
        };
        let element = match tensor.kind {
            kind::F32 => Element::Single(FloatType::F32),
            kind::F16 => Element::Single(FloatType::F16),
            kind::BF16 => Element::Single(FloatType::Bf16),
            kind::F64 => Element::Double,
            other => {
                let got = kind::name(other);
                return Err(format!(
                    "{name} is {got}: expected FLOAT, DOUBLE, FLOAT16 or BFLOAT16"
                ));
            }
        };
        let (transposed, store) = (self.transposed, self.store);
        let floats = Floats { name: self.name, transposed, tensor, element, store };
        floats.check_size().map_err(|reason| format!("{name} {reason}"))?;
        Ok(floats)
    }

    /// Whether it is a tensor of so many booleans, of which the first half are true and the others false.
    pub fn is_true_in_first_half(&self, count: usize) -> Result<bool, String> {
        let Known::Tensor(tensor) = &self.value else { return Ok(false) };
        if tensor.kind != kind::BOOL || tensor.shape() != [count] || !count.is_multiple_of(2) {
            return Ok(false);
        }
        let elsewhere = match &tensor.external {
            Some(external) => Some(self.store.read(external, tensor.size()?)?),
            None => None,
        };
        let bytes = match (elsewhere.as_deref(), tensor.data) {
            (Some(bytes), _) | (None, Some((9, bytes))) => bytes,
            // As varints, which take a byte each.
            (None, Some((5, bytes))) => bytes,
            (None, _) => return Ok(false),
        };
        let (first, second) = bytes.split_at(bytes.len() / 2);
        Ok(bytes.len() == count && first.iter().all(|&x| x == 1) && second.iter().all(|&x| x == 0))
    }

    /// A number or a tensor of floats.
    pub fn operand(&self) -> Result<Operand<'a>, String> {
        match self.value {
            Known::Float { number, .. } => Ok(Operand::Number(number.into())),
            _ => self.floats().map(Operand::Floats),
        }
    }

    /// One finite number.
    pub fn float(&self) -> Result<f64, String> {
        self.operand()?
            .one()?
            .ok_or_else(|| format!("{} is not one finite number", short(self.name)))
    }

    /// One finite number as it was written in decimal: 0.2, not the closest f32.
    pub fn decimal(&self) -> Result<f64, String> {
        let number = self.float()?;
        let element = match self.value {
            Known::Tensor(_) => self.floats()?.element,
            _ => Element::Single(FloatType::F32),
        };
        Ok(match element {
            Element::Single(kind) => kind.decimal(number as f32),
            Element::Double => number,
        })
    }

    /// Whole numbers, and whether they are a vector.
    pub fn ints(&self) -> Result<(Vec<i64>, bool), String> {
        let tensor = match &self.value {
            Known::Ints { numbers, is_vector } => return Ok((numbers.clone(), *is_vector)),
            Known::Tensor(tensor) => tensor,
            Known::Float { .. } => {
                return Err(format!("{} is a float: expected whole numbers", short(self.name)));
            }
        };
        let name = short(self.name);
        let shape = tensor.shape();
        if shape.len() > 1 {
            return Err(format!("{name} has shape {shape:?}: expected at most one dimension"));
        }
        if !self.is_integer() {
            return Err(format!("{name} is {}: expected INT64 or INT32", kind::name(tensor.kind)));
        }
        let elsewhere = match &tensor.external {
            Some(external) if tensor.size()? <= 8 * MAX_INTS as u64 => {
                Some(self.store.read(external, tensor.size()?)?)
            }
            Some(_) => return Err(format!("{name}: expected at most {MAX_INTS} whole numbers")),
            None => None,
        };
        let data = elsewhere.as_deref().map(|raw| (9, raw)).or(tensor.data);
        let mut ints = Vec::new();
        match data {
            None => {}
            Some((9, raw)) if raw.len() <= 8 * MAX_INTS => {
                if tensor.kind == kind::I64 {
                    ints.extend(raw.as_chunks::<8>().0.iter().map(|raw| i64::from_le_bytes(*raw)));
                } else {
                    let raw = raw.as_chunks::<4>().0.iter();
                    ints.extend(raw.map(|raw| i64::from(i32::from_le_bytes(*raw))));
                }
            }
            Some((7, packed)) if tensor.kind == kind::I64 => {
                wire::Value::Bytes(packed).ints(&name, &mut ints, MAX_INTS)?;
            }
            Some((5, packed)) if tensor.kind == kind::I32 => {
                wire::Value::Bytes(packed).ints(&name, &mut ints, MAX_INTS)?;
            }
            Some(_) => return Err(format!("{name}: expected at most {MAX_INTS} whole numbers")),
        }
        let stated = shape.iter().try_fold(1_usize, |n, &size| n.checked_mul(size));
        if stated != Some(ints.len()) {
            let got = ints.len();
            return Err(format!(
                "{name} has {got} elements: expected the product of the sizes in its shape, {shape:?}"
            ));
        }
        Ok((ints, !shape.is_empty()))
    }
}

/// The maximum number of elements that are compared to find out whether they are equal.
const MAX_EQUAL: usize = 1 << 16;

impl<'a> Operand<'a> {
    /// A number for each row, or for each element of the rows, as a single number if all of them
    /// are equal, as exporters write `zeros_like`.
    pub fn as_number_for(self, row: &Row) -> Result<Self, String> {
        let Self::Floats(floats) = self else { return Ok(self) };
        if !floats.is_of_rows(row) {
            return Ok(self);
        }
        Ok(floats.repeated()?.map_or(self, Self::Number))
    }

    /// Whether all of it is 0.
    pub fn is_zero(&self) -> Result<bool, String> {
        Ok(match self {
            Self::Number(number) => *number == 0.0,
            Self::Floats(floats) => floats.elements()?.iter().all(|x| x == 0.0),
        })
    }
}

impl Operand<'_> {
    /// The only element, if there is only one and it is finite.
    ///
    /// # Errors
    /// As for [`Floats::elements`].
    pub fn one(&self) -> Result<Option<f64>, String> {
        let number = match self {
            Self::Number(number) => Some(*number),
            // Decided by the shape, because a large tensor may be asked for often.
            Self::Floats(floats) if floats.shape().iter().any(|&size| size != 1) => None,
            Self::Floats(floats) => floats.elements()?.iter().next(),
        };
        Ok(number.filter(|number| number.is_finite()))
    }
}

impl<'a> Floats<'a> {
    /// The shape in the file, without regard to `transposed`.
    pub fn shape(&self) -> &[usize] {
        self.tensor.shape()
    }

    /// The shape as the graph sees it, after a `Transpose`.
    pub fn seen_shape(&self) -> Vec<usize> {
        let mut shape = self.shape().to_vec();
        if self.transposed {
            shape.reverse();
        }
        shape
    }

    /// Whether there is a number for each row, or for each element of the rows.
    pub fn is_of_rows(&self, row: &Row) -> bool {
        // Other shapes would give more rows or columns than there are.
        match &self.seen_shape()[..] {
            [rows, sizes @ ..] if *rows > 1 && sizes.len() == row.dims.len() => {
                row.rows.is_none_or(|stated| stated == *rows)
                    && sizes.iter().zip(&row.dims).all(|(&n, &dim)| n == 1 || Some(n) == dim)
            }
            _ => false,
        }
    }

    /// The number that all elements are. Of more than [`MAX_EQUAL`] elements, none.
    ///
    /// # Errors
    /// As for [`Self::elements`].
    pub fn repeated(&self) -> Result<Option<f64>, String> {
        let count = self.shape().iter().try_fold(1_usize, |n, &size| n.checked_mul(size));
        if count.is_none_or(|count| count > MAX_EQUAL) {
            return Ok(None);
        }
        let elements = self.elements()?;
        let mut elements = elements.iter();
        Ok(elements.next().filter(|first| elements.all(|x| x == *first)))
    }

    /// Whether the elements are f64.
    pub fn is_double(&self) -> bool {
        self.element == Element::Double
    }

    /// Checks that there are as many data as the shape states.
    fn check_size(&self) -> Result<(), String> {
        if self.tensor.external.is_some() {
            // Checked when the file was opened.
            return Ok(());
        }
        let shape = self.shape();
        let stated = shape.iter().try_fold(1_usize, |n, &size| n.checked_mul(size));
        let stated = stated.ok_or_else(|| format!("has shape {shape:?}: too large"))?;
        let (got, whole) = match self.tensor.data {
            None => (0, true),
            Some((5, packed)) if self.element.is_half() => {
                // Too long to count: a large tensor may be asked for often.
                if packed.len() / MAX_VARINT_BYTES > stated {
                    let got = packed.len();
                    return Err(format!("has data of {got} bytes: expected {stated} numbers"));
                }
                // The last byte of a varint has no highest bit.
                let ends = packed.iter().filter(|&&byte| byte < 128).count();
                (ends, packed.last().is_none_or(|&last| last < 128))
            }
            Some((number, bytes)) => {
                if number != 9 && Some(number) != self.element.field() {
                    let got = kind::name(self.tensor.kind);
                    return Err(format!(
                        "is {got} and has its data in field {number}, which holds another type"
                    ));
                }
                let size = self.element.size();
                (bytes.len() / size, bytes.len() % size == 0)
            }
        };
        if got == stated && whole {
            return Ok(());
        }
        let rest = if whole { "" } else { " and a part of one" };
        Err(format!("has data of {got} elements{rest}: expected {stated}, of shape {shape:?}"))
    }

    /// The elements in the order of the file.
    ///
    /// # Errors
    /// They are in another file, and it cannot be read.
    pub fn elements(&self) -> Result<Elements<'a>, String> {
        if let Some(external) = &self.tensor.external {
            let bytes = self.store.read(external, self.tensor.size()?)?;
            return Ok(Elements { bytes: Cow::Owned(bytes), packed: false, element: self.element });
        }
        let bytes = self.tensor.data.map_or(&[][..], |(_, bytes)| bytes);
        let packed =
            self.element.is_half() && self.tensor.data.is_some_and(|(field, _)| field == 5);
        Ok(Elements { bytes: Cow::Borrowed(bytes), packed, element: self.element })
    }
}

impl Element {
    fn is_half(self) -> bool {
        matches!(self, Self::Single(FloatType::F16 | FloatType::Bf16))
    }

    /// The field that stores them one by one, each in its own size.
    fn field(self) -> Option<u64> {
        match self {
            Self::Single(FloatType::F32) => Some(4),
            Self::Double => Some(10),
            Self::Single(FloatType::F16 | FloatType::Bf16) => None,
        }
    }

    fn size(self) -> usize {
        match self {
            Self::Single(kind) => kind.size(),
            Self::Double => size_of::<f64>(),
        }
    }
}

impl Elements<'_> {
    /// The elements, one after the other.
    pub fn iter(&self) -> impl Iterator<Item = f64> {
        let (mut packed, bytes): (&[u8], &[u8]) =
            if self.packed { (&self.bytes, &[]) } else { (&[], &self.bytes) };
        let (doubles, singles): (&[u8], &[u8]) =
            if self.element == Element::Double { (bytes, &[]) } else { (&[], bytes) };
        let kind = match self.element {
            Element::Single(kind) => kind,
            Element::Double => FloatType::F32,
        };
        let halves = std::iter::from_fn(move || {
            if packed.is_empty() {
                return None;
            }
            // NaN, which is refused, stands for a number of more than 16 bits.
            let bits = varint(&mut packed).ok().and_then(|bits| bits.try_into().ok());
            Some(bits.map_or(f64::NAN, |bits| kind.half(bits).into()))
        });
        let doubles = doubles.as_chunks::<8>().0.iter().map(|&bytes| f64::from_le_bytes(bytes));
        halves.chain(kind.read(singles).map(f64::from)).chain(doubles)
    }
}
