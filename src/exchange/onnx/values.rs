//! The values of a graph, and operators on those that are known before it runs.
//!
//! A new operator is a function here, and its line in [`OPERATORS`].

use super::{
    constant::Constant,
    external::Store,
    inputs::{Inputs, Slice},
    proto::{Attributes, Node, kind, short},
    row::Row,
    sizes::{Arithmetic, Size, Sizes},
};

/// A value of a graph.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    /// It is in the file.
    Constant(Constant<'a>),
    /// Whole numbers computed from shapes.
    Sizes(Sizes),
    /// A tensor of equal numbers, whose shape may depend on the number of rows.
    Filled { number: f64, shape: Sizes },
    /// The row, after `position` steps.
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

/// A node that takes no elements of the row: it takes constants, or only the row's shape.
pub(super) struct Known<'a, 'v> {
    pub inputs: Inputs<'a, 'v>,
    /// The name of its output.
    pub name: &'a str,
    /// The tensors in other files.
    pub store: &'a Store<'a>,
}

type Compute = for<'a> fn(&Known<'a, '_>) -> Result<Value<'a>, String>;

/// The operators on known values.
const OPERATORS: &[(&str, Compute)] = &[
    ("Constant", |known| {
        Constant::of_node(known.name, known.inputs.node, known.store).map(Value::Constant)
    }),
    ("ConstantOfShape", constant_of_shape),
    ("Expand", expand),
    ("Identity", identity),
    ("Cast", |known| {
        known.inputs.at_most(1)?;
        let to = known.attributes(&["to", "saturate", "round_mode"])?.int("to")?;
        known.cast(to.ok_or("attribute `to` is missing: expected a kind of number")?)
    }),
    ("CastLike", |known| {
        known.inputs.at_most(2)?;
        known.attributes(&["saturate", "round_mode"])?;
        // The row is of floats wherever a constant meets it.
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

/// Whether a node's operator is among them.
pub(super) fn knows(node: &Node<'_>) -> bool {
    node.is_standard() && OPERATORS.iter().any(|(name, _)| *name == node.op)
}

/// Whether a node takes only the shape of the row, or only the kind of its elements.
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
        let node = self.inputs.node;
        let found = OPERATORS.iter().find(|(name, _)| *name == node.op);
        match found {
            Some((_, compute)) if node.is_standard() => compute(self),
            _ if node.op.contains("Random") || node.op == "Bernoulli" => {
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

    fn attributes(&self, known: &[&str]) -> Result<Attributes<'a>, String> {
        self.inputs.node.attributes(known)
    }

    fn input(&self, place: usize) -> Result<&Value<'a>, String> {
        self.inputs.required(place)
    }

    fn compute(&self, op: Arithmetic) -> Result<Value<'a>, String> {
        self.inputs.at_most(2)?;
        self.attributes(&[])?;
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
            // The number of rows is that of a tensor, so it fits.
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

    /// Adds or removes a dimension of size 1; several of them for a constant tensor.
    fn change_rank(&self, more: bool) -> Result<Value<'a>, String> {
        let axes = self.inputs.parameters(13, &["axes"], 1, &[])?.ints("axes", 1)?;
        if let Value::Constant(constant) = self.input(0)?
            && !constant.is_integer()
        {
            let row = Row::of(&constant.shape());
            // As the dimensions of a row, whose axes are counted from 1.
            let shifted = |axes: &[i64]| -> Vec<i64> {
                axes.iter()
                    .map(|&axis| if axis < 0 { axis } else { axis.saturating_add(1) })
                    .collect()
            };
            let axes = axes.as_deref().map(shifted);
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
            (axes, _) => {
                let input = if sizes.is_vector { "a vector" } else { "a single number" };
                let expected = if more { "a single number" } else { "a vector of one number" };
                let axes = axes.map_or("no axes".to_owned(), |axes| format!("axes {axes:?}"));
                Err(format!("takes {input} and {axes}: expected {expected} and axes [0]"))
            }
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
    known.inputs.at_most(1)?;
    known.attributes(&[])?;
    Ok(match known.input(0)?.clone() {
        Value::Constant(constant) => Value::Constant(constant.named(known.name)),
        other => other,
    })
}

/// A tensor of equal numbers.
fn expand<'a>(known: &Known<'a, '_>) -> Result<Value<'a>, String> {
    known.inputs.at_most(2)?;
    known.attributes(&[])?;
    let Value::Constant(constant) = known.input(0)? else {
        return Err(
            "expands a value that is not a single constant number: expected one number".to_owned()
        );
    };
    let (number, shape) = (constant.float()?, known.input(1)?.sizes()?);
    if constant.shape().len() > shape.items.len() {
        return Err("expands to fewer dimensions: expected at least as many".to_owned());
    }
    Ok(Value::Filled { number, shape })
}

fn transpose<'a>(known: &Known<'a, '_>) -> Result<Value<'a>, String> {
    known.inputs.at_most(1)?;
    let perm = known.attributes(&["perm"])?.ints("perm")?;
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
    known.inputs.at_most(2)?;
    let attributes = known.attributes(&["allowzero"])?;
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

/// The sizes of a tensor from dimension `start` on, before `end`.
fn shape<'a>(known: &Known<'a, '_>) -> Result<Value<'a>, String> {
    known.inputs.at_most(1)?;
    let attributes = known.attributes(&["start", "end"])?;
    let start = attributes.int("start")?.unwrap_or(0);
    let end = attributes.int("end")?.unwrap_or(i64::MAX);
    sizes_of(known)?.slice(start, end, 1).map(Value::Sizes)
}

/// The number of a tensor's elements.
fn size<'a>(known: &Known<'a, '_>) -> Result<Value<'a>, String> {
    known.inputs.at_most(1)?;
    known.attributes(&[])?;
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
    known.inputs.at_most(2)?;
    let axis = known.attributes(&["axis"])?.int("axis")?.unwrap_or(0);
    if !is_only_axis(axis) {
        return Err(format!("gathers from axis {axis} of a vector: expected 0"));
    }
    known.input(0)?.sizes()?.gather(&known.input(1)?.sizes()?).map(Value::Sizes)
}

fn slice<'a>(known: &Known<'a, '_>) -> Result<Value<'a>, String> {
    let slices = known.inputs.slices()?;
    let &[Slice { start, end, axis, step }] = &slices[..] else {
        return Err(format!("slices {} axes of a vector: expected one", slices.len()));
    };
    if !is_only_axis(axis) {
        return Err(format!("slices axis {axis} of a vector: expected 0"));
    }
    known.input(0)?.sizes()?.slice(start, end, step).map(Value::Sizes)
}

/// Whether this is the axis of a vector.
fn is_only_axis(axis: i64) -> bool {
    axis == 0 || axis == -1
}

fn concat<'a>(known: &Known<'a, '_>) -> Result<Value<'a>, String> {
    let axis = known.attributes(&["axis"])?.int("axis")?;
    match axis {
        Some(0 | -1) => {}
        Some(axis) => return Err(format!("axis {axis} of vectors: expected 0")),
        None => return Err("attribute `axis` is missing: expected 0".to_owned()),
    }
    let parts = (0..known.inputs.values.len()).map(|place| known.input(place)?.sizes());
    Sizes::concat(&parts.collect::<Result<Vec<_>, _>>()?).map(Value::Sizes)
}

fn product<'a>(known: &Known<'a, '_>) -> Result<Value<'a>, String> {
    const OTHERS: [&str; 2] = ["keepdims", "noop_with_empty_axes"];
    let parameters = known.inputs.parameters(18, &["axes"], 1, &OTHERS)?;
    let flag = |name: &str, default: i64| {
        parameters.attributes.int(name).map(|flag| flag.unwrap_or(default) != 0)
    };
    let keeps = flag("keepdims", 1)?;
    match parameters.ints("axes", 1)?.as_deref() {
        None if flag("noop_with_empty_axes", 0)? => {
            return Err(
                "has no axes, and noop_with_empty_axes makes it do nothing: expected axes \
                        [0]"
                .to_owned(),
            );
        }
        None => {}
        Some(&[axis]) if is_only_axis(axis) => {}
        Some(axes) => {
            return Err(format!("multiplies along axes {axes:?} of a vector: expected [0]"));
        }
    }
    let sizes = known.input(0)?.sizes()?;
    let is_vector = keeps && sizes.is_vector;
    Ok(Value::Sizes(Sizes { is_vector, items: vec![sizes.product()] }))
}

/// A tensor of equal numbers, or a vector of equal sizes.
fn constant_of_shape<'a>(known: &Known<'a, '_>) -> Result<Value<'a>, String> {
    known.inputs.at_most(1)?;
    let shape = known.input(0)?.sizes()?;
    // The default is 0, a float.
    let Some(value) = known.attributes(&["value"])?.tensor("value")? else {
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
