//! The kinds of elements, by their numbers in ONNX files.

pub const F32: i64 = 1;
pub const I32: i64 = 6;
pub const I64: i64 = 7;
pub const BOOL: i64 = 9;
pub const F16: i64 = 10;
pub const F64: i64 = 11;
pub const BF16: i64 = 16;

/// Whether elements of this kind are floats.
pub fn is_float(kind: i64) -> bool {
    matches!(kind, F32 | F16 | F64 | BF16)
}

/// Whether elements of this kind are whole numbers.
pub fn is_integer(kind: i64) -> bool {
    // UINT8 to INT64 without STRING and BOOL, UINT32, UINT64.
    matches!(kind, 2..=7 | 12 | 13)
}

/// The name of a kind in the definition of the format.
pub fn name(kind: i64) -> String {
    const NAMES: [&str; 17] = [
        "UNDEFINED",
        "FLOAT",
        "UINT8",
        "INT8",
        "UINT16",
        "INT16",
        "INT32",
        "INT64",
        "STRING",
        "BOOL",
        "FLOAT16",
        "DOUBLE",
        "UINT32",
        "UINT64",
        "COMPLEX64",
        "COMPLEX128",
        "BFLOAT16",
    ];
    let known = usize::try_from(kind).ok().and_then(|kind| NAMES.get(kind));
    known.map_or_else(|| format!("kind {kind}"), |name| (*name).to_owned())
}

/// The bits of an element in packed data; `None` for strings and for unknown kinds.
pub fn bits(kind: i64) -> Option<u64> {
    Some(match kind {
        // FLOAT, INT32, UINT32
        1 | 6 | 12 => 32,
        // UINT8, INT8, BOOL, and the kinds of floats of 8 bits
        2 | 3 | 9 | 17..=20 | 24 => 8,
        // UINT16, INT16, FLOAT16, BFLOAT16
        4 | 5 | 10 | 16 => 16,
        // INT64, DOUBLE, UINT64, COMPLEX64
        7 | 11 | 13 | 14 => 64,
        // COMPLEX128
        15 => 128,
        // UINT4, INT4, FLOAT4E2M1
        21..=23 => 4,
        // UINT2, INT2
        25 | 26 => 2,
        _ => return None,
    })
}
