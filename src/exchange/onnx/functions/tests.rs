use crate::{
    exchange::onnx::{Model, message::Message},
    nn::Activation,
};

/// The numbers of the graphs, by name.
const NUMBERS: [(&str, f32); 9] = [
    ("half", 0.5),
    ("one", 1.0),
    ("two", 2.0),
    ("three", 3.0),
    ("root", std::f32::consts::SQRT_2),
    ("beta", 1.702),
    ("cube", 0.044_715),
    ("scale", 0.797_884_6),
    ("limit", 20.0),
];

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
/// takes `h`. The nodes between them are written as `operator input input output`.
fn read(nodes: &[&str]) -> Result<Activation, String> {
    let mut graph = Message::new();
    for node in [&["Gemm x w z"], nodes, &["Gemm h w y"]].concat() {
        let words: Vec<&str> = node.split(' ').collect();
        let [operator, inputs @ .., output] = &words[..] else { panic!("{node}") };
        let inputs = inputs.iter().fold(Message::new(), |all, input| all.bytes(1, input));
        graph = graph.message(1, inputs.bytes(2, output).bytes(4, operator));
    }
    graph = graph.message(5, tensor("w", &[2, 2], &[1.0, -0.5, 0.25, 2.0]));
    for (name, number) in NUMBERS {
        graph = graph.message(5, tensor(name, &[], &[number]));
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
    ];
    for (nodes, activation) in cases {
        assert_eq!(read(nodes), Ok(*activation), "{nodes:?}");
    }
}

#[test]
fn functions_that_are_almost_an_activation_are_refused() {
    let cases: &[&[&str]] = &[
        // A GELU by the logistic, which differs from both GELUs by up to 0.02.
        &["Mul z beta a", "Sigmoid a s", "Mul z s h"],
        &["Sigmoid z s", "Mul s s h"],
        &["Mul z z h"],
        // Its logistic is used once more.
        &["Sigmoid z s", "Mul z s a", "Add a s h"],
        // Its input is used once more.
        &["Sigmoid z s", "Mul z s a", "Mul z a h"],
    ];
    for nodes in cases {
        let refused = read(nodes).unwrap_err();
        let words = "expected only one input that is not constant";
        assert!(refused.contains(words), "{nodes:?}: {refused}");
    }
}
