use std::fs;

use super::{store::MAX_FILES, *};
use crate::{
    exchange::onnx::{constant::Constant, proto::Model},
    files,
};

fn wanted<'a>(name: &'a str, location: &'a str, offset: u64, size: u64) -> ExternalTensor<'a> {
    ExternalTensor { name, external: External { location, offset, length: Some(size) }, size }
}

/// A folder with a graph and 100 bytes of data.
fn folder() -> (tempfile::TempDir, DataFolder) {
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..100).collect();
    fs::write(folder.path().join("x.data"), bytes).unwrap();
    fs::write(folder.path().join("x.onnx"), [8; 100]).unwrap();
    let data_folder = DataFolder::of(&folder.path().join("x.onnx"));
    (folder, data_folder)
}

fn refused(data_folder: &DataFolder, wanted: &[ExternalTensor<'_>], words: &str) {
    let reason = data_folder.open(wanted).map(drop).unwrap_err();
    assert!(reason.contains(words), "{reason}");
}

#[test]
fn ranges_are_read_unchanged() {
    let (folder, data_folder) = folder();
    fs::create_dir(folder.path().join("more")).unwrap();
    fs::write(folder.path().join("more/y"), [7; 5]).unwrap();
    let mut open_end = wanted("b", "./x.data", 60, 24);
    open_end.external.length = None;
    let all = [
        wanted("w", "x.data", 4, 40),
        open_end,
        wanted("c", "more//y", 0, 5),
        wanted("last", "x.data", 84, 16),
        wanted("none", "x.data", 100, 0),
        wanted("none within", "x.data", 10, 0),
    ];
    let store = data_folder.open(&all).unwrap();
    assert_eq!((store.size(), store.files.len()), (85, 2));
    // In any order, and twice.
    for tensor in all.iter().rev().chain(&all) {
        let (start, size) = (tensor.external.offset as u8, tensor.size as u8);
        let bytes = store.read(&tensor.external, tensor.size).unwrap();
        if tensor.external.location == "more//y" {
            assert_eq!(bytes, [7; 5]);
        } else {
            assert_eq!(bytes, (start..start + size).collect::<Vec<_>>());
        }
        assert!(bytes.capacity() <= usize::from(size));
    }
    let [x, y] = ["x.data", "more/y"].map(|name| folder.path().join(name));
    assert_eq!(data_folder.files(&all).unwrap(), [y, x]);
    assert!(DataFolder::none().files(&all).unwrap().is_empty());
    // Tensors that were not checked.
    for other in [wanted("w", "x.data", 4, 41), wanted("w", "y.data", 4, 40)] {
        let reason = store.read(&other.external, other.size).unwrap_err();
        assert!(reason.contains("belong to none of the graph's tensors"), "{reason}");
    }
    assert!(store.read(&all[0].external, u64::MAX).is_err());
}

/// Rather than that it is not a number.
#[test]
fn a_number_that_cannot_be_read_says_why() {
    let bytes = model(b"\x10\x0b\x6a\x12\x0a\x08location\x12\x06x.data\x70\x01\x42\x01w");
    let model = Model::read(&bytes).unwrap();
    let store = Store::default();
    let number = Constant::of_tensor("w", model.initialisers[0], &store);
    let reason = number.float().unwrap_err();
    assert!(
        reason.contains("the 8 bytes in `x.data` belong to none of the graph's tensors"),
        "{reason}"
    );
}

/// `ModelProto` with one initialiser of these fields.
fn model(tensor: &[u8]) -> Vec<u8> {
    let initialiser = [&[42, tensor.len() as u8][..], tensor].concat();
    [&[58, initialiser.len() as u8][..], &initialiser].concat()
}

/// `dims` 2, `data_type` DOUBLE, one entry of `external_data`, `data_location` EXTERNAL, and then
/// the name.
const W: &[u8] = b"\x08\x02\x10\x0b\x6a\x12\x0a\x08location\x12\x06x.data\x70\x01\x42\x01w";

#[test]
fn a_tensor_states_where_its_elements_are() {
    let (_folder, data_folder) = folder();
    let bytes = model(W);
    let model = Model::read(&bytes).unwrap();
    let tensor = &model.initialisers[0];
    let of = ExternalTensor::of(tensor.name, tensor).unwrap().unwrap();
    let store = data_folder.open(&[of]).unwrap();
    assert_eq!(store.read(&of.external, 16).unwrap(), (0..16).collect::<Vec<_>>());
    let here = self::model(b"\x08\x01\x10\x01\x4a\x04\0\0\0\0\x42\x01w");
    let here = Model::read(&here).unwrap();
    assert!(ExternalTensor::of("w", &here.initialisers[0]).unwrap().is_none());
}

#[test]
fn a_wrong_statement_is_refused_with_the_name_of_the_tensor() {
    let refused = |tensor: &[u8], words: &str| {
        let bytes = model(tensor);
        let wanted = Model::read(&bytes).and_then(|model| {
            let tensor = &model.initialisers[0];
            ExternalTensor::of(tensor.name, tensor).map(|of| of.map(|of| of.size))
        });
        let reason = wanted.unwrap_err();
        assert!(reason.starts_with("`w` ") && reason.contains(words), "{reason}");
    };
    let with = |more: &[u8]| [W, more].concat();
    refused(&with(b"\x4a\x01\0"), "data here and in another file");
    refused(&with(b"\x22\x04\0\0\0\0"), "data here and in another file");
    refused(&with(b"\x1a\0"), "a segment of its data");
    refused(&with(b"\x70\x02"), "data_location 2");
    refused(&with(b"\x70\0"), "data_location is 0");
    refused(&with(b"\x6a\x0b\x0a\x06offset\x12\x01-"), "offset `-`: expected");
    refused(&with(b"\x6a\x0a\x0a\x08location"), "`location` twice");
    refused(&with(b"\x10\x08"), "is STRING: expected elements of a known size");
    refused(&with(b"\x10\0"), "is UNDEFINED");
    refused(&with(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), "too large");
    refused(b"\x70\x01\x42\x01w", "without a location");
    refused(b"\x70\0\x6a\0\x42\x01w", "data_location is 0");
}

#[test]
fn sizes_are_those_of_packed_elements() {
    for (kind, bytes) in
        [(1, 12), (11, 24), (10, 6), (16, 6), (7, 24), (15, 48), (3, 3), (9, 3), (22, 2), (25, 1)]
    {
        let bytes_of = model(&[8, 3, 16, kind]);
        let model = Model::read(&bytes_of).unwrap();
        assert_eq!(model.initialisers[0].size(), Ok(bytes), "kind {kind}");
    }
}

#[test]
fn a_graph_that_was_not_read_from_a_file_has_no_other_files() {
    let none = DataFolder::none();
    assert_eq!(none.open(&[]).unwrap().size(), 0);
    refused(
        &none,
        &[wanted("w", "x.data", 0, 4)],
        "`w` is stored in another file, `x.data`: expected the graph to be read from a file \
         in the same folder, not from a pipe or bytes",
    );
}

#[test]
fn missing_files_are_named() {
    let (folder, data_folder) = folder();
    refused(
        &data_folder,
        &[wanted("w", "net.onnx.data", 0, 4)],
        "`w` is stored in another file, `net.onnx.data`: no such file: put `net.onnx.data` in \
         the graph's folder",
    );
    refused(&data_folder, &[wanted("w", "a/b", 0, 4)], "put `a/b` in the graph's folder");
    refused(&data_folder, &[wanted("w", "x.data/b", 0, 4)], "expected a folder");
    refused(&data_folder, &[wanted("w", "../x.data", 0, 4)], "a location with `..`");
    refused(&data_folder, &[wanted("w", "", 0, 0)], "an empty location");
    let absolute = folder.path().join("x.data").to_str().unwrap().to_owned();
    refused(&data_folder, &[wanted("w", &absolute, 0, 4)], "location");
    // In the working folder.
    let store = DataFolder::of(Path::new("Cargo.toml")).open(&[wanted("w", "Cargo.lock", 0, 4)]);
    assert_eq!(store.unwrap().size(), 4);
}

#[test]
fn the_graph_itself_is_refused_as_its_data() {
    let (folder, data_folder) = folder();
    refused(&data_folder, &[wanted("w", "x.onnx", 0, 4)], "that is the graph itself");
    refused(&data_folder, &[wanted("w", "./x.onnx", 0, 0)], "that is the graph itself");
    fs::hard_link(folder.path().join("x.onnx"), folder.path().join("y")).unwrap();
    #[cfg(unix)]
    refused(&data_folder, &[wanted("w", "y", 0, 4)], "that is the graph itself");
    let nowhere = DataFolder::of(&folder.path().join("nowhere/x.onnx"));
    refused(&nowhere, &[wanted("w", "x.data", 0, 4)], "nowhere");
}

#[test]
fn ranges_outside_their_file_are_refused() {
    let (_folder, data_folder) = folder();
    for (offset, size, words) in [
        (0, 101, "needs 101 bytes from byte 0, but the file has only 100"),
        (100, 1, "1 bytes from byte 100"),
        (101, 0, "0 bytes from byte 101"),
        (u64::MAX, 0, "but the file has only 100"),
        (u64::MAX, 8, "but the file has only 100"),
        (u64::MAX - 3, 4, "but the file has only 100"),
        (0, files::MAX_BYTES, "but the file has only 100"),
        (0, files::MAX_BYTES + 1, "17179869185 bytes in other files: expected at most"),
        (0, u64::MAX, "expected at most 17179869184"),
    ] {
        let of = wanted("w", "x.data", offset, size);
        refused(&data_folder, &[of], words);
        let mut open_end = of;
        open_end.external.length = None;
        refused(&data_folder, &[open_end], words);
    }
    for length in [0, 23, 25, 99, u64::MAX] {
        let mut of = wanted("w", "x.data", 0, 24);
        of.external.length = Some(length);
        let words = format!("a length of {length} bytes: expected 24, for its shape");
        refused(&data_folder, &[of], &words);
    }
    let large = wanted("w", "x.data", 0, u64::MAX / 2);
    refused(&data_folder, &[large, large, large], "18446744073709551615 bytes in other files");
}

#[test]
fn overlapping_ranges_are_refused() {
    let (folder, data_folder) = folder();
    fs::hard_link(folder.path().join("x.data"), folder.path().join("hard")).unwrap();
    let spellings: &[&str] =
        if cfg!(unix) { &["x.data", "./x.data", ".//x.data", "hard"] } else { &["./x.data"] };
    for other in spellings {
        for (start, size) in [(10, 20), (0, 11), (29, 1), (12, 3), (5, 90), (10, 3)] {
            let [a, b] = [wanted("a", "x.data", 10, 20), wanted("b", other, start, size)];
            let c = wanted("c", "x.data", 95, 5);
            for all in [[a, b, c], [b, c, a]] {
                refused(&data_folder, &all, "expected ranges that do not overlap");
            }
        }
        let [a, b] = [wanted("a", "x.data", 10, 20), wanted("b", other, 30, 70)];
        let c = wanted("c", other, 0, 10);
        assert_eq!(data_folder.open(&[b, a, c]).unwrap().size(), 100);
    }
    let [a, b] = [wanted("a", "x.data", 10, 20), wanted("b", "./x.data", 29, 9)];
    refused(
        &data_folder,
        &[a, b],
        "`b` is stored in another file, `./x.data`: byte 29 also belongs to `a`",
    );
}

#[test]
fn files_are_bounded() {
    let (folder, data_folder) = folder();
    let names: Vec<String> = (0..=MAX_FILES).map(|i| format!("{i}.weight")).collect();
    names.iter().for_each(|name| fs::write(folder.path().join(name), [0; 4]).unwrap());
    let all: Vec<_> = names.iter().map(|name| wanted(name, name, 0, 4)).collect();
    assert_eq!(data_folder.open(&all[1..]).unwrap().size(), 4 * MAX_FILES);
    refused(&data_folder, &all, "more than 200 files");
    // A file may have many spellings.
    let names: Vec<String> = (0..1000).map(|i| format!("{}x.data", "./".repeat(i % 400))).collect();
    let all: Vec<_> = names.iter().map(|name| wanted("w", name, 100, 0)).collect();
    assert_eq!(data_folder.open(&all).unwrap().files.len(), 1);
}

/// Only the ranges of tensors count, not the rest of a large file.
#[test]
fn a_large_file_counts_as_its_ranges() {
    let (folder, data_folder) = folder();
    let sparse = fs::File::create(folder.path().join("sparse")).unwrap();
    // Not every file system supports this.
    if sparse.set_len(1 << 40).is_ok() {
        let end = wanted("w", "sparse", (1 << 40) - 8, 8);
        let store = data_folder.open(&[end]).unwrap();
        assert_eq!(store.size(), 8);
        assert_eq!(store.read(&end.external, 8).unwrap(), [0; 8]);
    }
}
