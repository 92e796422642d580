//! What the values of a graph are, and operators on those that are known before
//! it runs.

use super::{
    constant::Constant,
    external::Store,
    proto::{Node, kind, short},
    row::Row,
    sizes::{Arithmetic, Size, Sizes},
};

/// A value of a graph.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    /// It stands in the file.
    Constant(Constant<'a>),
    /// Whole numbers that come from shapes.
    Sizes(Sizes),
    /// A number as often as a shape says, in which the rows may be.
    Filled { number: f64, shape: Sizes },
    /// The row, after so many steps.
    Row { row: Row, position: usize },
}

impl Value<'_> {
    /// A number or a vector of whole numbers.
    pub fn sizes(&self) -> Result<Sizes, String> {
        match self {
            Self::Constant(constant) => Sizes::of(constant),
            Self::Sizes(sizes) => Ok(sizes.clone()),
            Self::Filled { .. } => Err("a tensor of equal numbers: expected a shape".to_owned()),
            Self::Row { .. } => Err("computed from the rows: expected a shape".to_owned()),
        }
    }

    pub fn is_row(&self) -> bool {
        matches!(self, Self::Row { .. })
    }
}

/// A node none of whose inputs is the row, or one that takes its shape alone.
pub(super) struct Known<'a, 'v> {
    pub node: &'v Node<'a>,
    pub opset: i64,
    /// What the value is called that it makes.
    pub name: &'a str,
    /// `None` where one is left out.
    pub inputs: &'v [Option<Value<'a>>],
    /// What is kept in other files.
    pub store: &'a Store<'a>,
}

type Compute = for<'a> fn(&Known<'a, '_>) -> Result<Value<'a>, String>;

/// The operators on values that are known. A new one is a line here and a function.
const OPERATORS: &[(&str, Compute)] = &[
    ("Constant", |known| {
        Constant::of_node(known.name, known.node, known.store).map(Value::Constant)
    }),
    ("ConstantOfShape", constant_of_shape),
    ("Expand", expand),
    ("Identity", identity),
    ("Cast", |known| {
        known.check_inputs(1)?;
        let to = known.node.attributes(&["to", "saturate", "round_mode"])?.int("to")?;
        known.cast(to.ok_or("attribute `to` is missing: expected a kind of number")?)
    }),
    ("CastLike", |known| {
        known.check_inputs(2)?;
        known.node.attributes(&["saturate", "round_mode"])?;
        // Like the row, which is of floats where it meets a number.
        known.cast(kind::F32)
    }),
    ("Transpose", transpose),
    ("Reshape", reshape),
    ("Squeeze", |known| known.change_rank(false)),
    ("Unsqueeze", |known| known.change_rank(true)),
    ("Shape", shape),
    ("Size", size),
    ("Gather", gather),
    ("Slice", slice),
    ("Concat", concat),
    ("ReduceProd", product),
    ("Add", |known| known.compute(Arithmetic::Add)),
    ("Sub", |known| known.compute(Arithmetic::Subtract)),
    ("Mul", |known| known.compute(Arithmetic::Multiply)),
    ("Div", |known| known.compute(Arithmetic::Divide)),
];

/// Whether there is a node's operator among them.
pub(super) fn knows(node: &Node<'_>) -> bool {
    node.is_standard() && OPERATORS.iter().any(|(name, _)| *name == node.op)
}

/// Whether a node takes no more of the row than its shape, or its kind of elements.
pub(super) fn takes_no_elements(node: &Node<'_>, inputs: &[Option<Value<'_>>]) -> bool {
    match node.op {
        _ if !node.is_standard() => false,
        "Shape" | "Size" => true,
        "CastLike" => matches!(inputs.first(), Some(Some(Value::Constant(_)))),
        _ => false,
    }
}

impl<'a> Known<'a, '_> {
    /// The value that the node makes.
    pub fn value(&self) -> Result<Value<'a>, String> {
        let found = OPERATORS.iter().find(|(name, _)| *name == self.node.op);
        match found {
            Some((_, compute)) if self.node.is_standard() => compute(self),
            _ if self.node.op.contains("Random") || self.node.op == "Bernoulli" => {
                Err("draws random numbers: expected a Dropout to drop units (in PyTorch, \
                     nn.Dropout without inplace=True)"
                    .to_owned())
            }
            _ => Err(
                "computes a constant with an unsupported operator: expected the constant itself \
                 (in PyTorch, compute it before the export and keep it as a buffer)"
                    .to_owned(),
            ),
        }
    }

    fn input(&self, place: usize) -> Result<&Value<'a>, String> {
        self.inputs
            .get(place)
            .and_then(Option::as_ref)
            .ok_or_else(|| format!("input {place} is missing"))
    }

    fn check_inputs(&self, most: usize) -> Result<(), String> {
        if self.inputs.len() > most {
            return Err(format!("{} inputs: expected at most {most}", self.inputs.len()));
        }
        Ok(())
    }

    /// Constants at input `place`, or in the attribute `name` of these before
    /// version `since`.
    fn ints(
        &self,
        place: usize,
        name: &str,
        known: &[&str],
        since: i64,
    ) -> Result<Option<Vec<i64>>, String> {
        if self.opset < since {
            return self.node.attributes(known)?.ints(name);
        }
        match self.inputs.get(place).and_then(Option::as_ref) {
            None => Ok(None),
            Some(value) => value.sizes()?.numbers().map(Some),
        }
    }

    fn compute(&self, op: Arithmetic) -> Result<Value<'a>, String> {
        self.check_inputs(2)?;
        self.node.attributes(&[])?;
        let sizes = |place: usize| match self.input(place)? {
            Value::Constant(constant) if !constant.is_integer() => Err(format!(
                "computes with {}, which is not a whole number: export with constant folding",
                short(constant.name)
            )),
            value => value.sizes(),
        };
        sizes(0)?.compute(op, &sizes(1)?).map(Value::Sizes)
    }

    /// The first input as another kind of number.
    fn cast(&self, to: i64) -> Result<Value<'a>, String> {
        let refuse =
            || Err(format!("casts a constant to {}: export with constant folding", kind::name(to)));
        match self.input(0)? {
            // Numbers of rows are those of tensors, which fit.
            Value::Sizes(sizes) if to == kind::I64 || (to == kind::I32 && sizes.fit_i32()) => {
                Ok(Value::Sizes(sizes.clone()))
            }
            Value::Constant(constant) => constant
                .cast(to)?
                .map(|constant| Value::Constant(constant.named(self.name)))
                .map_or_else(refuse, Ok),
            _ => refuse(),
        }
    }

    /// One dimension of size 1 more or less; more than that of a constant tensor.
    fn change_rank(&self, more: bool) -> Result<Value<'a>, String> {
        self.check_inputs(2)?;
        let axes = self.ints(1, "axes", &["axes"], 13)?;
        if let Value::Constant(constant) = self.input(0)?
            && !constant.is_integer()
        {
            let row = Row::of(&constant.shape());
            // As a row of these dimensions, whose axes are one further on.
            let behind = |axes: &[i64]| -> Vec<i64> {
                axes.iter()
                    .map(|&axis| if axis < 0 { axis } else { axis.saturating_add(1) })
                    .collect()
            };
            let axes = axes.as_deref().map(behind);
            let row = match (more, axes) {
                (false, axes) => row.squeeze(axes.as_deref())?,
                (true, Some(axes)) => row.unsqueeze(&axes)?,
                (true, None) => return Err("`axes` is missing".to_owned()),
            };
            let shape: Vec<usize> = row.dims.into_iter().flatten().collect();
            return reshaped(constant, &shape);
        }
        let sizes = self.input(0)?.sizes()?;
        match (axes.as_deref(), more) {
            (Some([0 | -1]), _) | (None, false) if sizes.is_vector != more => {
                sizes.with_rank(more).map(Value::Sizes)
            }
            _ => Err("expected axis 0 of a number, or of a vector of one number".to_owned()),
        }
    }
}

/// The constant in another shape.
fn reshaped<'a>(constant: &Constant<'a>, shape: &[usize]) -> Result<Value<'a>, String> {
    let reshaped = constant.clone().reshape(shape);
    reshaped.map(Value::Constant).ok_or_else(|| {
        format!("{} cannot have shape {shape:?}: expected as many elements", short(constant.name))
    })
}

fn identity<'a>(known: &Known<'a, '_>) -> Result<Value<'a>, String> {
    known.check_inputs(1)?;
    known.node.attributes(&[])?;
    Ok(match known.input(0)?.clone() {
        Value::Constant(constant) => Value::Constant(constant.named(known.name)),
        other => other,
    })
}

/// A number as often as the shape says.
fn expand<'a>(known: &Known<'a, '_>) -> Result<Value<'a>, String> {
    known.check_inputs(2)?;
    known.node.attributes(&[])?;
    let Value::Constant(constant) = known.input(0)? else {
        return Err("expands what is not a number: expected one".to_owned());
    };
    let (number, shape) = (constant.float()?, known.input(1)?.sizes()?);
    if constant.shape().len() > shape.items.len() {
        return Err("expands to fewer dimensions: expected at least as many".to_owned());
    }
    Ok(Value::Filled { number, shape })
}

fn transpose<'a>(known: &Known<'a, '_>) -> Result<Value<'a>, String> {
    known.check_inputs(1)?;
    let perm = known.node.attributes(&["perm"])?.ints("perm")?;
    let Value::Constant(constant) = known.input(0)? else {
        return Err("transposes a shape: expected a matrix".to_owned());
    };
    let rank = constant.shape().len();
    if rank != 2 || perm.as_deref().is_some_and(|perm| perm != [1, 0]) {
        let name = short(constant.name);
        return Err(format!(
            "transposes {name}, which has {rank} dimensions: expected a matrix and perm [1, 0]"
        ));
    }
    Ok(Value::Constant(constant.clone().transpose().named(known.name)))
}

fn reshape<'a>(known: &Known<'a, '_>) -> Result<Value<'a>, String> {
    known.check_inputs(2)?;
    let attributes = known.node.attributes(&["allowzero"])?;
    let literal = attributes.int("allowzero")?.unwrap_or(0) != 0;
    let shape = known.input(1)?.sizes()?.numbers()?;
    match known.input(0)? {
        Value::Constant(constant) if !constant.is_integer() => {
            let row = Row::of(&constant.shape());
            // As rows of these dimensions.
            let items = shape.iter().map(|&size| Some(Size::of(size)));
            let items = [Some(Size::ROWS)].into_iter().chain(items).collect();
            let row = row.reshape(&Sizes::vector(items), literal)?;
            reshaped(constant, &row.dims.into_iter().flatten().collect::<Vec<_>>())
        }
        other => match shape[..] {
            [-1 | 1] => other.sizes()?.with_rank(true).map(Value::Sizes),
            [] => other.sizes()?.with_rank(false).map(Value::Sizes),
            _ => Err(format!("reshapes a shape to {shape:?}: expected [-1]")),
        },
    }
}

/// The sizes of a tensor, from dimension `start` on before `end`.
fn shape<'a>(known: &Known<'a, '_>) -> Result<Value<'a>, String> {
    known.check_inputs(1)?;
    let attributes = known.node.attributes(&["start", "end"])?;
    let start = attributes.int("start")?.unwrap_or(0);
    let end = attributes.int("end")?.unwrap_or(i64::MAX);
    sizes_of(known)?.slice(start, end, 1).map(Value::Sizes)
}

/// The number of a tensor's elements.
fn size<'a>(known: &Known<'a, '_>) -> Result<Value<'a>, String> {
    known.check_inputs(1)?;
    known.node.attributes(&[])?;
    Ok(Value::Sizes(Sizes::scalar(sizes_of(known)?.product())))
}

fn sizes_of(known: &Known<'_, '_>) -> Result<Sizes, String> {
    let of = |sizes: &[usize]| {
        let sizes = sizes.iter().map(|&n| Some(Size::of(i64::try_from(n).ok()?)));
        Sizes::vector(sizes.collect())
    };
    Ok(match known.input(0)? {
        Value::Row { row, .. } => row.shape(),
        Value::Filled { shape, .. } => shape.clone(),
        Value::Constant(constant) => of(&constant.shape()),
        Value::Sizes(sizes) if sizes.is_vector => of(&[sizes.items.len()]),
        Value::Sizes(_) => of(&[]),
    })
}

fn gather<'a>(known: &Known<'a, '_>) -> Result<Value<'a>, String> {
    known.check_inputs(2)?;
    let axis = known.node.attributes(&["axis"])?.int("axis")?.unwrap_or(0);
    if axis != 0 && axis != -1 {
        return Err(format!("axis {axis} of a vector: expected 0"));
    }
    known.input(0)?.sizes()?.gather(&known.input(1)?.sizes()?).map(Value::Sizes)
}

fn slice<'a>(known: &Known<'a, '_>) -> Result<Value<'a>, String> {
    known.check_inputs(5)?;
    const NAMES: [&str; 4] = ["starts", "ends", "axes", "steps"];
    // Attributes before version 10, inputs since then.
    let part = |at: usize| known.ints(at + 1, NAMES[at], &NAMES[..3], 10);
    let one = |at: usize| match part(at)?.as_deref() {
        None => Ok(None),
        Some(&[one]) => Ok(Some(one)),
        Some(many) => Err(format!("{} {many:?}: expected one number", NAMES[at])),
    };
    let start = one(0)?.ok_or("`starts` is missing")?;
    let end = one(1)?.ok_or("`ends` is missing")?;
    if part(2)?.is_some_and(|axes| axes != [0] && axes != [-1]) {
        return Err("slices a vector along another axis: expected 0".to_owned());
    }
    let step = if known.opset < 10 { None } else { one(3)? };
    known.input(0)?.sizes()?.slice(start, end, step.unwrap_or(1)).map(Value::Sizes)
}

fn concat<'a>(known: &Known<'a, '_>) -> Result<Value<'a>, String> {
    let axis = known.node.attributes(&["axis"])?.int("axis")?;
    match axis {
        Some(0 | -1) => {}
        Some(axis) => return Err(format!("axis {axis} of vectors: expected 0")),
        None => return Err("attribute `axis` is missing: expected 0".to_owned()),
    }
    let parts = (0..known.inputs.len()).map(|place| known.input(place)?.sizes());
    Sizes::concat(&parts.collect::<Result<Vec<_>, _>>()?).map(Value::Sizes)
}

fn product<'a>(known: &Known<'a, '_>) -> Result<Value<'a>, String> {
    known.check_inputs(2)?;
    let attributes = known.node.attributes(&["axes", "keepdims", "noop_with_empty_axes"])?;
    let keeps = attributes.int("keepdims")?.unwrap_or(1) != 0;
    let axes = match attributes.ints("axes")? {
        Some(axes) => Some(axes),
        None => known.ints(1, "axes", &["axes", "keepdims", "noop_with_empty_axes"], 18)?,
    };
    if axes.is_none() && attributes.int("noop_with_empty_axes")?.unwrap_or(0) != 0 {
        return Err("multiplies nothing without axes: expected axis 0".to_owned());
    }
    if axes.is_some_and(|axes| axes != [0] && axes != [-1]) {
        return Err("multiplies a vector along another axis: expected 0".to_owned());
    }
    let sizes = known.input(0)?.sizes()?;
    let is_vector = keeps && sizes.is_vector;
    Ok(Value::Sizes(Sizes { is_vector, items: vec![sizes.product()] }))
}

/// A number as often as the shape says.
fn constant_of_shape<'a>(known: &Known<'a, '_>) -> Result<Value<'a>, String> {
    known.check_inputs(1)?;
    let shape = known.input(0)?.sizes()?;
    // Without a value it is a float, 0.
    let Some(value) = known.node.attributes(&["value"])?.tensor("value")? else {
        return Ok(Value::Filled { number: 0.0, shape });
    };
    let value = Constant::of_tensor("value", value, known.store);
    if !value.is_integer() {
        return Ok(Value::Filled { number: value.float()?, shape });
    }
    let (number, _) = value.ints()?;
    let &[number] = &number[..] else {
        return Err(format!("`value` has {} numbers: expected one", number.len()));
    };
    let shape = shape.numbers()?;
    let sizes = match shape[..] {
        [] => Sizes::scalar(Some(Size::of(number))),
        [n @ 0..=16] => Sizes::vector((0..n).map(|_| Some(Size::of(number))).collect()),
        _ => return Err(format!("fills shape {shape:?}: expected a vector of at most 16")),
    };
    Ok(Value::Sizes(sizes))
}
