//! Operations that scale and shift each element of a row on its own.

use super::{
    constant::{Floats, Operand},
    proto::short,
    row::SIZES_UNKNOWN,
};
use crate::memory::reserve;

/// An operation on each element x of a row.
#[derive(Clone, Debug)]
pub(super) enum Elementwise<'a> {
    /// x + c
    Add(Operand<'a>),
    /// x - c
    Subtract(Operand<'a>),
    /// c - x
    SubtractFrom(Operand<'a>),
    /// x c
    Multiply(Operand<'a>),
    /// x / c
    Divide(Operand<'a>),
    /// (x - offset) scale, with one number for all columns or one for each.
    Scaler { offset: Vec<f32>, scale: Vec<f32> },
    /// s (x - m) / sqrt(v + ε) + b, with numbers for each channel.
    Norm(Box<Norm<'a>>),
}

/// A batch normalisation with the statistics in the graph.
#[derive(Clone, Debug)]
pub(super) struct Norm<'a> {
    pub scale: Floats<'a>,
    pub bias: Floats<'a>,
    pub mean: Floats<'a>,
    pub variance: Floats<'a>,
    pub epsilon: f32,
}

/// An elementwise operation on rows of certain dimensions.
#[derive(Clone, Debug)]
pub(super) struct Applied<'a> {
    pub op: Elementwise<'a>,
    /// The dimensions of the row.
    dims: Vec<Option<usize>>,
    /// The node, for errors, and its index.
    pub node: String,
    pub index: usize,
}

/// y = scale x + shift for each unit.
#[derive(Clone, Debug)]
pub(super) struct Affine {
    pub scale: Vec<f64>,
    pub shift: Vec<f64>,
}

impl<'a> Elementwise<'a> {
    /// Whether it leaves 0 as it is.
    pub fn keeps_zero(&self) -> Result<bool, String> {
        match self {
            Self::Multiply(_) | Self::Divide(_) => Ok(true),
            Self::Add(c) | Self::Subtract(c) => c.is_zero(),
            Self::SubtractFrom(_) | Self::Scaler { .. } | Self::Norm(_) => Ok(false),
        }
    }

    /// Whether it does the same to all elements.
    pub fn is_uniform(&self) -> bool {
        match self {
            Self::Add(c)
            | Self::Subtract(c)
            | Self::SubtractFrom(c)
            | Self::Multiply(c)
            | Self::Divide(c) => is_one(c),
            Self::Scaler { .. } | Self::Norm(_) => false,
        }
    }

    /// 1 - x
    pub fn is_complement(&self) -> Result<bool, String> {
        match self {
            Self::SubtractFrom(operand) => Ok(operand.one()? == Some(1.0)),
            _ => Ok(false),
        }
    }

    fn operands(&self) -> Vec<Operand<'a>> {
        match self {
            Self::Add(c)
            | Self::Subtract(c)
            | Self::SubtractFrom(c)
            | Self::Multiply(c)
            | Self::Divide(c) => vec![*c],
            Self::Scaler { .. } => Vec::new(),
            Self::Norm(norm) => norm.vectors().map(Operand::Floats).to_vec(),
        }
    }
}

impl<'a> Norm<'a> {
    fn vectors(&self) -> [Floats<'a>; 4] {
        [self.scale, self.bias, self.mean, self.variance]
    }
}

impl<'a> Applied<'a> {
    /// The operation of a node on rows of `dims`, as far as those are known, and what is known
    /// of them after it.
    pub fn new(
        op: Elementwise<'a>,
        dims: &[Option<usize>],
        node: String,
        index: usize,
    ) -> Result<(Self, Vec<Option<usize>>), String> {
        let mut known = dims.to_vec();
        let is_norm = matches!(op, Elementwise::Norm(_));
        for operand in op.operands() {
            let Operand::Floats(floats) = operand else { continue };
            if is_norm {
                let channels =
                    known.first_mut().ok_or("the input has no channels: expected at least one")?;
                let name = short(floats.name);
                match (floats.shape(), *channels) {
                    (&[n] | &[1, n], Some(size)) if n == size => {}
                    (&[n] | &[1, n], None) => *channels = Some(n),
                    (shape, size) => {
                        let expected = size
                            .map_or("one number for each channel".to_owned(), |n| format!("[{n}]"));
                        return Err(format!("{name} has shape {shape:?}: expected {expected}"));
                    }
                }
                continue;
            }
            broadcast(&floats, &mut known)?;
        }
        if known.len() > 1 && known.contains(&None) && op.operands().iter().any(|o| !is_one(o)) {
            return Err(SIZES_UNKNOWN.to_owned());
        }
        Ok((Self { op, dims: known.clone(), node, index }, known))
    }

    /// Applies the operation after those in `affine`, on rows of `columns`.
    fn apply(&self, columns: usize, affine: &mut Affine) -> Result<(), String> {
        let dims: Vec<usize> = match self.dims[..] {
            [None] => vec![columns],
            _ => self.dims.iter().map(|size| size.unwrap_or(1)).collect(),
        };
        let of = |operand: &Operand<'_>| spread(operand, &dims, columns);
        let pairs = affine.scale.iter_mut().zip(&mut affine.shift);
        match &self.op {
            Elementwise::Add(c) => {
                affine.shift.iter_mut().zip(of(c)?).for_each(|(shift, c)| *shift += c);
            }
            Elementwise::Subtract(c) => {
                affine.shift.iter_mut().zip(of(c)?).for_each(|(shift, c)| *shift -= c);
            }
            Elementwise::SubtractFrom(c) => pairs.zip(of(c)?).for_each(|((scale, shift), c)| {
                (*scale, *shift) = (-*scale, c - *shift);
            }),
            Elementwise::Multiply(c) => pairs.zip(of(c)?).for_each(|((scale, shift), c)| {
                (*scale, *shift) = (*scale * c, *shift * c);
            }),
            Elementwise::Divide(c) => pairs.zip(of(c)?).for_each(|((scale, shift), c)| {
                (*scale, *shift) = (*scale / c, *shift / c);
            }),
            Elementwise::Scaler { offset, scale: factor } => {
                // A single number applies to all columns.
                let numbers = offset.iter().cycle().zip(factor.iter().cycle());
                pairs.zip(numbers).for_each(|((scale, shift), (&offset, &factor))| {
                    let (offset, factor) = (f64::from(offset), f64::from(factor));
                    (*scale, *shift) = (*scale * factor, (*shift - offset) * factor);
                });
            }
            Elementwise::Norm(norm) => {
                // All elements of a channel share its numbers.
                let inner = columns.checked_div(dims.first().copied().unwrap_or(1)).unwrap_or(1);
                let [scale, bias, mean, variance] = norm.vectors().map(|v| finite(&v));
                let (scale, bias, mean, variance) = (scale?, bias?, mean?, variance?);
                for (unit, (s, t)) in pairs.enumerate() {
                    let channel = unit / inner.max(1);
                    let variance = variance[channel] + f64::from(norm.epsilon);
                    if variance <= 0.0 {
                        let name = short(norm.variance.name);
                        return Err(format!(
                            "{name} plus epsilon is {variance}: expected a number above 0"
                        ));
                    }
                    let gain = scale[channel] / variance.sqrt();
                    (*s, *t) = (*s * gain, (*t - mean[channel]) * gain + bias[channel]);
                }
            }
        }
        Ok(())
    }
}

impl Affine {
    /// What these do to rows of `columns`, one after the other; `None` if there are none.
    ///
    /// # Errors
    /// The node, and what is wrong about its numbers.
    pub fn of(all: &[Applied<'_>], columns: usize) -> Result<Option<Self>, String> {
        if all.is_empty() {
            return Ok(None);
        }
        let text = |error: crate::Error| error.to_string();
        let mut affine = Self {
            scale: reserve("scales", columns).map_err(text)?,
            shift: reserve("shifts", columns).map_err(text)?,
        };
        affine.scale.resize(columns, 1.0);
        affine.shift.resize(columns, 0.0);
        for applied in all {
            let refuse = |reason| format!("{}: {reason}", applied.node);
            applied.apply(columns, &mut affine).map_err(refuse)?;
            let numbers = affine.scale.iter().chain(&affine.shift);
            if let Some(wrong) = numbers.into_iter().find(|x| !x.is_finite()) {
                return Err(refuse(format!(
                    "scales or shifts by {wrong}: expected finite numbers"
                )));
            }
        }
        Ok(Some(affine))
    }
}

/// Aligns a tensor with the dimensions of a row, from the last one on, and fills in the sizes
/// that this makes known. A first dimension of 1 may meet that of the rows.
pub(super) fn broadcast(floats: &Floats<'_>, known: &mut [Option<usize>]) -> Result<(), String> {
    let dims = known.to_vec();
    let (shape, _) = seen(floats);
    let spare = shape.len().saturating_sub(known.len());
    let first = known.len().saturating_sub(shape.len());
    let mut pairs = shape[spare..].iter().zip(&mut known[first..]);
    let fits = spare <= 1
        && shape[..spare].iter().all(|&size| size == 1)
        && pairs.all(|(&size, known)| size == 1 || *known.get_or_insert(size) == size);
    if fits {
        return Ok(());
    }
    let size = |size: &Option<usize>| size.map_or("any".to_owned(), |size| size.to_string());
    let dims: Vec<_> = dims.iter().map(size).collect();
    Err(format!(
        "{} has shape {shape:?}: expected a number, or one for each element of a row, [{}]",
        short(floats.name),
        dims.join(", ")
    ))
}

/// Whether it is one number for all units.
fn is_one(operand: &Operand<'_>) -> bool {
    match operand {
        Operand::Number(_) => true,
        Operand::Floats(floats) => floats.shape().iter().all(|&size| size == 1),
    }
}

/// The shape of a tensor as the graph sees it, and the stride of each dimension.
fn seen(floats: &Floats<'_>) -> (Vec<usize>, Vec<usize>) {
    let mut shape = floats.shape().to_vec();
    let mut strides = vec![1_usize; shape.len()];
    for at in (1..shape.len()).rev() {
        strides[at - 1] = strides[at].saturating_mul(shape[at]);
    }
    if floats.transposed {
        shape.reverse();
        strides.reverse();
    }
    (shape, strides)
}

/// The number for each of a row's `columns` elements.
pub(super) fn spread(
    operand: &Operand<'_>,
    dims: &[usize],
    columns: usize,
) -> Result<Vec<f64>, String> {
    let text = |error: crate::Error| error.to_string();
    let mut all: Vec<f64> = reserve("numbers of units", columns).map_err(text)?;
    let (floats, shape, strides) = match operand {
        Operand::Number(number) => {
            all.resize(columns, *number);
            return Ok(all);
        }
        Operand::Floats(floats) => {
            let (shape, strides) = seen(floats);
            (floats, shape, strides)
        }
    };
    let numbers = finite(floats)?;
    // Aligned from the last dimension on; the stride is 0 where the tensor has one number.
    let stride = |at: usize| {
        let from_end = dims.len() - at;
        let of = shape.len().checked_sub(from_end);
        of.map_or(0, |of| if shape[of] == 1 { 0 } else { strides[of] })
    };
    let strides: Vec<usize> = (0..dims.len()).map(stride).collect();
    let mut index = vec![0; dims.len()];
    let mut at = 0;
    for _ in 0..columns {
        let number = numbers.get(at).ok_or_else(|| {
            format!("{} has shape {shape:?}: expected one for each unit", short(floats.name))
        })?;
        all.push(*number);
        for dim in (0..dims.len()).rev() {
            index[dim] += 1;
            at += strides[dim];
            if index[dim] < dims[dim] {
                break;
            }
            at -= strides[dim] * index[dim];
            index[dim] = 0;
        }
    }
    Ok(all)
}

/// The elements, which have to be finite.
pub(super) fn finite(floats: &Floats<'_>) -> Result<Vec<f64>, String> {
    let elements = floats.elements()?;
    let mut all = reserve("numbers of units", floats.shape().iter().product())
        .map_err(|error| error.to_string())?;
    for x in elements.iter() {
        all.push(check_finite(floats.name, x)?);
    }
    Ok(all)
}

/// An element of the tensor `name`, which has to be finite.
pub(super) fn check_finite(name: &str, x: f64) -> Result<f64, String> {
    if x.is_finite() {
        return Ok(x);
    }
    Err(format!("{} holds {x}: expected finite numbers", short(name)))
}

/// Against what numpy makes of whole tensors.
#[cfg(test)]
mod tests {
    use super::{
        super::{constant::Constant, external::DataFolder, message::Message, proto::Model},
        *,
    };

    /// All shapes of at most `rank` dimensions of 1 to 3.
    fn shapes(rank: usize) -> Vec<Vec<usize>> {
        let mut last = vec![vec![]];
        let mut all = last.clone();
        for _ in 0..rank {
            let more = last
                .iter()
                .flat_map(|dims: &Vec<usize>| (1..=3).map(|n| [&dims[..], &[n]].concat()));
            last = more.collect();
            all.extend(last.clone());
        }
        all
    }

    /// The number for each element of a tensor of `shape`, element by element; `None`
    /// where the result has another shape.
    fn broadcast(shape: &[usize], of: &[usize], numbers: &[f64]) -> Option<Vec<f64>> {
        let fits = |(at, &size): (usize, &usize)| {
            let place = (shape.len() + at).checked_sub(of.len());
            place.is_some_and(|place| size == 1 || size == shape[place])
        };
        if !of.iter().enumerate().all(fits) {
            return None;
        }
        let element = |mut place: usize| {
            let mut index = vec![0; shape.len()];
            for (at, &size) in index.iter_mut().zip(shape).rev() {
                (*at, place) = (place % size, place / size);
            }
            let of_index = of.iter().zip(&index[shape.len() - of.len()..]);
            numbers[of_index.fold(0, |offset, (&size, &at)| offset * size + at % size)]
        };
        Some((0..shape.iter().product()).map(element).collect())
    }

    #[test]
    fn numbers_go_with_the_elements_that_they_go_with_in_whole_tensors() {
        let mut read = 0;
        for (dims, of) in
            shapes(3).iter().flat_map(|d| shapes(4).into_iter().map(move |of| (d, of)))
        {
            let numbers: Vec<_> = (0..of.iter().product()).map(|n: usize| n as f64 - 3.5).collect();
            let raw: Vec<u8> = numbers.iter().flat_map(|&x| (x as f32).to_le_bytes()).collect();
            let tensor = of.iter().fold(Message::new(), |tensor, &n| tensor.int(1, n as u64));
            let graph = Message::new().message(5, tensor.int(2, 1).bytes(8, "c").bytes(9, raw));
            let mut bytes = Vec::new();
            let model = Message::new().message(7, graph);
            let write = |part: &[u8]| {
                bytes.extend_from_slice(part);
                Ok(())
            };
            model.write(write).unwrap();
            let tensor = Model::read(&bytes).unwrap().initialisers[0];
            let store = DataFolder::none().open(&[]).unwrap();
            let constant = Constant::of_tensor("c", tensor, &store);
            let rows = 5;
            let shape = [&[rows], &dims[..]].concat();
            let columns = dims.iter().product();
            let known: Vec<_> = dims.iter().map(|&n| Some(n)).collect();
            let turned = (of.len() == 2).then(|| constant.clone().transpose());
            for constant in [Some(constant), turned].into_iter().flatten() {
                let operand = constant.operand().unwrap();
                // As the graph sees them.
                let of = constant.shape();
                let numbers = match (constant.transposed, &of[..]) {
                    (true, &[m, n]) => (0..m * n).map(|i| numbers[(i % n) * m + i / n]).collect(),
                    _ => numbers.clone(),
                };
                let theirs = broadcast(&shape, &of, &numbers);
                let ours = Applied::new(Elementwise::Add(operand), &known, String::new(), 0);
                let what = format!("{shape:?} {of:?}");
                match (ours, theirs) {
                    (Err(_), None) => {}
                    (Ok((applied, after)), Some(theirs)) => {
                        assert_eq!(after, known, "{what}");
                        let affine = Affine::of(&[applied], columns).unwrap().unwrap();
                        assert_eq!(affine.shift.repeat(rows), theirs, "{what}");
                        read += 1;
                    }
                    (ours, theirs) => panic!("{what}: {:?}, not {theirs:?}", ours.is_ok()),
                }
            }
        }
        assert!(read > 300, "{read}");
    }
}
