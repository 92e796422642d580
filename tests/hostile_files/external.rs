//! Graphs with tensors in another file, `x.data`.

use super::{Graph, Message, bare, floats, model, node, value_info};

/// The names of the graph and of the other file.
pub const GRAPH: &str = "x.onnx";
pub const DATA: &str = "x.data";

/// The other file in a folder below that of the graph.
const BELOW: &str = "more/x.data";

/// A graph and the other file.
pub struct Files {
    pub graph: Vec<u8>,
    pub data: Vec<u8>,
    /// The path of the data.
    pub at: &'static str,
    /// The length to which the data are extended with zeros that take no room on the disk.
    pub sparse: u64,
}

impl Files {
    fn new(graph: Vec<u8>, data: &[u8]) -> Self {
        Self { graph, data: data.to_vec(), at: DATA, sparse: 0 }
    }
}

/// Files that are read, and a graph that contains the same tensors.
pub struct Good {
    pub name: &'static str,
    pub files: Files,
    pub inline: Vec<u8>,
}

/// Files that are refused, and a part of the reason.
pub struct Bad {
    pub name: &'static str,
    pub files: Files,
    pub words: &'static str,
}

/// A tensor with these entries of `external_data`.
fn kept(tensor: Message, entries: &[(&str, &str)]) -> Message {
    let entry = |key: &str, value: &str| Message::default().bytes(1, key).bytes(2, value);
    let tensor = tensor.varint(14, 1);
    entries.iter().fold(tensor, |tensor, (key, value)| tensor.message(13, entry(key, value)))
}

/// A tensor in `x.data`, with its range.
fn ranged(tensor: Message, offset: usize, length: usize) -> Message {
    let (offset, length) = (offset.to_string(), length.to_string());
    kept(tensor, &[("location", DATA), ("offset", &offset), ("length", &length)])
}

/// The name, dimensions and elements of the tensors of [`Graph::good`], in its order.
const TENSORS: [(&str, &[u64], &[f32]); 5] = [
    ("w", &[2, 3], &[1.0, -2.0, 3.0, 0.5, 0.25, -1.5]),
    ("b", &[3], &[0.5, 0.0, -0.5]),
    ("ratio", &[], &[0.5]),
    ("v", &[3, 2], &[1.0, 0.0, 2.0, 0.0, 0.0, 3.0]),
    ("c", &[1, 2], &[0.125, -0.125]),
];

/// The elements of all of them, one after the other: 72 bytes.
fn elements() -> Vec<u8> {
    TENSORS.iter().flat_map(|(_, _, values)| values.iter().flat_map(|x| x.to_le_bytes())).collect()
}

/// The good graph with all tensors in `x.data`, as PyTorch and onnx write them.
fn all_kept() -> Graph {
    let mut offset = 0;
    let tensors = TENSORS.iter().map(|(name, dims, values)| {
        let length = 4 * values.len();
        offset += length;
        ranged(bare(name, 1, dims), offset - length, length)
    });
    Graph { tensors: tensors.collect(), ..Graph::good() }
}

/// The same with another `w`, of 24 bytes from byte 0.
fn of_w(w: Message) -> Vec<u8> {
    all_kept().with_tensor(0, w).file()
}

fn w() -> Message {
    bare("w", 1, &[2, 3])
}

/// Files that are read.
pub fn good() -> Vec<Good> {
    let inline = Graph::good().file();
    let all = elements();
    let good = |name, graph: Graph, data: &[u8]| Good {
        name,
        files: Files::new(graph.file(), data),
        inline: inline.clone(),
    };
    // In reverse order, with gaps to multiples of 64 bytes, and more bytes at the end.
    let mut apart = Graph::good();
    let mut apart_data = Vec::new();
    for (index, (name, dims, values)) in TENSORS.iter().enumerate().rev() {
        apart_data.resize(apart_data.len().next_multiple_of(64), 0xff);
        let (offset, length) = (apart_data.len(), 4 * values.len());
        apart.tensors[index] = ranged(bare(name, 1, dims), offset, length);
        apart_data.extend(values.iter().flat_map(|x| x.to_le_bytes()));
    }
    apart_data.extend([0xff; 64]);
    let one = |w: Message| Graph::good().with_tensor(0, w);
    // With half the bytes, and with twice the bytes.
    let halves: Vec<u8> = [0x3c00_u16, 0xc000, 0x4200, 0x3800, 0x3400, 0xbe00]
        .into_iter()
        .flat_map(u16::to_le_bytes)
        .collect();
    let doubles: Vec<u8> = TENSORS[0].2.iter().flat_map(|&x| f64::from(x).to_le_bytes()).collect();
    let others = [
        ("basepath", "/nowhere"),
        ("length", "24"),
        ("checksum", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("location", DATA),
        ("unknown", "../x"),
        ("unknown", ""),
    ];
    let mut constant = all_kept().with_node(3, node("MatMul", &["d", "u"], "m"));
    let value = Message::default().bytes(1, "value").varint(20, 4);
    let value = value.message(5, ranged(bare("", 1, &[3, 2]), 40, 24));
    constant.nodes.push(node("Constant", &[], "u").message(5, value));
    constant.tensors.remove(3);
    // Zeros at a large offset.
    let far = 1_usize << 36;
    let zeros = Graph::good().with_tensor(0, floats("w", &[2, 3], &[0.0; 6])).file();
    let wide = 2048;
    let large = |w: Message| {
        let graph = Message::default()
            .message(1, node("MatMul", &["x", "w"], "y"))
            .message(5, w)
            .message(11, value_info("x", 1, &[9, wide]))
            .message(12, value_info("y", 1, &[9, wide]));
        model(20, graph).0
    };
    let bytes = 4 * (wide * wide) as usize;
    let large_w = || bare("w", 1, &[wide, wide]);
    vec![
        Good {
            name: "far",
            files: Files {
                sparse: far as u64 + 24,
                ..Files::new(one(ranged(w(), far, 24)).file(), &all)
            },
            inline: zeros,
        },
        Good {
            name: "large",
            files: Files {
                sparse: bytes as u64,
                ..Files::new(large(ranged(large_w(), 0, bytes)), &[])
            },
            inline: large(large_w().bytes(9, vec![0; bytes])),
        },
        Good {
            name: "below",
            files: Files {
                at: BELOW,
                ..Files::new(one(kept(w(), &[("location", BELOW)])).file(), &all)
            },
            inline: inline.clone(),
        },
        good("two-layers", all_kept(), &all),
        good("apart", apart, &apart_data),
        good("one", one(ranged(w(), 0, 24)), &all[..24]),
        good("no-range", one(kept(w(), &[("location", DATA)])), &all[..24]),
        good("no-length", one(kept(w(), &[("location", DATA), ("offset", "0")])), &all),
        good("spelled", one(kept(w(), &[("location", ".//./x.data"), ("length", "24")])), &all),
        good("other-keys", one(kept(w(), &others)), &all),
        good("f16", one(ranged(bare("w", 10, &[2, 3]), 0, 12)), &halves),
        good("double", one(ranged(bare("w", 11, &[2, 3]), 0, 48)), &doubles),
        good("constant", constant, &all),
    ]
}

/// Files that are refused.
pub fn bad() -> Vec<Bad> {
    let all = elements();
    let bad = |name, graph: Vec<u8>, words| Bad { name, files: Files::new(graph, &all), words };
    let with_data =
        |name, data: &[u8], words| Bad { name, files: Files::new(all_kept().file(), data), words };
    let sparse = |name, graph, words| Bad {
        name,
        files: Files { sparse: 1 << 36, ..Files::new(graph, &all) },
        words,
    };
    let at = |location: &str| of_w(kept(w(), &[("location", location)]));
    let range = |key: &str, text: &str| of_w(kept(w(), &[("location", DATA), (key, text)]));
    let entries = |entries: &[(&str, &str)]| of_w(kept(w(), entries));
    let long = "x".repeat(2000);
    let of_b = |b: Message| all_kept().with_tensor(1, b).file();
    let b = || bare("b", 1, &[3]);
    let wide = 2_000_000;
    let thin = Message::default()
        .message(1, node("MatMul", &["x", "w"], "y"))
        .message(5, ranged(bare("w", 10, &[2, wide]), 0, 4 * wide as usize))
        .message(11, value_info("x", 1, &[9, 2]))
        .message(12, value_info("y", 1, &[9, wide]));
    let mut nan = all.clone();
    nan[4..8].copy_from_slice(&f32::NAN.to_le_bytes());
    vec![
        bad("bad-no-location", entries(&[("offset", "0")]), "without a location"),
        bad("bad-no-entries", entries(&[]), "without a location"),
        bad("bad-empty-location", at(""), "an empty location"),
        bad("bad-absolute", at("/etc/passwd"), "an absolute location"),
        bad("bad-share", at("//server/share/x.data"), "an absolute location"),
        bad("bad-drive", at("C:x.data"), "an absolute location"),
        bad("bad-up", at("../x.data"), "with `..`"),
        bad("bad-up-and-down", at("a/../x.data"), "with `..`"),
        bad("bad-up-behind", at("x.data/.."), "with `..`"),
        bad("bad-backslash", at("..\\x.data"), "a backslash"),
        bad("bad-zero-byte", at("x.data\0"), "a NUL byte"),
        bad("bad-folder", at("./"), "the location of a folder"),
        bad("bad-itself", at(GRAPH), "that is the graph itself"),
        bad("bad-itself-spelled", at("./x.onnx"), "that is the graph itself"),
        bad("bad-missing", at("y.data"), "put `y.data` in the graph's folder"),
        bad("bad-missing-folder", at("y/x.data"), "put `y/x.data` in the graph's folder"),
        bad("bad-below-file", at("x.data/y"), "`x.data` is a regular file: expected a folder"),
        bad("bad-long-location", at(&long), "more than 1024 bytes"),
        bad("bad-offset-behind", range("offset", "49"), "24 bytes from byte 49"),
        bad("bad-offset-far", range("offset", "9223372036854775807"), "but the file has only 72"),
        bad("bad-offset-too-far", range("offset", "9223372036854775808"), "a whole number"),
        bad("bad-offset-negative", range("offset", "-4"), "offset `-4`: expected"),
        bad("bad-offset-sign", range("offset", "+0"), "offset `+0`: expected"),
        bad("bad-offset-text", range("offset", "0x0"), "offset `0x0`: expected"),
        bad("bad-offset-empty", range("offset", ""), "offset ``: expected"),
        bad("bad-length-short", range("length", "23"), "a length of 23 bytes: expected 24"),
        bad("bad-length-long", range("length", "25"), "a length of 25 bytes: expected 24"),
        bad("bad-length-0", range("length", "0"), "a length of 0 bytes: expected 24"),
        bad("bad-length-negative", range("length", "-1"), "length `-1`: expected"),
        bad(
            "bad-location-twice",
            entries(&[("location", DATA), ("location", DATA)]),
            "`location` twice",
        ),
        bad(
            "bad-length-twice",
            entries(&[("location", DATA), ("length", "24"), ("length", "24")]),
            "`length` twice",
        ),
        bad(
            "bad-overlap",
            of_b(ranged(b(), 20, 12)),
            "byte 20 also belongs to `w`: expected ranges that do not overlap",
        ),
        bad("bad-same-bytes", of_b(ranged(b(), 0, 12)), "ranges that do not overlap"),
        bad(
            "bad-overlap-spelled",
            of_b(kept(b(), &[("location", "./x.data"), ("offset", "12")])),
            "ranges that do not overlap",
        ),
        bad(
            "bad-huge",
            of_w(kept(bare("w", 1, &[1 << 20, 1 << 20]), &[("location", DATA)])),
            "expected at most 17179869184",
        ),
        bad(
            "bad-huge-overflows",
            of_w(kept(bare("w", 1, &[1 << 40, 1 << 40]), &[("location", DATA)])),
            "too large",
        ),
        bad(
            "bad-larger-than-file",
            of_w(kept(bare("w", 1, &[1 << 14, 1 << 14]), &[("location", DATA)])),
            "needs 1073741824 bytes from byte 0, but the file has only 72",
        ),
        bad("bad-here-too", of_w(ranged(floats("w", &[2, 3], &[1.0; 6]), 0, 24)), "data here and"),
        bad("bad-segment", of_w(ranged(w(), 0, 24).bytes(3, [])), "`w` has a segment"),
        bad("bad-data-location", of_w(ranged(w(), 0, 24).varint(14, 2)), "data_location 2"),
        bad("bad-not-external", of_w(ranged(w(), 0, 24).varint(14, 0)), "data_location is 0"),
        bad("bad-strings", of_w(ranged(bare("w", 8, &[2, 3]), 0, 24)), "`w` is STRING"),
        bad(
            "bad-shape",
            of_w(ranged(bare("w", 1, &[3, 2]), 0, 24)),
            "`w` takes 3 inputs: expected 2",
        ),
        with_data("bad-truncated", &all[..71], "8 bytes from byte 64"),
        with_data("bad-no-bytes", &[], "but the file has only 0"),
        with_data("bad-nan", &nan, "`w` holds NaN"),
        // The ranges count, not the size of the file.
        sparse("bad-thin", model(20, thin).0, "padded to multiples of 64"),
        sparse(
            "bad-large",
            of_w(kept(bare("w", 1, &[1 << 17, 1 << 17]), &[("location", DATA)])),
            "expected at most 17179869184",
        ),
    ]
}
