//! The standard's definitions of operators, as plain loops over whole tensors.

use std::collections::HashMap;

/// A tensor of numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub data: Vec<f64>,
    /// Whether it is INT64, not FLOAT.
    pub is_integer: bool,
}

/// The value of an attribute.
#[derive(Clone, Debug)]
pub enum Attribute {
    Int(i64),
    Ints(Vec<i64>),
    Float(f32),
    /// A tensor of one whole number.
    Tensor(i64),
}

/// A node with one output.
#[derive(Clone, Debug)]
pub struct Node {
    pub op: &'static str,
    pub inputs: Vec<String>,
    pub output: String,
    pub attributes: Vec<(&'static str, Attribute)>,
}

impl Tensor {
    pub fn new(shape: &[usize], data: Vec<f64>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), data.len());
        Self { shape: shape.to_vec(), data, is_integer: false }
    }

    pub fn ints(shape: &[usize], data: &[i64]) -> Self {
        let data = data.iter().map(|&x| x as f64).collect();
        Self { is_integer: true, ..Self::new(shape, data) }
    }

    fn with(&self, shape: Vec<usize>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), self.data.len(), "{shape:?} of {self:?}");
        Self { shape, ..self.clone() }
    }

    fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self { data: self.data.iter().map(|&x| f(x)).collect(), ..self.clone() }
    }

    /// A tensor of `shape` whose element at an index is this one's at `from(index)`.
    fn gathered(&self, shape: Vec<usize>, from: impl Fn(&[usize]) -> Vec<usize>) -> Self {
        let data = indices(&shape).iter().map(|index| self.at(&from(index))).collect();
        Self { shape, data, is_integer: self.is_integer }
    }

    fn at(&self, index: &[usize]) -> f64 {
        assert_eq!(index.len(), self.shape.len());
        let offset = index.iter().zip(&self.shape).fold(0, |offset, (&at, &size)| {
            assert!(at < size);
            offset * size + at
        });
        self.data[offset]
    }

    fn numbers(&self) -> Vec<i64> {
        assert!(self.is_integer);
        self.data.iter().map(|&x| x as i64).collect()
    }
}

/// All indices of a shape, the last dimension changing fastest.
fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().fold(vec![Vec::new()], |all, &size| {
        all.iter().flat_map(|index| (0..size).map(|at| [&index[..], &[at]].concat())).collect()
    })
}

/// f of two tensors element by element, as numpy broadcasts them.
fn broadcast(a: &Tensor, b: &Tensor, f: impl Fn(f64, f64) -> f64) -> Tensor {
    assert_eq!(a.is_integer, b.is_integer);
    let rank = a.shape.len().max(b.shape.len());
    let padded = |t: &Tensor| [vec![1; rank - t.shape.len()], t.shape.clone()].concat();
    let (left, right) = (a.with(padded(a)), b.with(padded(b)));
    let sizes = left.shape.iter().zip(&right.shape).map(|(&m, &n)| {
        assert!(m == n || m == 1 || n == 1, "{:?} and {:?}", a.shape, b.shape);
        if m == 1 { n } else { m }
    });
    let shape: Vec<usize> = sizes.collect();
    let of = |t: &Tensor, index: &[usize]| {
        let index = index.iter().zip(&t.shape).map(|(&at, &size)| if size == 1 { 0 } else { at });
        t.at(&index.collect::<Vec<_>>())
    };
    let data = indices(&shape).iter().map(|i| f(of(&left, i), of(&right, i))).collect();
    Tensor { shape, data, is_integer: a.is_integer }
}

/// a b over the last dimension of `a` and the first of the matrix `b`.
fn product(a: &Tensor, b: &Tensor) -> Tensor {
    let (&inputs, first) = a.shape.split_last().unwrap();
    let &[rows, outputs] = &b.shape[..] else { panic!("{:?}", b.shape) };
    assert_eq!(inputs, rows);
    let shape = [first, &[outputs]].concat();
    let sum = |index: &Vec<usize>| {
        let (&output, first) = index.split_last().unwrap();
        (0..inputs).map(|k| a.at(&[first, &[k]].concat()) * b.at(&[k, output])).sum()
    };
    Tensor::new(&shape, indices(&shape).iter().map(sum).collect())
}

fn place(axis: i64, rank: usize) -> usize {
    let place = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(place).unwrap()
}

impl Node {
    fn find(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    fn int(&self, name: &str, default: i64) -> i64 {
        match self.find(name) {
            None => default,
            Some(Attribute::Int(value)) => *value,
            Some(other) => panic!("{other:?}"),
        }
    }

    fn float(&self, name: &str, default: f32) -> f64 {
        match self.find(name) {
            None => default.into(),
            Some(Attribute::Float(value)) => (*value).into(),
            Some(other) => panic!("{other:?}"),
        }
    }

    /// The output of the node for these inputs.
    fn value(&self, inputs: &[&Tensor]) -> Tensor {
        let x = inputs[0];
        let rank = x.shape.len();
        match self.op {
            "Identity" | "Dropout" | "Cast" => x.clone(),
            "Add" => broadcast(x, inputs[1], |a, b| a + b),
            "Sub" => broadcast(x, inputs[1], |a, b| a - b),
            "Mul" => broadcast(x, inputs[1], |a, b| a * b),
            "Div" if x.is_integer => broadcast(x, inputs[1], |a, b| (a / b).trunc()),
            "Div" => broadcast(x, inputs[1], |a, b| a / b),
            "Max" | "Clip" => broadcast(x, inputs[1], f64::max),
            "Neg" => x.map(|x| -x),
            "Relu" => x.map(|x| x.max(0.0)),
            "LeakyRelu" => {
                let alpha = self.float("alpha", 0.01);
                x.map(|x| if x < 0.0 { alpha * x } else { x })
            }
            "Sigmoid" => x.map(|x| 1.0 / (1.0 + (-x).exp())),
            "Tanh" => x.map(f64::tanh),
            "MatMul" => product(x, inputs[1]),
            "Gemm" => {
                let mut weights = inputs[1].clone();
                if self.int("transB", 0) == 1 {
                    let shape = vec![weights.shape[1], weights.shape[0]];
                    weights = weights.gathered(shape, |index| vec![index[1], index[0]]);
                }
                let (alpha, beta) = (self.float("alpha", 1.0), self.float("beta", 1.0));
                let sums = product(x, &weights).map(|x| alpha * x);
                match inputs.get(2) {
                    None => sums,
                    Some(bias) => broadcast(&sums, bias, |z, b| z + beta * b),
                }
            }
            "BatchNormalization" => {
                let epsilon = self.float("epsilon", 1e-5);
                let [scale, bias, mean, variance] = [1, 2, 3, 4].map(|at| &inputs[at].data);
                let all = indices(&x.shape);
                let normed = all.iter().map(|index| {
                    let c = index[1];
                    let deviation = (variance[c] + epsilon).sqrt();
                    scale[c] * (x.at(index) - mean[c]) / deviation + bias[c]
                });
                Tensor::new(&x.shape, normed.collect())
            }
            "Softmax" => {
                let columns = x.shape[rank - 1];
                let softmax = x.data.chunks(columns).flat_map(|row| {
                    let sum: f64 = row.iter().map(|x| x.exp()).sum();
                    row.iter().map(move |x| x.exp() / sum)
                });
                Tensor::new(&x.shape, softmax.collect())
            }
            "Flatten" => {
                let (first, rest) = x.shape.split_at(place(self.int("axis", 1), rank));
                x.with(vec![first.iter().product(), rest.iter().product()])
            }
            "Reshape" => x.with(reshaped(&x.shape, &inputs[1].numbers())),
            "Squeeze" => {
                let mut shape: Vec<_> = x.shape.iter().copied().map(Some).collect();
                for axis in inputs[1].numbers() {
                    assert_eq!(shape[place(axis, rank)].take(), Some(1));
                }
                x.with(shape.into_iter().flatten().collect())
            }
            "Unsqueeze" => {
                let axes = inputs[1].numbers();
                let rank = rank + axes.len();
                let axes: Vec<_> = axes.iter().map(|&axis| place(axis, rank)).collect();
                let mut sizes = x.shape.iter();
                let size = |at| if axes.contains(&at) { 1 } else { *sizes.next().unwrap() };
                x.with((0..rank).map(size).collect())
            }
            "Transpose" => {
                let Some(Attribute::Ints(perm)) = self.find("perm") else { panic!("{self:?}") };
                let perm: Vec<_> = perm.iter().map(|&axis| place(axis, rank)).collect();
                let shape = perm.iter().map(|&at| x.shape[at]).collect();
                x.gathered(shape, |index| {
                    let mut from = vec![0; rank];
                    perm.iter().zip(index).for_each(|(&at, &i)| from[at] = i);
                    from
                })
            }
            "Gather" => {
                let axis = place(self.int("axis", 0), rank);
                let (first, last) = (&x.shape[..axis], &x.shape[axis + 1..]);
                let places = inputs[1].map(|at| place(at as i64, x.shape[axis]) as f64);
                let shape = [first, &places.shape, last].concat();
                x.gathered(shape, |index| {
                    let (first, rest) = index.split_at(axis);
                    let (at, last) = rest.split_at(places.shape.len());
                    [first, &[places.at(at) as usize], last].concat()
                })
            }
            "Concat" => {
                let axis = place(self.int("axis", 0), rank);
                let mut shape = x.shape.clone();
                shape[axis] = inputs.iter().map(|part| part.shape[axis]).sum();
                let find = |index: &Vec<usize>| {
                    let mut index = index.clone();
                    for part in inputs {
                        if index[axis] < part.shape[axis] {
                            return part.at(&index);
                        }
                        index[axis] -= part.shape[axis];
                    }
                    unreachable!()
                };
                let data = indices(&shape).iter().map(find).collect();
                Tensor { shape, data, is_integer: x.is_integer }
            }
            "Shape" => {
                let bound = |at: i64| place(at, rank).min(rank);
                let range = bound(self.int("start", 0))..bound(self.int("end", rank as i64));
                let sizes: Vec<_> = x.shape[range].iter().map(|&n| n as i64).collect();
                Tensor::ints(&[sizes.len()], &sizes)
            }
            "Size" => Tensor::ints(&[], &[x.data.len() as i64]),
            "Slice" => {
                let [start, end] =
                    [1, 2].map(|at| place(inputs[at].numbers()[0], rank.max(x.data.len())));
                Tensor::ints(&[end - start], &x.numbers()[start..end])
            }
            "ReduceProd" => {
                let product = x.numbers().iter().product();
                let shape: &[usize] = if self.int("keepdims", 1) == 1 { &[1] } else { &[] };
                Tensor::ints(shape, &[product])
            }
            "ConstantOfShape" => {
                let Some(&Attribute::Tensor(value)) = self.find("value") else {
                    panic!("{self:?}")
                };
                let shape: Vec<_> = x.numbers().iter().map(|&n| n as usize).collect();
                Tensor::ints(&shape, &vec![value; shape.iter().product()])
            }
            op => panic!("{op}"),
        }
    }
}

fn reshaped(from: &[usize], to: &[i64]) -> Vec<usize> {
    let sizes = to.iter().enumerate().map(|(at, &size)| match size {
        0 => from[at],
        -1 => 1,
        size => size as usize,
    });
    let mut shape: Vec<usize> = sizes.collect();
    if let Some(at) = to.iter().position(|&size| size == -1) {
        let (all, others) = (from.iter().product::<usize>(), shape.iter().product::<usize>());
        assert_eq!(all % others, 0);
        shape[at] = all / others;
    }
    shape
}

/// The value `output` of nodes that come in order.
pub fn run(nodes: &[Node], mut values: HashMap<String, Tensor>, output: &str) -> Tensor {
    for node in nodes {
        let inputs: Vec<_> = node.inputs.iter().map(|name| &values[name]).collect();
        let value = node.value(&inputs);
        values.insert(node.output.clone(), value);
    }
    values.remove(output).unwrap()
}
