//! Random graphs of layers, compared with an independent interpreter, which computes them node by
//! node on whole tensors in f64; and small graphs that resemble such graphs but are refused.

#[path = "onnx_graphs/generator.rs"]
mod generator;
#[path = "onnx_graphs/interpreter.rs"]
mod interpreter;
#[path = "../hostile_files/writer.rs"]
mod writer;

use std::collections::HashMap;

use thinnet::{
    data::Batch,
    exchange::onnx::{Import, Model, Role},
    nn::Mlp,
    predict::Predictor,
    tensor::MatrixView,
};

use self::{
    generator::Generator,
    interpreter::{Attribute, Node, Tensor, run},
    writer::{Message, bare, floats, model, node, value_info, with_float, with_int},
};

/// The maximum difference of sums in f32 and in f64, with few units and at most three layers,
/// relative to the largest output or to 1.
const TOLERANCE: f64 = 1e-5;

/// The file of a graph from `x` to `output`, whose rows have the dimensions `dims`.
fn file(
    nodes: &[Node],
    constants: &[(String, Tensor)],
    rows: Option<usize>,
    dims: &[usize],
    output: &str,
) -> Vec<u8> {
    let graph =
        nodes.iter().fold(Message::default(), |graph, node| graph.message(1, message(node)));
    let graph = constants.iter().fold(graph, |graph, (name, tensor)| {
        let dims: Vec<_> = tensor.shape.iter().map(|&n| n as u64).collect();
        graph.message(
            5,
            if tensor.is_integer {
                ints(name, &dims, tensor.data.iter().map(|&x| x as i64))
            } else {
                let data: Vec<_> = tensor.data.iter().map(|&x| x as f32).collect();
                floats(name, &dims, &data)
            },
        )
    });
    // 0 means no stated size.
    let shape: Vec<_> = [rows.unwrap_or(0)].iter().chain(dims).map(|&n| n as u64).collect();
    let graph = graph.message(11, value_info("x", 1, &shape));
    model(20, graph.message(12, value_info(output, 1, &[]))).0
}

fn ints(name: &str, dims: &[u64], numbers: impl Iterator<Item = i64>) -> Message {
    let raw: Vec<u8> = numbers.flat_map(i64::to_le_bytes).collect();
    bare(name, 7, dims).bytes(9, raw)
}

fn message(of: &Node) -> Message {
    let inputs: Vec<_> = of.inputs.iter().map(String::as_str).collect();
    let message = node(of.op, &inputs, &of.output);
    of.attributes.iter().fold(message, |message, (name, value)| match value {
        Attribute::Int(value) => with_int(message, name, *value as u64),
        Attribute::Float(value) => with_float(message, name, *value),
        Attribute::Ints(values) => {
            let attribute = Message::default().bytes(1, name);
            let attribute = values.iter().fold(attribute, |a, &n| a.varint(8, n as u64));
            message.message(5, attribute.varint(20, 7))
        }
        Attribute::Tensor(value) => {
            let tensor = ints("", &[1], [*value].into_iter());
            message.message(5, Message::default().bytes(1, name).message(5, tensor))
        }
    })
}

fn import(file: &[u8]) -> Import {
    Model::from_bytes(file).import(None).unwrap()
}

/// The network's predictions for rows, or its logits.
fn outputs(mlp: &Mlp, x: &[f64], is_link: bool) -> Vec<f64> {
    let x: Vec<_> = x.iter().map(|&x| x as f32).collect();
    let rows = x.len() / mlp.inputs();
    let batch = Batch::dense(MatrixView::new(&x, rows, mlp.inputs()).unwrap());
    let predictor = Predictor::new(mlp.clone());
    let mut workspace = predictor.workspace(rows).unwrap();
    let outputs = if is_link {
        predictor.predict(&batch, &mut workspace)
    } else {
        predictor.logits(&batch, &mut workspace)
    };
    let outputs = outputs.unwrap();
    (0..rows).flat_map(|row| outputs.row(row).unwrap().to_vec()).map(f64::from).collect()
}

fn assert_close(what: &str, ours: &[f64], theirs: &[f64]) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let largest = theirs.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert!((ours - theirs).abs() <= TOLERANCE * largest, "{what}: {ours}, not {theirs}");
    }
}

/// Numbers of rows from -2 to 2.
fn inputs(rows: usize, dims: &[usize]) -> Tensor {
    let shape = [&[rows], dims].concat();
    let x = |i: usize| ((i * 37 + 11) % 65) as f64 / 16.0 - 2.0;
    Tensor::new(&shape, (0..shape.iter().product()).map(x).collect())
}

#[test]
fn random_graphs_are_read_as_networks_with_the_same_outputs() {
    for seed in 0..600 {
        let graph = Generator::graph(seed);
        let (dims, output) = (&graph.dims, graph.output());
        let file = file(&graph.nodes, &graph.constants, graph.rows, dims, output);
        let Import { network, report, .. } = import(&file);
        let mlp = network.unwrap_or_else(|error| panic!("{seed}: {error}\n{:?}", graph.nodes));
        for rows in graph.rows.map_or(vec![1, 3], |rows| vec![rows]) {
            let x = inputs(rows, dims);
            let mut values: HashMap<_, _> = graph.constants.iter().cloned().collect();
            values.insert("x".to_owned(), x.clone());
            let theirs = run(&graph.nodes, values, output).data;
            let what = format!("graph {seed} of {rows} rows");
            assert_close(&what, &outputs(&mlp, &x.data, graph.is_link), &theirs);
        }
        assert_eq!(mlp.keeps(), graph.keeps, "{seed}");
        let roles: Vec<_> = report.nodes.iter().map(|node| node.role).collect();
        let titles: Vec<_> = report.nodes.iter().map(|node| node.operator.clone()).collect();
        let ops: Vec<_> = graph.nodes.iter().map(|node| node.op.to_owned()).collect();
        assert_eq!(titles, ops, "{seed}");
        for (at, (ours, theirs)) in roles.iter().zip(&graph.roles).enumerate() {
            // The result of a constant node may be unused.
            let is_unused = *ours == Role::Unused && *theirs == Role::Constant;
            assert!(ours == theirs || is_unused, "{seed}: {ours} at {at}: {:?}", graph.nodes);
        }
        assert!(report.nodes.iter().all(|node| !node.detail.is_empty()), "{seed}");
    }
}

// ---- Small graphs.

fn a(op: &'static str, inputs: &[&str], output: &str) -> Node {
    let inputs = inputs.iter().map(|&name| name.to_owned()).collect();
    Node { op, inputs, output: output.to_owned(), attributes: Vec::new() }
}

impl Node {
    fn with(mut self, name: &'static str, value: Attribute) -> Self {
        self.attributes.push((name, value));
        self
    }
}

/// The constants of the small graphs.
fn constants() -> Vec<(String, Tensor)> {
    let numbers = |n: usize| (0..n).map(|i| ((i * 5 + 3) % 7) as f64 / 4.0 - 0.75).collect();
    let floats = |name: &str, shape: &[usize]| {
        (name.to_owned(), Tensor::new(shape, numbers(shape.iter().product())))
    };
    let full = |name: &str, shape: &[usize], x: f64| {
        (name.to_owned(), Tensor::new(shape, vec![x; shape.iter().product()]))
    };
    let ints = |name: &str, shape: &[usize], values: &[i64]| {
        (name.to_owned(), Tensor::ints(shape, values))
    };
    vec![
        floats("4x1", &[4, 1]),
        floats("4x4", &[4, 4]),
        floats("4x8", &[4, 8]),
        full("one", &[], 1.0),
        full("halves", &[1, 1], 0.5),
        full("4 halves", &[4], 0.5),
        full("halves of 3 rows", &[3, 1], 0.5),
        full("halves of 3 rows of 4", &[3, 4], 0.5),
        ints("[0, -1]", &[2], &[0, -1]),
        ints("[4, -1]", &[2], &[4, -1]),
        ints("[0, 1, -1]", &[3], &[0, 1, -1]),
        ints("[0]", &[1], &[0]),
        ints("[1]", &[1], &[1]),
        ints("[-1]", &[1], &[-1]),
        ints("[-2^32]", &[1], &[-(1 << 32)]),
        ints("[2, 2]", &[2], &[2, 2]),
        ints("[0, 4]", &[2], &[0, 4]),
    ]
}

fn read(nodes: &[Node], rows: Option<usize>, dims: &[usize]) -> Import {
    let output = &nodes.last().unwrap().output;
    import(&file(nodes, &constants(), rows, dims, output))
}

/// Compares the network with the outputs of the nodes.
fn agrees(nodes: &[Node], rows: Option<usize>, dims: &[usize], is_link: bool) {
    agrees_of(nodes, rows, rows.unwrap_or(3), dims, is_link);
}

/// The same for a graph that states `stated` as the number of rows.
fn agrees_of(nodes: &[Node], stated: Option<usize>, rows: usize, dims: &[usize], is_link: bool) {
    let import = read(nodes, stated, dims);
    let x = inputs(rows, dims);
    let mut values: HashMap<_, _> = constants().into_iter().collect();
    values.insert("x".to_owned(), x.clone());
    let theirs = run(nodes, values, &nodes.last().unwrap().output).data;
    assert_close("a small graph", &outputs(&import.network.unwrap(), &x.data, is_link), &theirs);
}

fn refused(nodes: &[Node], rows: Option<usize>, dims: &[usize], words: &str) {
    let error = read(nodes, rows, dims).network.unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}

/// The logistic output p of a layer, its complement q, and the nodes that take them.
fn two_classes(more: &[Node]) -> Vec<Node> {
    let first =
        [a("MatMul", &["x", "4x1"], "z"), a("Sigmoid", &["z"], "p"), a("Sub", &["one", "p"], "q")];
    [&first, more].concat()
}

fn joined(inputs: &[&str]) -> Node {
    a("Concat", inputs, "y").with("axis", Attribute::Int(1))
}

#[test]
fn two_classes_are_a_probability_and_its_own_complement() {
    for inputs in [["p", "q"], ["q", "p"]] {
        agrees(&two_classes(&[joined(&inputs)]), None, &[4], true);
    }
    for inputs in [["q", "r"], ["r", "q"], ["r", "p"], ["p", "r"], ["q", "q"], ["p", "p"]] {
        for op in ["Identity", "Flatten", "Relu", "Neg"] {
            let nodes = two_classes(&[a(op, &["q"], "r"), joined(&inputs)]);
            let nodes = if inputs.contains(&"r") { nodes } else { two_classes(&[joined(&inputs)]) };
            refused(&nodes, None, &[4], "takes");
        }
    }
}

/// The logit may be that of an extra layer after another activation.
#[test]
fn two_classes_after_an_activation_are_an_extra_layer() {
    for inputs in [["p", "q"], ["q", "p"]] {
        let nodes = [
            a("MatMul", &["x", "4x1"], "m"),
            a("Tanh", &["m"], "z"),
            a("Sigmoid", &["z"], "p"),
            a("Sub", &["one", "p"], "q"),
            joined(&inputs),
        ];
        agrees(&nodes, None, &[4], true);
    }
}

/// A `Reshape` to another number of rows would mix the elements of several rows.
#[test]
fn a_number_of_rows_has_to_be_that_of_the_input() {
    let nodes = |shape| {
        [
            a("MatMul", &["x", "4x8"], "z"),
            a("Reshape", &["z", shape], "r"),
            a("Softmax", &["r"], "y").with("axis", Attribute::Int(-1)),
        ]
    };
    agrees(&nodes("[4, -1]"), Some(4), &[4], true);
    refused(&nodes("[4, -1]"), Some(2), &[4], "4 rows, but the input has 2:");
    refused(
        &nodes("[4, -1]"),
        None,
        &[4],
        "output of a Reshape to 4 rows, but the graph's input may have any number",
    );
    agrees(&nodes("[0, -1]"), None, &[4], true);
    // A layer takes only the columns of 4 rows; operations on single elements change nothing.
    let nodes = |op: &'static str, others: &[&str]| {
        let inputs = [&["r"], others].concat();
        [
            a("Reshape", &["x", "[4, -1]"], "r"),
            a(op, &inputs, "q"),
            a("MatMul", &["q", "4x4"], "m"),
            a("Sigmoid", &["m"], "y"),
        ]
    };
    for (op, others) in
        [("Tanh", &[][..]), ("Div", &["halves"]), ("Flatten", &[]), ("Reshape", &["[0, -1]"])]
    {
        agrees(&nodes(op, others), Some(4), &[2, 2], true);
        agrees_of(&nodes(op, others), None, 4, &[2, 2], true);
    }
    for (op, others) in [("Add", &["4 halves"][..]), ("Reshape", &["[0, 1, -1]"])] {
        refused(&nodes(op, others), None, &[2, 2], "output of a Reshape to 4 rows");
    }
}

/// `Squeeze` without axes turns a single row into a vector.
#[test]
fn the_dimension_of_a_single_row_is_not_removed() {
    let nodes = [
        a("MatMul", &["x", "4x4"], "z"),
        a("Squeeze", &["z"], "s"),
        a("Reshape", &["s", "[0, -1]"], "r"),
        a("Softmax", &["r"], "y").with("axis", Attribute::Int(-1)),
    ];
    refused(
        &nodes,
        Some(1),
        &[1, 4],
        "a Squeeze of a single row also removes the dimension of the rows",
    );
    read(&nodes, Some(2), &[1, 4]).network.unwrap();
}

#[test]
fn equal_numbers_for_each_row_make_no_more_rows_or_columns() {
    for constant in ["halves of 3 rows", "halves of 3 rows of 4"] {
        let nodes = [a("MatMul", &["x", "4x4"], "z"), a("Add", &["z", constant], "y")];
        agrees(&nodes, Some(3), &[4], false);
        refused(&nodes, Some(1), &[4], "expected a number, or one for each");
    }
    let nodes = [a("MatMul", &["x", "4x1"], "z"), a("Add", &["z", "halves of 3 rows of 4"], "y")];
    refused(&nodes, Some(3), &[4], "expected a number, or one for each");
}

/// A `Reshape` to `[-1, n]`, where the nodes in `computed` compute n.
fn flattened_to(computed: &[Node], n: &str) -> Vec<Node> {
    let shape = a("Concat", &["[-1]", n], "shape").with("axis", Attribute::Int(0));
    let rest = [shape, a("Reshape", &["x", "shape"], "f"), a("MatMul", &["f", "4x8"], "y")];
    [computed, &rest].concat()
}

#[test]
fn shapes_of_constants_include_their_transposition() {
    let turn = a("Transpose", &["4x8"], "8x4").with("perm", Attribute::Ints(vec![1, 0]));
    let shape = a("Shape", &["8x4"], "sizes");
    let of = |index| {
        let item = a("Gather", &["sizes", index], "n");
        flattened_to(&[turn.clone(), shape.clone(), item], "n")
    };
    agrees(&of("[1]"), None, &[2, 2], false);
    refused(&of("[0]"), None, &[2, 2], "makes rows of 8 elements: expected 4, as in its input");
}

/// -2^32 is 0 in 32 bits.
#[test]
fn whole_numbers_that_32_bits_do_not_hold_are_not_cast_to_them() {
    for (number, is_read) in [("[0]", true), ("[-2^32]", false)] {
        let nodes = [
            a("Cast", &[number], "32").with("to", Attribute::Int(6)),
            a("Cast", &["32"], "64").with("to", Attribute::Int(7)),
            a("Concat", &["64", "[-1]"], "shape").with("axis", Attribute::Int(0)),
            a("Reshape", &["x", "shape"], "f"),
            a("MatMul", &["f", "4x8"], "y"),
        ];
        if is_read {
            agrees(&nodes, None, &[2, 2], false);
        } else {
            refused(&nodes, None, &[2, 2], "casts a constant to INT32");
        }
    }
}

#[test]
fn a_product_without_axes_is_refused() {
    let product = |noop| {
        let product = a("ReduceProd", &["[2, 2]"], "n");
        flattened_to(&[product.with("noop_with_empty_axes", Attribute::Int(noop))], "n")
    };
    agrees(&product(0), None, &[2, 2], false);
    refused(
        &product(1),
        None,
        &[2, 2],
        "has no axes, and noop_with_empty_axes makes it do nothing",
    );
}

#[test]
fn only_one_logarithm_may_follow_a_softmax() {
    let nodes = |first: &'static str, more: &[&'static str]| {
        let mut nodes = vec![a("MatMul", &["x", "4x4"], "z"), a(first, &["z"], "0")];
        for (at, &op) in more.iter().enumerate() {
            nodes.push(a(op, &[&at.to_string()], &(at + 1).to_string()));
        }
        nodes
    };
    for (first, more) in
        [("Softmax", &["Log"][..]), ("LogSoftmax", &[]), ("Softmax", &["Identity", "Log"])]
    {
        read(&nodes(first, more), None, &[4]).network.unwrap();
    }
    for (first, more) in
        [("LogSoftmax", &["Log"][..]), ("Softmax", &["Log", "Log"]), ("Sigmoid", &["Log"])]
    {
        refused(&nodes(first, more), None, &[4], "(`Log`)");
    }
}
