use super::*;

/// A file with this version and header.
fn with_header(version: [u8; 2], header: &str, elements: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend(version);
    match version[0] {
        1 => bytes.extend((header.len() as u16).to_le_bytes()),
        _ => bytes.extend((header.len() as u32).to_le_bytes()),
    }
    bytes.extend(header.as_bytes());
    bytes.extend(elements);
    bytes
}

fn file(descr: &str, fortran: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
    with_header([1, 0], &header, elements)
}

fn read(bytes: &[u8]) -> Result<Npy, Error> {
    Npy::from_bytes(bytes)
}

fn message<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    let error = result.unwrap_err();
    let message = error.to_string();
    assert_eq!(error.in_file("the-file").to_string(), format!("the-file: {message}"));
    let broken = message.contains("truncated or damaged gzip data");
    assert!(broken || message.contains("expected"), "{message}");
    message
}

/// The reason for which a file is refused.
#[track_caller]
fn refused(bytes: &[u8], part: &str) {
    let message = message(read(bytes));
    assert!(message.contains(part), "{message}");
}

#[test]
fn refuses_another_magic_number() {
    let mut bytes = file("'<f4'", "False", "(1, 1)", &[0; 4]);
    bytes[0] = b'N';
    refused(&bytes, "not an NPY file");
    refused(b"PK\x03\x04 an archive", "[147, 78, 85, 77, 80, 89], got [80, 75");
}

#[test]
fn refuses_unknown_versions() {
    for version in [[0, 0], [1, 1], [2, 1], [3, 1], [4, 0], [255, 255]] {
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1)}";
        let bytes = with_header(version, header, &[0; 4]);
        refused(&bytes, &format!("version {}.{}: expected 1.0", version[0], version[1]));
    }
}

#[test]
fn refuses_every_truncation() {
    for bytes in [
        file("'<f4'", "False", "(2, 3)", &[0; 24]),
        with_header([2, 0], "{'descr': '<i8', 'fortran_order': False, 'shape': (2,)}", &[0; 16]),
    ] {
        assert!(read(&bytes).is_ok());
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "{end}");
        }
        refused(&bytes[..bytes.len() - 1], "truncated");
    }
}

#[test]
fn refuses_bytes_after_the_end() {
    refused(
        &file("'<f4'", "False", "(2, 3)", &[0; 25]),
        "extra bytes after the elements of shape [2, 3]",
    );
    refused(
        &file("'<f4'", "False", "(0, 3)", &[0; 1]),
        "extra bytes after the elements of shape [0, 3]",
    );
}

#[test]
fn refuses_header_lengths_that_no_file_holds() {
    let mut bytes = with_header([2, 0], "{}", &[]);
    bytes[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    refused(&bytes, "a header of 4294967295 bytes");
    let mut bytes = file("'<f4'", "False", "(1, 1)", &[0; 4]);
    bytes[8..10].copy_from_slice(&9999u16.to_le_bytes());
    refused(&bytes, "expected 9999 bytes for the header, got 64");
    // A complete header that is longer than NumPy reads.
    refused(&with_header([3, 0], &" ".repeat(10_001), &[]), "at most 10000");
}

#[test]
fn refuses_sizes_that_no_file_holds() {
    refused(
        &file("'<f4'", "False", "(60000, 784)", &[0; 24]),
        "expected 188160000 bytes for an array of f4 with shape [60000, 784], got 24",
    );
    let half = usize::MAX / 2;
    refused(&file("'<f8'", "False", &format!("({half}, {half})"), &[]), "too large");
    refused(&file("'<f8'", "False", &format!("({half}, 2)"), &[0; 16]), "too large");
    refused(&file("'|u1'", "False", "(1073741825,)", &[]), "at most 1073741824");
    refused(&file("'|u1'", "False", "(18446744073709551616,)", &[]), "whole number");
    refused(&file("'|u1'", "False", "(-1,)", &[]), "whole number");
    refused(&file("'|u1'", "False", "(1.0,)", &[0]), "expected `)`");
}

#[test]
fn a_file_of_no_elements_cannot_ask_for_memory() {
    // Overflow on the way to a product of 0, wide rows that do not exist, and empty rows.
    let half = usize::MAX / 2;
    refused(&file("'<f4'", "False", &format!("({half}, {half}, 0)"), &[]), "too large");
    for order in ["False", "True"] {
        let wide = read(&file("'<f4'", order, "(0, 1073741824)", &[])).unwrap();
        assert_eq!(wide.matrix().unwrap().columns(), 1 << 30);
        let wide = read(&file("'<f4'", order, "(0, 1073741825)", &[])).unwrap();
        assert!(message(wide.matrix()).contains("too many floats"));
        let wide = read(&file("'<f4'", order, &format!("(0, {half}, {half})"), &[])).unwrap();
        assert!(message(wide.matrix()).contains("too many floats"));
        let rows = read(&file("'<f4'", order, "(1073741824, 0)", &[])).unwrap();
        assert!(message(rows.matrix()).contains("at least one element"));
    }
}

#[test]
fn refuses_pickled_objects() {
    for descr in ["|O", "O", "object"] {
        let bytes = file(&format!("'{descr}'"), "False", "(1,)", b"\x80\x04]");
        refused(&bytes, &format!("elements of type `{descr}` (Python objects)"));
    }
}

#[test]
fn refuses_structures() {
    let fields = "[('a', '<f4'), ('b', '<i4')]";
    refused(&file(fields, "False", "(1,)", &[0; 8]), "elements with fields");
}

#[test]
fn refuses_other_elements() {
    for descr in [
        "<c8", "<U3", "|S3", "<M8[s]", "<f16", "g", "<<f4", "|V4", "", "<", "@f4", "!f4", " f4",
        "f4 ", "F4", "<float32", "l", "<p", "é", "<é",
    ] {
        let bytes = file(&format!("'{descr}'"), "False", "(1,)", &[0; 16]);
        let reason = if descr.is_ascii() {
            format!("elements of type `{descr}`")
        } else {
            "not ASCII".into()
        };
        refused(&bytes, &reason);
    }
    refused(&file("('<f4', (2,))", "False", "(1,)", &[0; 8]), "elements that are arrays");
    refused(&file("'f4,i4'", "False", "(1,)", &[0; 8]), "elements of type `f4,i4`");
}

#[test]
fn refuses_headers_that_are_no_dictionary() {
    for header in
        ["", "[]", "{", "{'descr'", "{'descr': '<f4'", "null", "\0", "{,}", "{'descr' '<f4'}"]
    {
        refused(&with_header([1, 0], header, &[0; 4]), "in its header: expected");
    }
    let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}";
    assert!(read(&with_header([1, 0], good, &[0; 4])).is_ok());
    refused(&with_header([1, 0], &format!("{good} x"), &[0; 4]), "`x` in its header");
    refused(&with_header([3, 0], &good.replace("descr", "déscr"), &[0; 4]), "not ASCII");
}

#[test]
fn refuses_keys_that_are_missing_unknown_or_repeated() {
    let all = ["'descr': '<f4'", "'fortran_order': False", "'shape': (1,)"];
    for (left_out, key) in ["descr", "fortran_order", "shape"].into_iter().enumerate() {
        let mut some = all.to_vec();
        some.remove(left_out);
        let header = format!("{{{}}}", some.join(", "));
        refused(&with_header([1, 0], &header, &[0; 4]), &format!("no key `{key}`"));
        let header = format!("{{{}, {}}}", all.join(", "), all[left_out]);
        refused(&with_header([1, 0], &header, &[0; 4]), &format!("key `{key}` occurs twice"));
    }
    let header = format!("{{{}, 'order': 'C'}}", all.join(", "));
    refused(&with_header([1, 0], &header, &[0; 4]), "key `order`");
    let header = format!("{{ {} ,\t{}, {},}}\n\n", all[2], all[0].replace('\'', "\""), all[1]);
    assert_eq!(read(&with_header([1, 0], &header, &[0; 4])).unwrap().dimensions(), [1]);
}

#[test]
fn refuses_values_of_another_type() {
    refused(&file("'<f4'", "0", "(1,)", &[0; 4]), "expected `False`");
    refused(&file("'<f4'", "'True'", "(1,)", &[0; 4]), "expected `False`");
    refused(&file("'<f4'", "False", "1", &[0; 4]), "expected `(`");
    refused(&file("'<f4'", "False", "(1)", &[0; 4]), "a shape that is a number");
    refused(&file("'<f4'", "False", "[1]", &[0; 4]), "expected `(`");
    refused(&file("'<f4'", "False", "(,)", &[0; 4]), "whole number");
    refused(&file("4", "False", "(1,)", &[0; 4]), "a quoted string");
    refused(&file(r"'\x3cf4'", "False", "(1,)", &[0; 4]), "a quoted string");
}

#[test]
fn refuses_more_dimensions_than_numpy_has() {
    let shape = |dimensions: usize| format!("({})", "1, ".repeat(dimensions));
    assert!(read(&file("'|u1'", "True", &shape(64), &[7])).is_ok());
    refused(&file("'|u1'", "True", &shape(65), &[7]), "more than 64 dimensions");
}

#[test]
fn refuses_shapes_that_are_no_rows_or_no_labels() {
    for (shape, length) in [("()", 4), ("(1,)", 4)] {
        let npy = read(&file("'<f4'", "False", shape, &vec![0; length])).unwrap();
        message(npy.matrix());
    }
    for shape in ["()", "(1, 1)"] {
        let npy = read(&file("'<i4'", "False", shape, &[0; 4])).unwrap();
        assert!(message(npy.labels()).contains("one dimension"));
    }
    let narrow = read(&file("'|u1'", "False", "(67108865, 1)", &vec![0; 67_108_865])).unwrap();
    assert!(message(narrow.matrix()).contains("too many floats"));
}

#[test]
fn refuses_labels_that_are_no_classes() {
    let one =
        |descr: &str, bytes: &[u8]| read(&file(descr, "False", "(1,)", bytes)).unwrap().labels();
    assert!(message(one("'<i4'", &(-1i32).to_le_bytes())).contains("label -1 at row 0"));
    assert!(message(one("'<i8'", &(1i64 << 32).to_le_bytes())).contains("label 4294967296"));
    assert!(message(one("'<u8'", &u64::MAX.to_le_bytes())).contains("label 18446744073709552000"));
    for x in [0.5, -1.0, f64::NAN, f64::INFINITY, 4294967296.0] {
        assert!(message(one("'<f8'", &x.to_le_bytes())).contains(&format!("label {x} at")));
    }
    assert_eq!(one("'<u4'", &u32::MAX.to_le_bytes()).unwrap(), [u32::MAX]);
}

#[test]
fn inputs_are_numbers_and_bytes_become_parts_of_one() {
    let bytes = read(&file("'|u1'", "False", "(2, 2)", &[0, 51, 102, 255])).unwrap();
    assert_eq!(bytes.inputs().unwrap().row(1).unwrap(), [102.0 / 255.0, 1.0]);
    assert_eq!(bytes.matrix().unwrap().row(1).unwrap(), [102.0, 255.0]);
    let of = |x: f64| read(&file("'<f8'", "False", "(1, 1)", &x.to_le_bytes())).unwrap();
    assert_eq!(of(-3.5).inputs().unwrap().row(0).unwrap(), [-3.5]);
    for x in [f64::NAN, f64::INFINITY, 1e39] {
        assert!(of(x).matrix().is_ok());
        assert!(message(of(x).inputs()).contains("element 0 of row 0"));
    }
}

/// Headers that NumPy does not read either, or that Python's versions disagree about.
#[test]
fn refuses_numbers_that_are_no_sizes() {
    for shape in ["(1l,)", "(1LL,)", "(L,)", "(01,)", "(0x1,)", "(1.,)", "(True,)", "(1,,)", "(1L)"]
    {
        refused(&file("'<f4'", "False", shape, &[0; 4]), "expected");
    }
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1L,)}";
    assert!(read(&with_header([2, 0], header, &[0; 4])).is_ok());
    // Python 2 never wrote version 3.0.
    refused(&with_header([3, 0], header, &[0; 4]), "expected `)`");
}

#[test]
fn a_number_beyond_f32_is_named_as_it_is() {
    let one = |x: f64| read(&file("'<f8'", "False", "(1, 1)", &x.to_le_bytes())).unwrap();
    assert!(message(one(1e300).inputs()).contains("element 0 of row 0 is 1e300: expected"));
    assert!(message(one(-f64::MAX).inputs()).contains(" is -1.7976931348623157e308: "));
    let two = |order| read(&file("'<f4'", order, "(2, 3)", &nan_at(5))).unwrap().inputs();
    assert!(message(two("False")).contains("element 2 of row 1 is NaN"));
    let two = |order| read(&file("'<f4'", order, "(2, 3)", &nan_at(3))).unwrap().inputs();
    assert!(message(two("True")).contains("element 1 of row 1 is NaN"));
    let label = read(&file("'<f8'", "False", "(1,)", &1e300_f64.to_le_bytes())).unwrap().labels();
    assert!(message(label).contains("label 1e300 at row 0"));
}

/// Six floats of which one is NaN.
fn nan_at(place: usize) -> Vec<u8> {
    let mut floats = [0.0; 6];
    floats[place] = f32::NAN;
    floats.iter().flat_map(|x: &f32| x.to_le_bytes()).collect()
}

/// Long enough to be read in several pieces, with rows and columns that end inside a piece.
#[test]
fn pieces_put_together_are_the_array() {
    for [rows, columns] in [[3, 20_001], [20_001, 3], [257, 259]] {
        let number = |row: usize, column: usize| (row * columns + column) as u32;
        for order in ["False", "True"] {
            let mut bytes = Vec::new();
            for at in 0..rows * columns {
                let x = if order == "True" {
                    number(at % rows, at / rows)
                } else {
                    number(at / columns, at % columns)
                };
                bytes.extend(x.to_le_bytes());
            }
            let npy = file("'<u4'", order, &format!("({rows}, {columns})"), &bytes);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("x.npy");
            std::fs::write(&path, &npy).unwrap();
            let matrix = read_inputs(&path).unwrap();
            assert_eq!(matrix, read(&npy).unwrap().inputs().unwrap());
            for row in 0..rows {
                let want = (0..columns).map(|column| number(row, column) as f32);
                assert!(matrix.row(row).unwrap().iter().copied().eq(want), "{row}");
            }
        }
    }
}

/// Its position is reported in NumPy's indices, in either order.
#[test]
fn numbers_that_f32_cannot_hold_are_told_with_their_place() {
    let place = |fortran: &str, shape: &str, at: usize, number: f64| {
        let mut numbers = [0.0; 12];
        numbers[at] = number;
        let bytes: Vec<u8> = numbers.into_iter().flat_map(f64::to_le_bytes).collect();
        message(read(&file("'<f8'", fortran, shape, &bytes)).unwrap().inputs())
    };
    for (fortran, shape, at, number, words) in [
        ("False", "(4, 3)", 5, -1e300, "element 2 of row 1 is -1e300: expected a finite number"),
        ("True", "(4, 3)", 5, 1e300, "element 1 of row 1 is 1e300: "),
        // 9 is [1, 1, 1]: the fourth element of the second row.
        ("True", "(2, 3, 2)", 9, 3.5e38, "element 3 of row 1 is 3.5e38: "),
        ("False", "(1, 12)", 1, f64::NEG_INFINITY, "element 1 of row 0 is -inf: "),
    ] {
        let found = place(fortran, shape, at, number);
        assert!(found.contains(words), "{found}");
    }
}
