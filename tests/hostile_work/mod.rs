//! Small graphs that need much work.

use std::time::{Duration, Instant};

use super::{
    fits,
    hostile_files::writer::{Message, bare, floats, model, node, value_info, with_int},
    measured, onnx,
};

/// The maximum time for one of them. On an idle machine each takes at most a second.
const LONGEST: Duration = Duration::from_secs(20);

/// The units of a wide layer: a small file may ask for two such layers.
const WIDE: usize = 1 << 16;

/// A chain of nodes that begins with `x`.
#[derive(Default)]
struct Chain {
    nodes: Vec<Message>,
    tensors: Vec<Message>,
}

impl Chain {
    /// Adds a node that takes the last value and `others`.
    fn then(mut self, op: &str, others: &[&str]) -> Self {
        let last = self.last();
        let inputs = [&[last.as_str()], others].concat();
        let output = format!("v{}", self.nodes.len() + 1);
        self.nodes.push(node(op, &inputs, &output));
        self
    }

    fn times(self, n: usize, op: &str, others: &[&str]) -> Self {
        (0..n).fold(self, |chain, _| chain.then(op, others))
    }

    fn last(&self) -> String {
        if self.nodes.is_empty() { "x".to_owned() } else { format!("v{}", self.nodes.len()) }
    }

    fn tensor(mut self, tensor: Message) -> Self {
        self.tensors.push(tensor);
        self
    }

    fn ints(self, name: &str, numbers: &[i64]) -> Self {
        let raw: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        self.tensor(bare(name, 7, &[numbers.len() as u64]).bytes(9, raw))
    }

    /// The graph as a file, for rows of one number.
    fn file(self) -> Vec<u8> {
        let output = value_info(&self.last(), 1, &[]);
        let graph = self.nodes.into_iter().fold(Message::default(), |g, n| g.message(1, n));
        let graph = self.tensors.into_iter().fold(graph, |g, tensor| g.message(5, tensor));
        model(20, graph.message(11, value_info("x", 1, &[0, 1])).message(12, output)).0
    }
}

/// Layers 1-WIDE-1, and the nodes of `between`, which may take `wide` numbers.
fn wide(between: impl Fn(Chain) -> Chain) -> Vec<u8> {
    let ones = vec![1.0; WIDE];
    let chain = Chain::default().tensor(floats("in", &[1, WIDE as u64], &ones));
    let chain = chain.tensor(floats("out", &[WIDE as u64, 1], &ones));
    let chain = chain.tensor(floats("ones", &[WIDE as u64], &ones));
    let chain = chain.tensor(floats("zeros", &[WIDE as u64], &vec![0.0; WIDE]));
    // 16-bit numbers as varints, which have to be read to count them.
    let packed = bare("packed", 10, &[WIDE as u64]).bytes(5, [0x80, 0x78].repeat(WIDE));
    between(chain.tensor(packed).then("MatMul", &["in"])).then("MatMul", &["out"]).file()
}

fn narrow() -> Chain {
    Chain::default().tensor(floats("w", &[1, 1], &[1.0]))
}

/// Each is read or refused in little time and memory; `Some` is a part of the reason.
pub fn expensive_graphs_take_little_time_and_memory() {
    let folded = |constant| {
        wide(|chain| {
            chain.times(64, "Mul", &[constant]).then("Relu", &[]).times(64, "Add", &[constant])
        })
    };
    let long = "n".repeat(1 << 20);
    let mut names = narrow();
    for _ in 0..8 {
        let relu = Message::default().bytes(1, names.last()).bytes(3, &long).bytes(4, &long);
        let output = format!("v{}", names.nodes.len() + 1);
        names.nodes.push(relu.bytes(2, output));
    }
    let sizes = narrow().ints("16", &[1; 16]).then("Shape", &[]).times(3900, "Mul", &["16"]);
    let mut inferred = narrow().ints("to", &[0, -1]);
    for _ in 0..1900 {
        inferred = inferred.then("Reshape", &["to"]);
    }
    let spelled_out = |mut chain: Chain| {
        for _ in 0..1900 {
            let row = chain.last();
            chain = chain.then("Greater", &["zeros"]);
            let inputs = [&chain.last(), &row, "zeros"];
            let output = format!("v{}", chain.nodes.len() + 1);
            chain.nodes.push(node("Where", &inputs, &output));
        }
        chain
    };
    let cases = [
        ("spelled out", wide(spelled_out), None),
        ("maxima", wide(|chain| chain.times(3900, "Max", &["zeros"])), None),
        ("folded", folded("ones"), None),
        ("folded and packed", folded("packed"), None),
        (
            "too much folded",
            wide(|chain| chain.times(3900, "Mul", &["packed"])),
            Some("more than 64 elementwise operations"),
        ),
        ("names", names.file(), Some("unsupported operator: expected one of Gemm")),
        (
            "sizes",
            {
                let chain = sizes;
                let shape = chain.last();
                let mut chain = chain;
                chain.nodes.push(node("Reshape", &["x", &shape], "v3902"));
                chain.file()
            },
            Some("expected"),
        ),
        ("reshaped", inferred.then("MatMul", &["w"]).file(), None),
        (
            "dimensions",
            narrow().ints("axes", &[1; 1]).times(3900, "Unsqueeze", &["axes"]).file(),
            Some("17 dimensions: expected at most 16"),
        ),
        (
            "own layers",
            narrow().then("MatMul", &["w"]).times(2000, "Tanh", &[]).then("MatMul", &["w"]).file(),
            None,
        ),
        (
            "too many own layers",
            narrow().times(3900, "Tanh", &[]).then("MatMul", &["w"]).file(),
            Some("padded to multiples of 64"),
        ),
        (
            "shapes of much",
            {
                let mut chain = narrow();
                chain.nodes.extend((0..1900).map(|i| node("Shape", &["x"], &format!("s{i}"))));
                chain.nodes.extend((0..1900).map(|i| {
                    with_int(
                        node("Gather", &[&format!("s{i}"), &format!("s{i}")], &format!("g{i}")),
                        "axis",
                        0,
                    )
                }));
                chain.nodes.push(node(
                    "MatMul",
                    &["x", "w"],
                    &format!("v{}", chain.nodes.len() + 1),
                ));
                chain.file()
            },
            None,
        ),
    ];
    for (name, bytes, words) in cases {
        let start = Instant::now();
        let (read, most) = measured(&bytes, onnx);
        let took = start.elapsed();
        println!("{name}: {took:?}");
        match (read, words) {
            (Ok(_), None) => {}
            (Err(reason), Some(words)) => {
                assert!(reason.contains(words), "{name}: {reason}");
                assert!(reason.len() < 2000, "{name}: a reason of {} bytes", reason.len());
            }
            (read, words) => panic!("{name}: {:?}, not {words:?}", read.map(|mlp| mlp.depth())),
        }
        fits(name, bytes.len(), most);
        assert!(took < LONGEST, "{name}: {took:?}");
    }
}
