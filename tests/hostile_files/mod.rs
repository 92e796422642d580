//! Files of other programs, good ones and malformed ones, for `tests/hostile.rs` and as seeds of the
//! fuzz targets (`fuzz/examples/files.rs` includes this file).

pub mod external;
pub mod writer;

use std::fmt::Write;

use writer::{Message, bare, floats, model, node, value_info, with_float, with_int};

/// A file, and a part of the reason for which it is refused.
pub struct Hostile {
    pub name: &'static str,
    pub bytes: Vec<u8>,
    pub words: &'static str,
}

fn hostile(name: &'static str, bytes: Vec<u8>, words: &'static str) -> Hostile {
    Hostile { name, bytes, words }
}

/// A safetensors file with this header and `data` zero bytes of data.
fn safetensors(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

/// A tensor in a header.
fn entry(name: &str, dtype: &str, shape: &str, from: u64, to: u64) -> String {
    format!(r#""{name}":{{"dtype":"{dtype}","shape":[{shape}],"data_offsets":[{from},{to}]}}"#)
}

fn of_entries(entries: &[String], data: usize) -> Vec<u8> {
    safetensors(&format!("{{{}}}", entries.join(",")), data)
}

/// A state dict of layers 2-3-2, which can be read with one hidden layer.
pub fn good_torch() -> Vec<u8> {
    of_entries(&two_layers(), 68)
}

fn two_layers() -> Vec<String> {
    vec![
        entry("0.weight", "F32", "3,2", 0, 24),
        entry("0.bias", "F32", "3", 24, 36),
        entry("2.weight", "F32", "2,3", 36, 60),
        entry("2.bias", "F32", "2", 60, 68),
    ]
}

/// The good file with one entry of its header replaced.
fn with_entry(index: usize, entry: &str, data: usize) -> Vec<u8> {
    let mut entries = two_layers();
    entries[index] = entry.to_owned();
    of_entries(&entries, data)
}

/// Consecutive tensors that end at 2^64 - 1, to which the crate adds the length of the header.
fn up_to_the_last_byte() -> Vec<String> {
    let size = u64::MAX >> 4;
    let mut entries: Vec<String> = (0..16)
        .map(|i| entry(&format!("{i}"), "U8", &size.to_string(), i * size, (i + 1) * size))
        .collect();
    entries.push(entry("last", "U8", "15", 16 * size, u64::MAX));
    entries
}

/// State dicts that are refused.
pub fn torch() -> Vec<Hostile> {
    let good = good_torch();
    let with_length = |length: u64| {
        let mut bytes = good.clone();
        bytes[..8].copy_from_slice(&length.to_le_bytes());
        bytes
    };
    let with_number = |at_end: usize, number: [u8; 4]| {
        let mut bytes = good.clone();
        let at = bytes.len() - at_end;
        bytes[at..at + 4].copy_from_slice(&number);
        bytes
    };
    let mut half_nan = of_entries(
        &[entry("0.weight", "F16", "1,1", 0, 2), entry("2.weight", "BF16", "1,1", 2, 4)],
        4,
    );
    let end = half_nan.len();
    half_nan[end - 3] = 0x7e;
    let many = |n: usize, one: &dyn Fn(usize) -> String| {
        let entries: Vec<String> = (0..n).map(one).collect();
        of_entries(&entries, 0)
    };
    let nothing = |name: &str| entry(name, "F32", "0", 0, 0);
    let many_dimensions = vec!["1"; 500_000].join(",");
    let long = "x".repeat(2_000_000);
    let mut keys = String::new();
    for i in 0..200_000 {
        write!(keys, r#""{i}":"","#).unwrap();
    }
    let wide = 3_000_000;
    vec![
        hostile("bad-empty", Vec::new(), "or an ONNX graph; this is an empty file"),
        hostile(
            "bad-truncated-data",
            good[..good.len() - 1].to_vec(),
            "byte 68, but only 67 bytes follow the header",
        ),
        hostile("bad-truncated-header", good[..40].to_vec(), "but only 32 follow its length"),
        hostile("bad-more-data", [good.as_slice(), &[0]].concat(), "not a safetensors file"),
        hostile("bad-header-length", with_length(u64::MAX), "a file of unknown format"),
        hostile("bad-header-short", with_length(9), "not a safetensors file"),
        hostile("bad-header-list", safetensors("[]", 0), "a file of unknown format"),
        hostile("bad-header-text", safetensors("{\"0.weight\"}", 0), "not a safetensors file"),
        hostile("bad-header-deep", safetensors(&"{\"a\":".repeat(200_000), 0), "unknown field"),
        hostile("bad-no-tensors", safetensors("{}", 0), "no tensors"),
        hostile(
            "bad-dtype-integers",
            with_entry(0, &entry("0.weight", "I32", "3,2", 0, 24), 68),
            "0.weight is I32 [3, 2]: expected F32",
        ),
        hostile(
            "bad-dtype-double",
            with_entry(0, &entry("0.weight", "F64", "3,1", 0, 24), 68),
            "0.weight is F64",
        ),
        hostile(
            "bad-dtype-unknown",
            with_entry(0, &entry("0.weight", "F33", "3,2", 0, 24), 68),
            "F33",
        ),
        hostile(
            "bad-duplicate",
            with_entry(2, &entry("0.weight", "F32", "3,2", 36, 60), 68),
            "0.weight occurs twice",
        ),
        hostile(
            "bad-overlap",
            with_entry(1, &entry("0.bias", "F32", "3", 20, 32), 68),
            "not a safetensors file",
        ),
        hostile(
            "bad-gap",
            with_entry(3, &entry("2.bias", "F32", "2", 64, 72), 72),
            "not a safetensors file",
        ),
        hostile(
            "bad-end-overflows",
            of_entries(&up_to_the_last_byte(), 0),
            "a tensor ends at byte 18446744073709551615, but only 0 bytes",
        ),
        hostile(
            "bad-offset-too-large",
            with_entry(3, r#""2.bias":{"dtype":"F32","shape":[2],"data_offsets":[60,1e30]}"#, 68),
            "not a safetensors file",
        ),
        hostile(
            "bad-shape-overflows",
            with_entry(0, &entry("0.weight", "F32", "4294967296,4294967296", 0, 24), 68),
            "not a safetensors file",
        ),
        hostile(
            "bad-shape-negative",
            with_entry(0, &entry("0.weight", "F32", "-3,-2", 0, 24), 68),
            "not a safetensors file",
        ),
        hostile(
            "bad-shape-of-vector",
            with_entry(0, &entry("0.weight", "F32", "6", 0, 24), 68),
            "0.weight is F32 [6]: expected the weight of a linear layer, [outputs, inputs]",
        ),
        hostile(
            "bad-shape-of-bias",
            with_entry(1, &entry("0.bias", "F32", "3,1", 24, 36), 68),
            "0.bias is F32 [3, 1]: expected F32, F16 or BF16 [3]",
        ),
        hostile(
            "bad-shape-does-not-fit",
            with_entry(2, &entry("2.weight", "F32", "3,2", 36, 60), 68),
            "2.bias is F32 [2]: expected F32, F16 or BF16 [3]",
        ),
        hostile(
            "bad-width-0",
            of_entries(&[nothing("0.bias"), entry("0.weight", "F32", "0,9", 0, 0)], 0),
            "0.weight is F32 [0, 9]: expected at least one",
        ),
        hostile(
            "bad-orphan",
            with_entry(0, &entry("1.weight", "F32", "3,2", 0, 24), 68),
            "0.bias is F32 [3]: expected 0.weight too",
        ),
        hostile(
            "bad-other-tensor",
            with_entry(3, &entry("2.running_mean", "F32", "2", 60, 68), 68),
            "2.running_mean is F32 [2]: expected a `weight` or a `bias`",
        ),
        hostile("bad-nan", with_number(20, [0, 0, 0xc0, 0x7f]), "2.weight holds NaN"),
        hostile("bad-infinite", with_number(4, [0, 0, 0x80, 0xff]), "2.bias holds -inf"),
        hostile("bad-nan-f16", half_nan, "0.weight holds NaN"),
        hostile(
            "bad-many-layers",
            many(9000, &|i| entry(&format!("{i}.weight"), "F32", "0,0", 0, 0)),
            "expected at least one input",
        ),
        hostile("bad-many-tensors", many(100_000, &|i| nothing(&i.to_string())), "more than 20000"),
        hostile(
            "bad-many-dimensions",
            of_entries(&[entry("0.weight", "F32", &many_dimensions, 0, 4)], 4),
            "at most 8 sizes",
        ),
        hostile(
            "bad-many-keys",
            safetensors(&format!(r#"{{"__metadata__":{{{keys}"z":""}}}}"#), 0),
            "metadata keys",
        ),
        hostile(
            "bad-unknown-field",
            with_entry(
                0,
                &format!(
                    r#""0.weight":{{"dtype":"F32","shape":[3,2],"x":[{many_dimensions}],"data_offsets":[0,24]}}"#
                ),
                68,
            ),
            "unknown field `x`",
        ),
        hostile("bad-long-name", of_entries(&[nothing(&long)], 0), "a name of 2000000 bytes"),
        hostile(
            "bad-long-field",
            with_entry(
                0,
                &format!(
                    r#""0.weight":{{"dtype":"F32","shape":[3,2],"{long}":0,"data_offsets":[0,24]}}"#
                ),
                68,
            ),
            "unknown field `xxx",
        ),
        hostile(
            "bad-long-dtype",
            of_entries(&[entry("0.weight", &long, "1", 0, 4)], 4),
            "unknown variant `xxx",
        ),
        hostile(
            "bad-long-header",
            safetensors(&format!("{{{}", " ".repeat(17 << 20)), 0),
            "header of",
        ),
        hostile(
            "bad-thin",
            of_entries(
                &[
                    entry("0.weight", "F16", &format!("{wide},1"), 0, 2 * wide),
                    entry("2.weight", "F16", &format!("2,{wide}"), 2 * wide, 6 * wide),
                ],
                6 * wide as usize,
            ),
            "padded to multiples of 64",
        ),
    ]
}

/// A graph from `x` to `y`.
#[derive(Clone)]
struct Graph {
    /// The kind of the elements of `x`: 1 is FLOAT.
    kind: u64,
    nodes: Vec<Message>,
    tensors: Vec<Message>,
    more: Message,
}

impl Graph {
    /// Two layers, 2-3-2.
    fn good() -> Self {
        let dropout = node("Dropout", &["h", "ratio"], "d");
        Self {
            kind: 1,
            nodes: vec![
                node("Gemm", &["x", "w", "b"], "z"),
                node("Relu", &["z"], "h"),
                dropout,
                node("MatMul", &["d", "v"], "m"),
                node("Add", &["m", "c"], "s"),
                node("Softmax", &["s"], "y"),
            ],
            tensors: vec![
                floats("w", &[2, 3], &[1.0, -2.0, 3.0, 0.5, 0.25, -1.5]),
                floats("b", &[3], &[0.5, 0.0, -0.5]),
                floats("ratio", &[], &[0.5]),
                floats("v", &[3, 2], &[1.0, 0.0, 2.0, 0.0, 0.0, 3.0]),
                floats("c", &[1, 2], &[0.125, -0.125]),
            ],
            more: Message::default(),
        }
    }

    fn with_node(mut self, index: usize, node: Message) -> Self {
        self.nodes[index] = node;
        self
    }

    fn with_tensor(mut self, index: usize, tensor: Message) -> Self {
        self.tensors[index] = tensor;
        self
    }

    fn with(mut self, more: impl FnOnce(Message) -> Message) -> Self {
        self.more = more(self.more);
        self
    }

    fn graph(&self) -> Message {
        let graph =
            self.nodes.iter().cloned().fold(Message::default(), |g, node| g.message(1, node));
        let graph = self.tensors.iter().cloned().fold(graph, |g, tensor| g.message(5, tensor));
        let graph = graph.message(11, value_info("x", self.kind, &[9, 2]));
        let mut graph = graph.message(12, value_info("y", 1, &[9, 2]));
        graph.0.extend(&self.more.0);
        graph
    }

    fn file(&self) -> Vec<u8> {
        model(20, self.graph()).0
    }
}

/// A graph of layers that share one matrix of `width` by `width`.
pub fn shared(layers: usize, width: usize) -> Vec<u8> {
    let value = |i: usize| if i == 0 { "x".to_owned() } else { format!("z{i}") };
    let nodes = (0..layers).map(|i| node("MatMul", &[&value(i), "w"], &value(i + 1)));
    let graph = nodes.fold(Message::default(), |graph, node| graph.message(1, node));
    let dims = [width as u64; 2];
    let graph = graph.message(5, floats("w", &dims, &vec![0.0; width * width]));
    let graph = graph.message(11, value_info("x", 1, &[9, width as u64]));
    model(20, graph.message(12, value_info(&value(layers), 1, &[9, width as u64]))).0
}

/// Graphs that are read.
pub fn good_onnx() -> Vec<(&'static str, Vec<u8>)> {
    let good = Graph::good();
    let f16 = bare("v", 10, &[3, 2]).bytes(5, [0x80, 0x78, 0, 0x80, 0x80, 1, 0, 0, 0x80, 0x44]);
    let norm = node("BatchNormalization", &["m", "c", "c", "c", "one"], "s");
    let one = floats("one", &[2], &[1.0, 4.0]);
    let input = node("Dropout", &["x", "ratio"], "i");
    let mut dropped = good.clone().with_node(0, node("Gemm", &["i", "w", "b"], "z"));
    dropped.nodes.push(input);
    let mut normalised = good.clone().with_node(4, norm);
    normalised.tensors.push(one);
    let ints = |name: &str, dims: &[u64], values: &[i64]| {
        let raw: Vec<u8> = values.iter().flat_map(|n| n.to_le_bytes()).collect();
        bare(name, 7, dims).bytes(9, raw)
    };
    // `x.view(x.size(0), -1)`
    let mut flattened = good.clone().with_node(0, node("Gemm", &["i", "w", "b"], "z"));
    flattened.nodes.extend([
        node("Shape", &["x"], "sizes"),
        node("Gather", &["sizes", "0"], "n"),
        node("Unsqueeze", &["n", "[0]"], "rows"),
        with_int(node("Concat", &["rows", "[-1]"], "to"), "axis", 0),
        node("Reshape", &["x", "to"], "i"),
    ]);
    flattened.tensors.extend([
        ints("0", &[], &[0]),
        ints("[0]", &[1], &[0]),
        ints("[-1]", &[1], &[-1]),
    ]);
    // The same with a size that `Slice` and `Div` compute.
    let mut divided = good.clone().with_node(0, node("Gemm", &["i", "w", "b"], "z"));
    divided.nodes.extend([
        node("Shape", &["x"], "sizes"),
        node("Size", &["x"], "all"),
        node("Slice", &["sizes", "[0]", "[1]"], "rows"),
        node("Div", &["all", "rows"], "columns"),
        with_int(node("Concat", &["rows", "columns"], "to"), "axis", 0),
        node("Reshape", &["x", "to"], "i"),
    ]);
    divided.tensors.extend([ints("[0]", &[1], &[0]), ints("[1]", &[1], &[1])]);
    // Scaled inputs, `clamp(min=0)` and a temperature.
    let mut scaled = good.clone().with_node(0, node("Gemm", &["i", "w", "b"], "z"));
    scaled = scaled.with_node(1, node("Clip", &["z", "zero"], "h"));
    scaled = scaled.with_node(5, node("Softmax", &["t"], "y"));
    scaled.nodes.extend([
        node("Sub", &["x", "means"], "r"),
        node("Div", &["r", "deviations"], "i"),
        node("Mul", &["ratio", "s"], "t"),
    ]);
    scaled.tensors.extend([
        floats("means", &[2], &[0.5, -0.25]),
        floats("deviations", &[1, 2], &[2.0, 0.5]),
        floats("zero", &[], &[0.0]),
    ]);
    // Whole numbers as the inputs, which are sliced and gathered before they become floats.
    let mut whole = good.clone().with_node(0, node("Gemm", &["i", "w", "b"], "z"));
    whole.kind = 7;
    whole.nodes.extend([
        node("Slice", &["x", "[0]", "[2^31]"], "sliced"),
        node("Unsqueeze", &["sliced", "[1]"], "more"),
        with_int(node("Gather", &["more", "0"], "gathered"), "axis", 1),
        with_int(node("Cast", &["gathered"], "i"), "to", 1),
    ]);
    whole.tensors.extend([
        ints("[0]", &[1], &[0]),
        ints("[2^31]", &[1], &[1 << 31]),
        ints("[1]", &[1], &[1]),
        ints("0", &[], &[0]),
    ]);
    let raw = [1.0_f64, -2.0, 3.0, 0.5, 0.25, 0.1].map(f64::to_le_bytes).concat();
    let double = bare("w", 11, &[2, 3]).bytes(9, raw);
    vec![
        ("two-layers", good.file()),
        ("flattened", flattened.file()),
        ("flattened-divided", divided.file()),
        ("scaled", scaled.file()),
        ("whole-numbers", whole.file()),
        ("double", good.clone().with_tensor(0, double).file()),
        ("f16-as-numbers", good.clone().with_tensor(3, f16).file()),
        ("normalised", normalised.file()),
        ("input-dropped", dropped.file()),
        ("leaky", good.clone().with_node(1, node("LeakyRelu", &["z"], "h")).file()),
        (
            "own-layer",
            good.clone()
                .with_node(1, node("Dropout", &["z", "ratio"], "h"))
                .with_node(2, node("Tanh", &["h"], "d"))
                .file(),
        ),
        ("sigmoid", good.with_node(5, node("Sigmoid", &["s"], "y")).file()),
    ]
}

/// Graphs that are refused.
pub fn onnx() -> Vec<Hostile> {
    let good = Graph::good();
    let file = good.file();
    let start = |bytes: &[u8]| [&[8, 10][..], bytes].concat();
    let of_node = |index: usize, node: Message| good.clone().with_node(index, node).file();
    let of_tensor = |index: usize, tensor: Message| good.clone().with_tensor(index, tensor).file();
    let weight = |dims: &[u64], values: &[f32]| of_tensor(0, floats("w", dims, values));
    let gemm = || node("Gemm", &["x", "w", "b"], "z");
    let six = [1.0; 6];
    // Nested graphs, as in `If`, 20,000 deep, built from the inside out.
    let mut deep = Message::default();
    for _ in 0..20_000 {
        let inner = Message::default().bytes(1, "then_branch").message(6, deep);
        deep = Message::default().message(1, Message::default().bytes(4, "If").message(5, inner));
    }
    let branch = Message::default().bytes(1, "then_branch").message(6, deep);
    let long = "n".repeat(1_000_000);
    let mut circle = good.clone().with_node(0, node("Gemm", &["s", "w", "b"], "z"));
    circle.nodes[5] = node("Softmax", &["s"], "y");
    let many = |field: u64, n: usize| {
        model(20, (0..n).fold(Message::default(), |graph, _| graph.bytes(field, []))).0
    };
    let wide = 2_000_000;
    // A node between the input and the first layer.
    let before = |node: Message| {
        let mut graph = good.clone().with_node(0, self::node("Gemm", &["i", "w", "b"], "z"));
        graph.nodes.push(node);
        graph.file()
    };
    let reshaped = |shape: &[i64]| {
        let raw: Vec<u8> = shape.iter().flat_map(|n| n.to_le_bytes()).collect();
        let mut graph = good.clone().with_node(0, node("Gemm", &["i", "w", "b"], "z"));
        graph.nodes.push(node("Reshape", &["x", "shape"], "i"));
        graph.tensors.push(bare("shape", 7, &[shape.len() as u64]).bytes(9, raw));
        graph.file()
    };
    // The shape of a `Reshape`, concatenated along `axis`.
    let concatenated = |axis: Option<u64>| {
        let concat = node("Concat", &["two", "two"], "shape");
        let concat = axis.into_iter().fold(concat, |concat, axis| with_int(concat, "axis", axis));
        let mut graph = good.clone().with_node(0, node("Gemm", &["i", "w", "b"], "z"));
        graph.nodes.extend([concat, node("Reshape", &["x", "shape"], "i")]);
        graph.tensors.push(bare("two", 7, &[1]).bytes(9, 2_i64.to_le_bytes()));
        graph.file()
    };
    let of_input = |kind: u64, sizes: &[u64]| {
        let graph =
            good.nodes.iter().cloned().fold(Message::default(), |g, node| g.message(1, node));
        let graph = good.tensors.iter().cloned().fold(graph, |g, tensor| g.message(5, tensor));
        let graph = graph.message(11, value_info("x", kind, sizes));
        model(20, graph.message(12, value_info("y", 1, &[9, 2]))).0
    };
    let passed_on = Message::default()
        .message(1, node("Identity", &["x"], "y"))
        .message(11, value_info("x", 1, &[9, 2]))
        .message(12, value_info("y", 1, &[9, 2]));
    let norm = |mean: &str, variance: f32| {
        let norm = node("BatchNormalization", &["m", "c", "c", mean, "v2"], "s");
        let mut graph = good.clone().with_node(4, norm);
        graph.tensors.push(floats("v2", &[2], &[1.0, variance]));
        graph.file()
    };
    vec![
        hostile("bad-empty", Vec::new(), "no graph"),
        hostile("bad-no-graph", start(&[]), "no graph"),
        hostile("bad-text", start(b"neither"), "not a valid ONNX model"),
        hostile("bad-truncated", file[..file.len() - 9].to_vec(), "the file may be truncated"),
        hostile("bad-long-varint", start(&[255; 12]), "a varint is too long"),
        hostile(
            "bad-length-overflows",
            start(&[58, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
            "should have 18446744073709551615 bytes, but only 0 are left",
        ),
        hostile("bad-group", start(&[59]), "wire type 3"),
        hostile("bad-field-0", start(&[0, 0]), "field number 0"),
        hostile(
            "bad-two-graphs",
            model(20, good.graph()).message(7, good.graph()).0,
            "a second graph",
        ),
        hostile("bad-no-version", Message::default().message(7, good.graph()).0, "no opset"),
        hostile("bad-old-version", model(6, good.graph()).0, "expected 7 to 28"),
        hostile("bad-new-version", model(9999, good.graph()).0, "expected 7 to 28"),
        hostile("bad-circle", circle.file(), "is part of a cycle"),
        hostile("bad-self", of_node(1, node("Relu", &["h"], "h")), "is part of a cycle"),
        hostile("bad-many-nodes", many(1, 2_000_000), "more than 4000 nodes"),
        hostile("bad-many-initialisers", many(5, 2_000_000), "more than 4000 initialisers"),
        hostile("bad-many-inputs", many(11, 2_000_000), "more than 4000 inputs"),
        hostile("bad-many-outputs", many(12, 2_000_000), "more than 4000 outputs"),
        hostile(
            "bad-many-dimensions",
            of_tensor(0, Message::default().bytes(1, vec![1; 2_000_000]).bytes(8, "w")),
            "dims of a tensor has more than 8",
        ),
        hostile(
            "bad-many-ints",
            of_node(
                2,
                node("Dropout", &["h", "ratio"], "d")
                    .message(5, Message::default().bytes(1, "seed").bytes(8, vec![1; 2_000_000])),
            ),
            "more than 16 numbers",
        ),
        hostile(
            "bad-many-node-inputs",
            of_node(1, node("Relu", &["z"; 100], "h")),
            "more than 16 inputs of a node",
        ),
        hostile("bad-deep", of_node(1, node("If", &["z"], "h").message(5, branch)), "(`If`)"),
        hostile("bad-size-overflows", weight(&[1 << 40, 1 << 40], &six), "too large"),
        hostile("bad-size-negative", weight(&[u64::MAX, 3], &six), "has the size -1"),
        hostile("bad-size-0", weight(&[2, 0], &[]), "expected sizes above 0"),
        hostile("bad-size-too-large", weight(&[1 << 30, 3], &six), "has data of 6 elements"),
        hostile("bad-part", of_tensor(0, bare("w", 1, &[2, 3]).bytes(9, [0; 23])), "a part of one"),
        hostile("bad-no-data", of_tensor(0, bare("w", 1, &[2, 3])), "has data of 0 elements"),
        hostile(
            "bad-data-twice",
            of_tensor(0, floats("w", &[2, 3], &six).bytes(4, [0; 24])),
            "data in two places",
        ),
        hostile(
            "bad-data-unpacked",
            of_tensor(0, bare("w", 1, &[1, 1]).float(4, 1.0)),
            "data that is not packed",
        ),
        hostile(
            "bad-kind",
            of_tensor(0, bare("w", 3, &[2, 3]).bytes(9, [1; 6])),
            "`w` is INT8: expected FLOAT",
        ),
        hostile(
            "bad-double",
            of_tensor(0, bare("w", 11, &[2, 3]).bytes(9, [0; 47])),
            "`w` has data of 5 elements and a part of one",
        ),
        hostile(
            "bad-double-field",
            of_tensor(0, bare("w", 11, &[2, 3]).bytes(4, [0; 48])),
            "`w` is DOUBLE and has its data in field 4",
        ),
        hostile(
            "bad-double-range",
            of_tensor(
                0,
                bare("w", 11, &[2, 3]).bytes(9, [1e300_f64; 6].map(f64::to_le_bytes).concat()),
            ),
            "expected a finite f32",
        ),
        hostile(
            "bad-half-beyond-16-bits",
            of_tensor(1, bare("b", 10, &[3]).bytes(5, [1, 128, 128, 4, 2])),
            "`b` holds NaN",
        ),
        hostile(
            "bad-external",
            of_tensor(
                0,
                bare("w", 1, &[2, 3])
                    .varint(14, 1)
                    .message(13, Message::default().bytes(1, "location").bytes(2, "../../secret")),
            ),
            "`w` is stored in another file",
        ),
        hostile("bad-nan", weight(&[2, 3], &[1.0, 1.0, f32::NAN, 1.0, 1.0, 1.0]), "`w` holds NaN"),
        hostile(
            "bad-infinite",
            of_tensor(4, floats("c", &[2], &[f32::INFINITY, 0.0])),
            "`c` holds inf",
        ),
        hostile("bad-twice", of_tensor(1, floats("w", &[3], &[0.0; 3])), "`w` occurs twice"),
        hostile(
            "bad-made-twice",
            of_node(1, node("Relu", &["z"], "z")),
            "makes `z`, which is already defined",
        ),
        hostile(
            "bad-makes-weight",
            of_node(1, node("Relu", &["z"], "w")),
            "makes `w`, which is already defined",
        ),
        hostile(
            "bad-sparse",
            good.clone().with(|g| g.bytes(15, [])).file(),
            "a sparse initialiser",
        ),
        hostile("bad-trans-a", of_node(0, with_int(gemm(), "transA", 1)), "transA 1: expected 0"),
        hostile(
            "bad-attribute",
            of_node(0, with_int(gemm(), "broadcast", 1)),
            "attribute `broadcast`: expected one of alpha, beta, transA, transB",
        ),
        hostile(
            "bad-attribute-of-none",
            of_node(1, with_int(node("Relu", &["z"], "h"), "axis", 1)),
            "node `the Relu` (`Relu`): attribute `axis`: expected none",
        ),
        hostile(
            "bad-concat-axis",
            concatenated(Some(1)),
            "node `the Concat` (`Concat`): axis 1 of vectors: expected 0",
        ),
        hostile(
            "bad-concat-no-axis",
            concatenated(None),
            "node `the Concat` (`Concat`): attribute `axis` is missing: expected 0",
        ),
        hostile(
            "bad-attribute-twice",
            of_node(0, with_int(with_int(gemm(), "transB", 0), "transB", 0)),
            "`transB` occurs twice",
        ),
        hostile(
            "bad-attribute-kind",
            of_node(0, with_int(gemm(), "alpha", 1)),
            "attribute `alpha`: expected a finite f32",
        ),
        hostile("bad-shape", weight(&[3, 2], &six), "`w` takes 3 inputs: expected 2"),
        hostile("bad-vector", weight(&[6], &six), "expected two dimensions"),
        hostile(
            "bad-bias",
            of_tensor(1, floats("b", &[2], &[0.0; 2])),
            "node `the Gemm` (`Gemm`): `b` has shape [2]: expected a number, or one for each \
             element of a row, [3]",
        ),
        hostile(
            "bad-ratio",
            of_tensor(2, floats("ratio", &[], &[1.0])),
            "node `the Dropout` (`Dropout`): drop rate 1",
        ),
        hostile("bad-ratio-nan", of_tensor(2, floats("ratio", &[], &[f32::NAN])), "one finite"),
        hostile(
            "bad-unknown-input",
            of_node(0, node("Gemm", &["q", "w", "b"], "z")),
            "`q` is neither",
        ),
        hostile("bad-two-ways", of_node(4, node("Add", &["m", "x"], "s")), "neither of which is"),
        hostile(
            "bad-all-constant",
            of_node(1, node("Relu", &["b"], "h")),
            "computes a constant with an unsupported operator",
        ),
        hostile("bad-operator", of_node(1, node("Erf", &["z"], "h")), "node `the Erf` (`Erf`)"),
        hostile(
            "bad-domain",
            of_node(1, node("Relu", &["z"], "h").bytes(7, "com.example")),
            "operator of an unsupported domain",
        ),
        hostile(
            "bad-second-output",
            of_node(2, node("Dropout", &["h"], "e").bytes(2, "d")),
            "first",
        ),
        hostile(
            "bad-axis",
            of_node(5, with_int(node("Softmax", &["s"], "y"), "axis", 0)),
            "axis 0",
        ),
        hostile("bad-variance", norm("c", -2.0), "expected a number above 0"),
        hostile("bad-mean", norm("ratio", 1.0), "`ratio` has shape []"),
        hostile("bad-first-add", before(node("Add", &["x", "b"], "i")), "of a row, [2]"),
        hostile("bad-flatten", before(with_int(node("Flatten", &["x"], "i"), "axis", 0)), "axis 0"),
        hostile("bad-cast", before(with_int(node("Cast", &["x"], "i"), "to", 7)), "casts to INT64"),
        hostile(
            "bad-reshape",
            reshaped(&[-1, 3]),
            "makes rows of 3 elements: expected 2, as in its input",
        ),
        hostile("bad-reshape-to-3", reshaped(&[0, 2, 1]), "expected a Flatten before it"),
        hostile(
            "bad-reshape-to-0",
            reshaped(&[0, 0, 0]),
            "0 as size 2, but the input has no such dimension",
        ),
        hostile(
            "bad-reshape-inferred-twice",
            reshaped(&[-1, -1]),
            "[-1, -1]: expected the number of rows",
        ),
        hostile("bad-reshape-to-rows", reshaped(&[2]), "2 rows, but the input has 9:"),
        hostile("bad-reshape-to-nothing", reshaped(&[]), "shape []"),
        hostile(
            "bad-reshape-overflows",
            reshaped(&[-1, i64::MAX, i64::MAX]),
            "the sizes of the rows are unknown",
        ),
        hostile("bad-input-kind", of_input(7, &[9, 2]), "expected a Cast to floats before it"),
        hostile("bad-input-text", of_input(8, &[9, 2]), "input `x` is STRING: expected numbers"),
        // An extra layer for the ReLU, with 2^20 by 2^20 weights.
        hostile(
            "bad-own-layer",
            {
                let mut graph = good.clone().with_node(0, node("Gemm", &["i", "w", "b"], "z"));
                graph.nodes.push(node("Relu", &["x"], "i"));
                let nodes = graph.nodes.into_iter();
                let graph = nodes.fold(Message::default(), |g, node| g.message(1, node));
                let tensors = good.tensors.iter().cloned();
                let graph = tensors.fold(graph, |g, tensor| g.message(5, tensor));
                let graph = graph.message(11, value_info("x", 1, &[9, 1 << 20]));
                model(20, graph.message(12, value_info("y", 1, &[9, 2]))).0
            },
            "padded to multiples of 64",
        ),
        hostile("bad-input-row", of_input(1, &[2]), "input `x` has one dimension"),
        hostile("bad-input-number", of_input(1, &[]), "input `x` has no dimensions"),
        hostile("bad-input-images", of_input(1, &[9, 1, 2]), "expected a Flatten before it"),
        hostile("bad-no-layer", model(20, passed_on).0, "no layer with weights"),
        hostile(
            "bad-last-relu",
            of_node(5, node("Relu", &["s"], "y")),
            "node `the Relu` (`Relu`): the activation relu after the last",
        ),
        hostile(
            "bad-last-dropout",
            of_node(5, node("Dropout", &["s"], "y")),
            "node `the Dropout` (`Dropout`): drops outputs of the network",
        ),
        hostile(
            "bad-behind-softmax",
            good.clone()
                .with_node(4, node("Softmax", &["m"], "s"))
                .with_node(5, node("Tanh", &["s"], "y"))
                .file(),
            "comes after the output function",
        ),
        hostile(
            "bad-leaky",
            of_node(1, with_float(node("LeakyRelu", &["z"], "h"), "alpha", -0.5)),
            "leaky_relu slope -0.5: expected",
        ),
        hostile(
            "bad-many-fields",
            of_node(1, (0..200).fold(node("Relu", &["z"], "h"), |node, _| node.varint(99, 0))),
            "a node has too many fields",
        ),
        hostile("bad-utf8", of_node(1, Message::default().bytes(4, [255])), "not UTF-8"),
        hostile(
            "bad-long-name",
            of_node(1, node(&long, &["z"], "h")),
            "unsupported operator: expected one of Gemm",
        ),
        // 256 KiB that would become gigabytes.
        hostile("bad-shared", shared(3900, 256), "padded to multiples of 64"),
        hostile(
            "bad-thin",
            model(
                20,
                Message::default()
                    .message(1, node("MatMul", &["x", "w"], "y"))
                    .message(5, bare("w", 10, &[2, wide]).bytes(9, vec![0; 4 * wide as usize]))
                    .message(11, value_info("x", 1, &[9, 2]))
                    .message(12, value_info("y", 1, &[9, wide])),
            )
            .0,
            "padded to multiples of 64",
        ),
    ]
}
