//! Random graphs of layers, as exporters might write them.

use rand_xoshiro::{
    Xoshiro256PlusPlus,
    rand_core::{Rng, SeedableRng},
};
use thinnet::{Keep, exchange::onnx::Role};

use super::interpreter::{Attribute, Node, Tensor};

/// A graph from `x` to its last node's output.
pub struct Graph {
    pub nodes: Vec<Node>,
    /// The expected role of each node.
    pub roles: Vec<Role>,
    pub constants: Vec<(String, Tensor)>,
    /// The dimensions of a row of the input.
    pub dims: Vec<usize>,
    /// The number of rows, if the graph states it.
    pub rows: Option<usize>,
    /// The keep rates of its dropouts.
    pub keeps: Vec<Keep>,
    /// Whether it ends with an output function, so that it computes predictions and not logits.
    pub is_link: bool,
}

/// A graph under construction.
pub struct Generator {
    random: Xoshiro256PlusPlus,
    names: usize,
    /// The last value, and the dimensions of its rows.
    value: String,
    row: Vec<usize>,
    /// Values of the row so far, with their dimensions.
    seen: Vec<(String, Vec<usize>)>,
    graph: Graph,
}

impl Generator {
    pub fn graph(seed: u64) -> Graph {
        let graph = Graph {
            nodes: Vec::new(),
            roles: Vec::new(),
            constants: Vec::new(),
            dims: Vec::new(),
            rows: None,
            keeps: Vec::new(),
            is_link: false,
        };
        let random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let (value, row, seen) = ("x".to_owned(), Vec::new(), Vec::new());
        let mut generator = Self { random, names: 0, value, row, seen, graph };
        generator.fill();
        generator.graph
    }

    fn fill(&mut self) {
        let rank = 1 + self.below(3);
        self.row = (0..rank).map(|_| 1 + self.below(4)).collect();
        self.graph.dims.clone_from(&self.row);
        self.graph.rows = self.chance(0.4).then(|| 2 + self.below(3));
        self.seen.push((self.value.clone(), self.row.clone()));
        let keep = self.dropout(0.3);
        self.graph.keeps.push(keep);
        self.same(0.5);
        self.elementwise(0.4);
        let layers = 1 + self.below(3);
        for layer in 1..=layers {
            let outputs = 2 + self.below(4);
            let is_one = layer == layers && self.chance(0.3);
            self.layer(if is_one { 1 } else { outputs });
            self.same(0.3);
            self.elementwise(0.3);
            if layer == layers {
                break;
            }
            if self.chance(0.8) {
                self.activation();
                self.same(0.2);
            }
            let keep = self.dropout(0.5);
            self.graph.keeps.push(keep);
            self.same(0.2);
            self.elementwise(0.3);
        }
        self.end();
        self.same(0.2);
        if self.chance(0.2) {
            // Its output is unused.
            let value = self.value.clone();
            let dead = self.node("Tanh", &[&value], &[], Role::Unused);
            assert_ne!(dead, self.value);
        }
    }

    fn below(&mut self, n: usize) -> usize {
        (self.random.next_u64() % n as u64) as usize
    }

    fn chance(&mut self, p: f64) -> bool {
        self.number(0.0, 1.0) < p
    }

    fn number(&mut self, from: f64, to: f64) -> f64 {
        // An f32, as in files.
        let unit = (self.random.next_u64() >> 40) as f64 / f64::from(1 << 24);
        f64::from((from + (to - from) * unit) as f32)
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("v{}", self.names)
    }

    fn node(
        &mut self,
        op: &'static str,
        inputs: &[&str],
        attributes: &[(&'static str, Attribute)],
        role: Role,
    ) -> String {
        let output = self.name();
        let inputs = inputs.iter().map(|&name| name.to_owned()).collect();
        let attributes = attributes.to_vec();
        self.graph.nodes.push(Node { op, inputs, output: output.clone(), attributes });
        self.graph.roles.push(role);
        output
    }

    /// Adds a node that takes the row and returns rows of dimensions `row`.
    fn step(
        &mut self,
        op: &'static str,
        others: &[&str],
        attributes: &[(&'static str, Attribute)],
        role: Role,
        row: Vec<usize>,
    ) {
        let value = self.value.clone();
        let inputs = [&[value.as_str()], others].concat();
        self.value = self.node(op, &inputs, attributes, role);
        self.seen.push((self.value.clone(), row.clone()));
        self.row = row;
    }

    /// A step of two operands, of which one is a constant.
    fn operation(&mut self, op: &'static str, constant: &str, is_first: bool, role: Role) {
        let (value, row) = (self.value.clone(), self.row.clone());
        let inputs = if is_first { [constant, &value] } else { [&value, constant] };
        self.value = self.node(op, &inputs, &[], role);
        self.seen.push((self.value.clone(), row));
    }

    fn columns(&self) -> usize {
        self.row.iter().product()
    }

    fn constant(&mut self, tensor: Tensor) -> String {
        let name = self.name();
        self.graph.constants.push((name.clone(), tensor));
        name
    }

    /// A constant of floats, or nodes that compute it.
    fn floats(&mut self, shape: &[usize], from: f64, to: f64) -> String {
        let data = (0..shape.iter().product()).map(|_| self.number(from, to)).collect();
        let tensor = Tensor::new(shape, data);
        match (self.below(6), shape) {
            (0, &[rows, columns]) => {
                let turned = Tensor { shape: vec![columns, rows], ..tensor };
                let turned = self.constant(turned);
                let perm = Attribute::Ints(vec![1, 0]);
                self.node("Transpose", &[&turned], &[("perm", perm)], Role::Constant)
            }
            (1, _) => {
                let flat = self.constant(Tensor { shape: vec![tensor.data.len()], ..tensor });
                let shape: Vec<_> = shape.iter().map(|&n| n as i64).collect();
                let shape = self.ints(&shape);
                self.node("Reshape", &[&flat, &shape], &[], Role::Constant)
            }
            (2, _) => {
                let at = self.below(shape.len() + 1);
                let mut more = shape.to_vec();
                more.insert(at, 1);
                let more = self.constant(Tensor { shape: more, ..tensor });
                let axis = self.axis(at, shape.len() + 1);
                let axes = self.ints(&[axis]);
                self.node("Squeeze", &[&more, &axes], &[], Role::Constant)
            }
            (3, _) => {
                let constant = self.constant(tensor);
                self.node("Identity", &[&constant], &[], Role::Constant)
            }
            _ => self.constant(tensor),
        }
    }

    fn ints(&mut self, numbers: &[i64]) -> String {
        self.constant(Tensor::ints(&[numbers.len()], numbers))
    }

    /// An axis, counted from either end.
    fn axis(&mut self, at: usize, rank: usize) -> i64 {
        if self.chance(0.5) { at as i64 } else { at as i64 - rank as i64 }
    }

    // ---- Shapes.

    /// Item `at` of the shape of a value of rank `rank`, as a vector of one.
    fn size(&mut self, value: &str, at: usize, rank: usize) -> String {
        if self.chance(0.2) {
            let bounds = [("start", at), ("end", at + 1)];
            let bounds = bounds.map(|(name, at)| (name, Attribute::Int(at as i64)));
            return self.node("Shape", &[value], &bounds, Role::Constant);
        }
        let shape = self.node("Shape", &[value], &[], Role::Constant);
        let index = self.axis(at, rank);
        match self.below(3) {
            0 => {
                let bounds = [at as i64, at as i64 + 1].map(|bound| self.ints(&[bound]));
                self.node("Slice", &[&shape, &bounds[0], &bounds[1]], &[], Role::Constant)
            }
            1 => {
                let index = self.ints(&[index]);
                self.node("Gather", &[&shape, &index], &[], Role::Constant)
            }
            _ => {
                let index = self.constant(Tensor::ints(&[], &[index]));
                let size = self.node("Gather", &[&shape, &index], &[], Role::Constant);
                let axes = self.ints(&[0]);
                self.node("Unsqueeze", &[&size, &axes], &[], Role::Constant)
            }
        }
    }

    /// The number of rows, as a vector of one.
    fn rows(&mut self, depth: usize) -> String {
        let (value, row) = self.pick(&self.seen.clone());
        let columns = row.iter().product::<usize>() as i64;
        match if depth > 2 { 0 } else { self.below(8) } {
            1 => {
                let all = self.node("Size", &[&value], &[], Role::Constant);
                let columns = self.ints(&[columns]);
                self.node("Div", &[&all, &columns], &[], Role::Constant)
            }
            2 => {
                let shape = self.node("Shape", &[&value], &[], Role::Constant);
                let keepdims = ("keepdims", Attribute::Int(self.below(2) as i64));
                let all = self.node("ReduceProd", &[&shape], &[keepdims], Role::Constant);
                let columns = self.ints(&[columns]);
                self.node("Div", &[&all, &columns], &[], Role::Constant)
            }
            3 => {
                let (rows, times) = (self.rows(depth + 1), self.ints(&[3]));
                let many = self.node("Mul", &[&rows, &times], &[], Role::Constant);
                self.node("Div", &[&many, &times], &[], Role::Constant)
            }
            4 => {
                let [a, b, c] = [0; 3].map(|_| self.rows(depth + 1));
                let two = self.node("Add", &[&a, &b], &[], Role::Constant);
                self.node("Sub", &[&two, &c], &[], Role::Constant)
            }
            5 => {
                let rows = self.rows(depth + 1);
                self.node("Cast", &[&rows], &[("to", Attribute::Int(7))], Role::Constant)
            }
            _ => self.size(&value, 0, row.len() + 1),
        }
    }

    /// A number as a vector of one.
    fn given(&mut self, number: i64) -> String {
        match self.below(6) {
            0 => {
                let value = Attribute::Tensor(number);
                let one = self.ints(&[1]);
                self.node("ConstantOfShape", &[&one], &[("value", value)], Role::Constant)
            }
            1 => {
                let (more, two) = (self.ints(&[2 * number + number.signum()]), self.ints(&[2]));
                self.node("Div", &[&more, &two], &[], Role::Constant)
            }
            2 => {
                let (value, row) = self.pick(&self.seen.clone());
                match row.iter().position(|&size| size as i64 == number) {
                    Some(at) => self.size(&value, at + 1, row.len() + 1),
                    None => self.ints(&[number]),
                }
            }
            3 if number > 0 => {
                // A `Transpose` changes the shape.
                let zeros = self
                    .constant(Tensor::new(&[number as usize, 3], vec![0.0; 3 * number as usize]));
                let perm = ("perm", Attribute::Ints(vec![1, 0]));
                let turned = self.node("Transpose", &[&zeros], &[perm], Role::Constant);
                self.size(&turned, 1, 2)
            }
            _ => self.ints(&[number]),
        }
    }

    /// The shape of rows of these dimensions.
    fn shape(&mut self, row: &[usize]) -> String {
        let mut sizes: Vec<i64> = row.iter().map(|&n| n as i64).collect();
        let inferred = self.below(2 * row.len() + 1);
        if let Some(size) = sizes.get_mut(inferred) {
            *size = -1;
        }
        if self.chance(0.4) {
            let (is_other, stated) = (self.chance(0.5), self.graph.rows);
            let rows = match stated {
                Some(rows) if is_other => rows as i64,
                None if is_other && inferred >= row.len() => -1,
                _ => 0,
            };
            return self.ints(&[&[rows][..], &sizes].concat());
        }
        let mut parts = vec![if inferred == row.len() { self.given(-1) } else { self.rows(0) }];
        parts.extend(sizes.iter().map(|&size| self.given(size)).collect::<Vec<_>>());
        let parts: Vec<_> = parts.iter().map(String::as_str).collect();
        let axis = self.axis(0, 1);
        self.node("Concat", &parts, &[("axis", Attribute::Int(axis))], Role::Constant)
    }

    fn reshape(&mut self, row: &[usize]) {
        let shape = self.shape(row);
        self.step("Reshape", &[&shape], &[], Role::Identity, row.to_vec());
    }

    /// Steps that keep a row's elements as they are, each followed by another with chance `p`.
    fn same(&mut self, p: f64) {
        while self.chance(p) {
            let rank = self.row.len() + 1;
            let ones: Vec<_> = (1..rank).filter(|&at| self.row[at - 1] == 1).collect();
            let (op, mut row) = (self.below(7), self.row.clone());
            match op {
                0 => self.step("Identity", &[], &[], Role::Identity, row),
                1 => {
                    let axis = ("axis", Attribute::Int(1));
                    let columns = self.columns();
                    self.step("Flatten", &[], &[axis], Role::Identity, vec![columns]);
                }
                2 if rank < 5 => {
                    let at = 1 + self.below(rank);
                    row.insert(at - 1, 1);
                    let axis = self.axis(at, rank + 1);
                    let axes = self.ints(&[axis]);
                    self.step("Unsqueeze", &[&axes], &[], Role::Identity, row);
                }
                3 if !ones.is_empty() && rank > 2 => {
                    let at = self.pick(&ones);
                    row.remove(at - 1);
                    let axis = self.axis(at, rank);
                    if self.chance(0.5) {
                        let axes = self.ints(&[axis]);
                        self.step("Squeeze", &[&axes], &[], Role::Identity, row);
                    } else {
                        let index = self.axis(0, 1);
                        let index = self.constant(Tensor::ints(&[], &[index]));
                        let axis = ("axis", Attribute::Int(axis));
                        self.step("Gather", &[&index], &[axis], Role::Identity, row);
                    }
                }
                4 if !ones.is_empty() => {
                    // Moves a dimension of size 1.
                    let from = self.pick(&ones);
                    let mut perm: Vec<_> = (0..rank as i64).collect();
                    let axis = perm.remove(from);
                    perm.insert(1 + self.below(rank - 1), axis);
                    let row = perm[1..].iter().map(|&at| row[at as usize - 1]).collect();
                    let perm = ("perm", Attribute::Ints(perm));
                    self.step("Transpose", &[], &[perm], Role::Identity, row);
                }
                _ => {
                    // Two factors of the columns, or three.
                    let mut sizes = Vec::new();
                    let mut rest = self.columns();
                    for _ in 0..self.below(3) {
                        let factors: Vec<_> =
                            (1..=rest).filter(|n| rest.is_multiple_of(*n)).collect();
                        let factor = self.pick(&factors);
                        sizes.push(factor);
                        rest /= factor;
                    }
                    sizes.push(rest);
                    self.reshape(&sizes);
                }
            }
        }
    }

    // ---- Steps that change the elements.

    /// Scales and shifts, each followed by another with chance `p`.
    fn elementwise(&mut self, p: f64) {
        while self.chance(p) {
            if self.chance(0.2) {
                let channels = self.row[0];
                let bounds = [(0.5, 1.5), (-1.0, 1.0), (-1.0, 1.0), (0.5, 2.0)];
                let vectors = bounds.map(|(from, to)| self.floats(&[channels], from, to));
                let vectors: Vec<_> = vectors.iter().map(String::as_str).collect();
                let epsilon = ("epsilon", Attribute::Float(0.125));
                let row = self.row.clone();
                self.step("BatchNormalization", &vectors, &[epsilon], Role::Folded, row);
                continue;
            }
            // A part of the row's shape, with ones in it, and one for the rows.
            let mut shape = self.row.clone();
            for size in &mut shape {
                if self.chance(0.3) {
                    *size = 1;
                }
            }
            if self.chance(0.3) {
                shape.insert(0, 1);
            }
            let from = if self.chance(0.4) { self.below(shape.len() + 1) } else { 0 };
            let shape = &shape[from..];
            let is_first = self.chance(0.4);
            match self.pick(&["Add", "Sub", "Mul", "Div", "Neg"]) {
                "Neg" => {
                    let row = self.row.clone();
                    self.step("Neg", &[], &[], Role::Folded, row);
                }
                op => {
                    let scales = op == "Mul" || op == "Div";
                    let constant = if scales {
                        self.floats(shape, 0.5, 1.5)
                    } else {
                        self.floats(shape, -1.0, 1.0)
                    };
                    self.operation(op, &constant, is_first && op != "Div", Role::Folded);
                }
            }
        }
    }

    fn layer(&mut self, outputs: usize) {
        let inputs = self.columns();
        if self.row.split_last().is_some_and(|(_, rest)| rest.iter().any(|&n| n != 1))
            || self.chance(0.3)
        {
            self.reshape(&[inputs]);
        }
        let bound = 1.7 / (inputs as f64).sqrt();
        if self.row.len() == 1 && self.chance(0.6) {
            let turns = self.below(2);
            let shape = if turns == 1 { [outputs, inputs] } else { [inputs, outputs] };
            let weights = self.floats(&shape, -bound, bound);
            let shape = self.pick(&[vec![], vec![1], vec![outputs], vec![1, outputs]]);
            let bias = self.floats(&shape, -1.0, 1.0);
            let attributes = [
                ("transB", Attribute::Int(turns as i64)),
                ("alpha", Attribute::Float(self.pick(&[1.0, 0.5, -1.5]))),
                ("beta", Attribute::Float(self.pick(&[1.0, 2.0, 0.0]))),
            ];
            return self.step(
                "Gemm",
                &[&weights, &bias],
                &attributes,
                Role::Network,
                vec![outputs],
            );
        }
        let weights = self.floats(&[inputs, outputs], -bound, bound);
        let mut row = self.row.clone();
        if let Some(last) = row.last_mut() {
            *last = outputs;
        }
        self.step("MatMul", &[&weights], &[], Role::Network, row);
        if self.chance(0.8) {
            let bias = self.floats(&[outputs], -1.0, 1.0);
            let is_first = self.chance(0.3);
            self.operation("Add", &bias, is_first, Role::Folded);
        }
    }

    fn activation(&mut self) {
        let row = self.row.clone();
        match self.below(6) {
            0 => {
                let alpha = ("alpha", Attribute::Float(self.pick(&[0.01, 0.25])));
                self.step("LeakyRelu", &[], &[alpha], Role::Network, row);
            }
            1 => {
                let zero = self.constant(Tensor::new(&[], vec![0.0]));
                let op = self.pick(&["Max", "Clip"]);
                self.step(op, &[&zero], &[], Role::Network, row);
            }
            _ => {
                let op = self.pick(&["Relu", "Sigmoid", "Tanh"]);
                self.step(op, &[], &[], Role::Network, row);
            }
        }
    }

    /// Dropout with chance `p`, and its keep rate.
    fn dropout(&mut self, p: f64) -> Keep {
        if !self.chance(p) {
            return Keep::ONE;
        }
        let ratio = self.pick(&[0.0, 0.25, 0.5, 0.75]);
        let keep = Keep::from_drop(ratio).unwrap();
        let ratio = self.constant(Tensor::new(&[], vec![ratio]));
        let role = if keep.drops() { Role::Network } else { Role::Identity };
        let row = self.row.clone();
        self.step("Dropout", &[&ratio], &[], role, row);
        keep
    }

    fn end(&mut self) {
        let columns = self.columns();
        match self.below(4) {
            0 if columns > 1 => {
                if self.row.len() != 1 {
                    self.reshape(&[columns]);
                }
                let row = self.row.clone();
                self.step("Softmax", &[], &[("axis", Attribute::Int(-1))], Role::Network, row);
                self.graph.is_link = true;
            }
            1 => {
                let row = self.row.clone();
                self.step("Sigmoid", &[], &[], Role::Network, row);
                self.graph.is_link = true;
            }
            2 if columns == 1 => {
                if self.row.len() != 1 {
                    self.reshape(&[1]);
                }
                self.step("Sigmoid", &[], &[], Role::Network, vec![1]);
                let p = self.value.clone();
                let one = self.constant(Tensor::new(&[1], vec![1.0]));
                let other = self.node("Sub", &[&one, &p], &[], Role::Network);
                let inputs = if self.chance(0.5) { [&p, &other] } else { [&other, &p] };
                let axis = ("axis", Attribute::Int(self.axis(1, 2)));
                self.value =
                    self.node("Concat", &inputs.map(String::as_str), &[axis], Role::Network);
                self.row = vec![2];
                self.seen.push((self.value.clone(), self.row.clone()));
                self.graph.is_link = true;
            }
            _ => {}
        }
    }
}

impl Graph {
    /// The output of the last node that is used.
    pub fn output(&self) -> &str {
        let last = self.roles.iter().rposition(|&role| role != Role::Unused).unwrap();
        &self.nodes[last].output
    }
}
