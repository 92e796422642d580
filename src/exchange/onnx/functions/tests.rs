use crate::{
    exchange::onnx::{Model, message::Message},
    nn::{Activation, EluAlpha, NegativeSlope},
};

/// The numbers of the graphs, by name.
const NUMBERS: [(&str, f32); 15] = [
    ("zero", 0.0),
    ("tiny", 1e-4),
    ("tenth", 0.1),
    ("half", 0.5),
    ("one", 1.0),
    ("two", 2.0),
    ("three", 3.0),
    ("root", std::f32::consts::SQRT_2),
    ("beta", 1.702),
    ("cube", 0.044_715),
    ("scale", 0.797_884_6),
    ("limit", 20.0),
    ("hundred", 100.0),
    ("steep", 1e4),
    ("minus_one", -1.0),
];

/// The tensors of zeros in the graphs, by name.
const ZEROS: [(&str, &[u64]); 4] =
    [("zero_each", &[2]), ("zero_row", &[1, 2]), ("zero_rows", &[5, 2]), ("zero_more", &[1, 1, 2])];

fn tensor(name: &str, shape: &[u64], numbers: &[f32]) -> Message<'static> {
    let dims = shape.iter().fold(Message::new(), |dims, &size| dims.int(1, size));
    let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
    dims.int(2, 1).bytes(8, name).bytes(9, bytes)
}

fn value_info(name: &str) -> Message<'static> {
    let size = |size| Message::new().int(1, size);
    let shape = Message::new().message(1, Message::new().bytes(2, "rows")).message(1, size(2));
    let tensor = Message::new().int(1, 1).message(2, shape);
    Message::new().bytes(1, name).message(2, Message::new().message(1, tensor))
}

/// The hidden activation of a network whose hidden layer computes `z`, and whose output layer
/// takes `h`. The nodes between them are written as `operator input input output`, where the
/// operator `Cast(9)` is a `Cast` to kind 9.
fn read(nodes: &[&str]) -> Result<Activation, String> {
    let mut graph = Message::new();
    for node in [&["Gemm x w z"], nodes, &["Gemm h w y"]].concat() {
        let words: Vec<&str> = node.split(' ').collect();
        let [operator, inputs @ .., output] = &words[..] else { panic!("{node}") };
        let inputs = inputs.iter().fold(Message::new(), |all, input| all.bytes(1, input));
        let (operator, to) = operator.split_once('(').unwrap_or((operator, ""));
        let mut node = inputs.bytes(2, output).bytes(4, operator);
        if let Some(to) = to.strip_suffix(')') {
            let to = Message::new().bytes(1, "to").int(3, to.parse().unwrap());
            node = node.message(5, to.int(20, 2));
        }
        graph = graph.message(1, node);
    }
    graph = graph.message(5, tensor("w", &[2, 2], &[1.0, -0.5, 0.25, 2.0]));
    for (name, number) in NUMBERS {
        graph = graph.message(5, tensor(name, &[], &[number]));
    }
    for (name, shape) in ZEROS {
        let count: u64 = shape.iter().product();
        graph = graph.message(5, tensor(name, shape, &vec![0.0; count as usize]));
    }
    let graph = graph.message(11, value_info("x")).message(12, value_info("y"));
    let opset = Message::new().int(2, 13);
    let model = Message::new().int(1, 7).message(7, graph).message(8, opset);
    let mut bytes = Vec::new();
    let written = model.write(|part| {
        bytes.extend_from_slice(part);
        Ok(())
    });
    written.unwrap();
    let model = Model::from_bytes(bytes);
    let network = model.network(None).map_err(|error| error.to_string())?;
    assert_eq!(network.widths(), [2, 2, 2]);
    Ok(network.activations()[0])
}

#[test]
fn functions_are_recognised_however_they_are_spelled() {
    let gelu = Activation::Gelu;
    let elu = Activation::Elu(EluAlpha::DEFAULT);
    let tanh =
        ["Add z c d", "Mul d scale e", "Tanh e f", "Add f one g", "Mul z g i", "Mul half i h"];
    let cases: &[(&[&str], Activation)] = &[
        (&["Sigmoid z s", "Mul z s h"], Activation::Silu),
        (&["Sigmoid z s", "Mul s z h"], Activation::Silu),
        (
            &["Neg z n", "Exp n e", "Add one e d", "Div z d h", "Identity z unused"],
            Activation::Silu,
        ),
        (&["Div z root a", "Erf a b", "Add b one c", "Mul z c d", "Mul d half h"], gelu),
        (&["Mul z half d", "Div z root a", "Erf a b", "Add one b c", "Mul d c h"], gelu),
        (&[&["Pow z three b", "Mul b cube c"], &tanh[..]].concat(), Activation::GeluTanh),
        (&[&["Mul z z a", "Mul z a b", "Mul cube b c"], &tanh[..]].concat(), Activation::GeluTanh),
        (
            &["Exp z e", "Add e one a", "Log a l", "Greater z limit g", "Where g z l h"],
            Activation::Softplus,
        ),
        (&["Exp z e", "Sub e one b", "Greater z zero g", "Where g z b h"], elu),
    ];
    for (nodes, activation) in cases {
        assert_eq!(read(nodes), Ok(*activation), "{nodes:?}");
    }
}

#[test]
fn rectifiers_are_recognised_however_they_are_spelled() {
    let cases: &[&[&str]] = &[
        &["Greater z zero g", "Where g z zero h"],
        &["GreaterOrEqual z zero g", "Where g z zero h"],
        &["LessOrEqual z zero g", "Where g zero z h"],
        &["Less z zero g", "Cast(9) g c", "Where c zero z h"],
        &["Less z zero g", "Not g n", "Where n z zero h"],
        &["Greater zero z g", "Where g zero z h"],
        &["Greater z zero g", "Cast(1) g c", "Mul z c h"],
        &["Greater z zero g", "Cast(6) g i", "Cast(1) i c", "Mul c z h"],
        &["Greater z zero g", "CastLike g z c", "Mul z c h"],
        &["Greater z zero g", "Shape z s", "Expand zero s o", "Where g z o h"],
        &["Greater z zero g", "Shape z s", "ConstantOfShape s o", "Where g z o h"],
        &["Greater z zero g", "Where g z zero_each h"],
        &["Greater z zero g", "Where g z zero_row h"],
        &["Greater z zero_rows g", "Where g z zero_rows h"],
        &["Cast(1) zero o", "Greater z o g", "Where g z o h"],
        &["Abs z a", "Add z a b", "Mul b half h"],
        &["Neg z n", "Abs z a", "Sub a n b", "Div b two h"],
    ];
    for nodes in cases {
        assert_eq!(read(nodes), Ok(Activation::Relu), "{nodes:?}");
    }
    let leaky = Activation::LeakyRelu(NegativeSlope::new(0.1).unwrap());
    let cases: &[&[&str]] = &[
        &["Mul z tenth m", "Max z m h"],
        &["Mul z tenth m", "Greater z zero g", "Where g z m h"],
        &["Max z zero p", "Min z zero n", "Mul n tenth m", "Add p m h"],
        &["Relu z p", "Neg z n", "Relu n r", "Mul r tenth m", "Sub p m h"],
    ];
    for nodes in cases {
        assert_eq!(read(nodes), Ok(leaky), "{nodes:?}");
    }
}

#[test]
fn functions_that_are_almost_an_activation_are_refused() {
    const TWO_ROWS: &str = "expected only one input that is not constant";
    const WHOLE: &str = "casts to INT64: expected a kind of float";
    const UNSUPPORTED: &str = "unsupported operator";
    let cases: &[(&[&str], &str)] = &[
        // A GELU by the logistic, which differs from both GELUs by up to 0.02.
        (&["Mul z beta a", "Sigmoid a s", "Mul z s h"], TWO_ROWS),
        (&["Sigmoid z s", "Mul s s h"], TWO_ROWS),
        (&["Mul z z h"], TWO_ROWS),
        // Its logistic is used once more.
        (&["Sigmoid z s", "Mul z s a", "Add a s h"], TWO_ROWS),
        // Its input is used once more.
        (&["Sigmoid z s", "Mul z s a", "Mul z a h"], TWO_ROWS),
        // It differs from a ReLU only near 0.
        (&["Greater z tiny g", "Where g z zero h"], UNSUPPORTED),
        (&["Mul z steep a", "Sigmoid a s", "Mul z s h"], TWO_ROWS),
        // It differs only for large numbers.
        (&["Greater z hundred g", "Softplus z l", "Where g hundred l h"], UNSUPPORTED),
        (&["Greater z hundred g", "Relu z l", "Where g hundred l h"], UNSUPPORTED),
        (&["Mul z minus_one m", "Max z m h"], TWO_ROWS),
        (&["Greater z zero g", "Where g zero z h"], UNSUPPORTED),
        (&["Greater z zero g", "Where g z one h"], UNSUPPORTED),
        // A number that is no comparison's result loses its fraction.
        (&["Cast(7) z i", "Cast(1) i c", "Max z c h"], WHOLE),
        // The result has one more dimension than the rows.
        (&["Greater z zero g", "Where g z zero_more h"], UNSUPPORTED),
    ];
    for (nodes, words) in cases {
        let refused = read(nodes).unwrap_err();
        assert!(refused.contains(words), "{nodes:?}: {refused}");
    }
}
