//! Model files: exact round trips, stable bytes, and a clear refusal of each
//! kind of malformed file.

use thinnet::{
    Keep,
    files::write_atomically,
    nn::{Activation, Loss, Mlp},
};

fn mlp() -> Mlp {
    Mlp::builder(5)
        .input_noise(Keep::new(0.8).unwrap())
        .sparse_input()
        .hidden(70, Activation::Relu, Keep::HALF)
        .hidden(3, Activation::Tanh, Keep::ONE)
        .output(2, Loss::BinaryCrossEntropy)
        .seed(7)
        .build()
        .unwrap()
}

/// A safetensors file with this header and data.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

/// The header and data of a good file.
fn parts() -> (String, Vec<u8>) {
    let bytes = mlp().to_bytes().unwrap();
    let n = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    (String::from_utf8(bytes[8..8 + n].to_vec()).unwrap(), bytes[8 + n..].to_vec())
}

fn refused(bytes: &[u8], word: &str) {
    let message = Mlp::from_bytes(bytes).unwrap_err().in_file("a-file").to_string();
    assert!(message.starts_with("a-file: ") && message.contains(word), "{message}");
}

/// The good file with `from` in its header replaced by `to` of equal meaning
/// length, so that everything else stays as it was.
fn refused_with(from: &str, to: &str, word: &str) {
    let (header, data) = parts();
    assert!(header.contains(from), "{header}");
    refused(&file(&header.replace(from, to), &data), word);
}

#[test]
fn a_model_survives_the_round_trip_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let mlp = mlp();
    mlp.save(&path).unwrap();
    let loaded = Mlp::load(&path).unwrap();
    assert_eq!(loaded, mlp);
    assert_eq!(loaded.digest(), mlp.digest());
    assert_eq!(loaded.keeps(), mlp.keeps());
    let first = std::fs::read(&path).unwrap();
    loaded.save(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), first, "the same model gives the same bytes");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left over");
}

/// The crate that reads safetensors adds the header's length to it.
#[test]
fn an_end_near_overflow_is_refused() {
    let size = u64::MAX >> 4;
    let mut tensors = String::new();
    for i in 0..16 {
        let (from, to) = (i * size, (i + 1) * size);
        tensors +=
            &format!(r#""{i}":{{"dtype":"U8","shape":[{size}],"data_offsets":[{from},{to}]}},"#);
    }
    let (from, to) = (16 * size, u64::MAX);
    tensors += &format!(r#""last":{{"dtype":"U8","shape":[15],"data_offsets":[{from},{to}]}}"#);
    refused(
        &file(&format!("{{{tensors}}}"), &[]),
        "ends at byte 18446744073709551615, but only 0 bytes",
    );
}

#[test]
fn parameter_names_and_shapes_match_pytorch() {
    let bytes = mlp().to_bytes().unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut names = tensors.names();
    names.sort();
    assert_eq!(
        names,
        [
            "layers.0.bias",
            "layers.0.weight",
            "layers.1.bias",
            "layers.1.weight",
            "layers.2.bias",
            "layers.2.weight"
        ]
    );
    let weight = tensors.tensor("layers.0.weight").unwrap();
    assert_eq!(weight.shape(), [70, 5]);
    let row_3 = &weight.data()[4 * 5 * 3..][..4];
    assert_eq!(row_3, mlp().weights(0).unwrap()[15].to_le_bytes());
}

#[test]
fn the_digest_is_sha256_of_the_parameters_in_name_order() {
    use sha2::{Digest, Sha256};
    let mlp = mlp();
    let mut hash = Sha256::new();
    for layer in 0..3 {
        mlp.bias(layer).unwrap().iter().for_each(|x| hash.update(x.to_le_bytes()));
        mlp.weights(layer).unwrap().iter().for_each(|x| hash.update(x.to_le_bytes()));
    }
    let want: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(mlp.digest(), want);
}

/// As text, `layers.10` stands before `layers.2`.
#[test]
fn the_digest_of_a_deep_network_follows_the_names_as_text() {
    use sha2::{Digest, Sha256};
    let mut builder = Mlp::builder(2);
    for _ in 0..10 {
        builder = builder.hidden(2, Activation::Relu, Keep::ONE);
    }
    let mlp = builder.output(2, Loss::SquaredError).build().unwrap();
    let mut hash = Sha256::new();
    for layer in [0, 1, 10, 2, 3, 4, 5, 6, 7, 8, 9] {
        mlp.bias(layer).unwrap().iter().for_each(|x| hash.update(x.to_le_bytes()));
        mlp.weights(layer).unwrap().iter().for_each(|x| hash.update(x.to_le_bytes()));
    }
    let want: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(mlp.digest(), want);
}

#[test]
fn truncated_at_any_byte() {
    let bytes = mlp().to_bytes().unwrap();
    for end in 0..bytes.len() {
        assert!(Mlp::from_bytes(&bytes[..end]).is_err(), "{end}");
    }
}

#[test]
fn not_safetensors() {
    refused(b"", "safetensors");
    refused(b"PK\x03\x04 a zip file", "safetensors");
    refused(&u64::MAX.to_le_bytes(), "safetensors");
}

#[test]
fn no_metadata_of_ours() {
    refused(&file("{}", b""), "thinnet");
    refused(&file(r#"{"__metadata__":{"format":"pt"}}"#, b""), "thinnet");
}

#[test]
fn metadata_that_is_not_an_architecture() {
    refused(&file(r#"{"__metadata__":{"thinnet":"{"}}"#, b""), "metadata");
    refused_with("mask_format", "mask_formal", "mask_format");
    refused_with("scaling", "scalinx", "scalinx");
}

#[test]
fn another_version() {
    refused_with(
        r#"\"format\":2"#,
        r#"\"format\":3"#,
        "file format 3: this version of thinnet reads only 2",
    );
    refused_with(
        r#"\"mask_format\":1"#,
        r#"\"mask_format\":9"#,
        "mask format 9: this version of thinnet reads only 1",
    );
    // One that says more than this version knows.
    let newer = r#"\"a_new_field\":7,\"format\":3"#;
    refused_with(r#"\"format\":2"#, newer, "file format 3: this version of thinnet reads only 2");
}

#[test]
fn a_keep_rate_out_of_range() {
    refused_with(r#"\"keep_k\":52429"#, r#"\"keep_k\":65537"#, "65537");
    refused_with(r#"\"keep_k\":52429"#, r#"\"keep_k\":0"#, "0");
    // A second way to say that nothing is dropped.
    refused_with(r#"\"keep_k\":52429"#, r#"\"keep_k\":65536"#, "noise of kind `none`");
}

#[test]
fn unknown_kinds_and_fields() {
    refused_with(r#"\"kind\":\"dense\""#, r#"\"kind\":\"convolution\""#, "`convolution`");
    refused_with(r#"\"kind\":\"bernoulli\""#, r#"\"kind\":\"uniform\""#, "`uniform`");
    for (from, to) in [
        (r#"\"kind\":\"dense\""#, r#"\"bias\":true,\"kind\":\"dense\""#),
        (r#"\"kind\":\"none\""#, r#"\"bias\":true,\"kind\":\"none\""#),
        (r#"\"kind\":\"bernoulli\""#, r#"\"bias\":true,\"kind\":\"bernoulli\""#),
        (r#"\"sparse\":true"#, r#"\"bias\":true,\"sparse\":true"#),
        (r#"\"mask_format\":1"#, r#"\"bias\":true,\"mask_format\":1"#),
    ] {
        refused_with(from, to, "unknown field `bias`");
    }
}

#[test]
fn an_output_layer_with_an_activation_or_noise() {
    let output = r#"{\"activation\":\"identity\",\"kind\":\"dense\",\"noise\":{\"kind\":\"none\"},\"width\":2}"#;
    for other in [
        output.replace("identity", "tanh"),
        output.replace(r#"\"kind\":\"none\""#, r#"\"kind\":\"bernoulli\",\"keep_k\":1"#),
    ] {
        refused_with(output, &other, "the output layer has activation");
    }
}

#[test]
fn an_unknown_activation_or_loss() {
    refused_with("relu", "rely", "rely");
    refused_with("binary_cross_entropy", "binary_cross_sentry", "binary_cross_sentry");
}

#[test]
fn sizes_that_the_tensors_do_not_have() {
    refused_with(r#"\"width\":5"#, r#"\"width\":6"#, "[70, 6]");
    let width = format!(r#"\"width\":{}"#, usize::MAX / 4 + 1);
    refused_with(r#"\"width\":70"#, &width, "layers.0.weight");
    refused_with(r#"\"width\":2"#, r#"\"width\":0"#, "layers.2.weight");
}

#[test]
fn missing_or_misnamed_tensors() {
    refused_with("layers.1.bias", "layers.9.bias", "layers.1.bias");
}

#[test]
fn tensors_of_another_type() {
    refused_with("\"F32\",\"shape\":[3]", "\"I32\",\"shape\":[3]", "I32");
}

#[test]
fn overlapping_tensors() {
    let (header, data) = parts();
    let offsets = header.find("data_offsets\":[").unwrap();
    let mut broken = header.clone();
    broken.replace_range(offsets + 15..offsets + 16, "4");
    refused(&file(&broken, &data), "safetensors");
}

#[test]
fn parameters_that_are_not_finite() {
    let (header, mut data) = parts();
    data[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    refused(&file(&header, &data), "NaN");
    let mut mlp = mlp();
    mlp.set_bias(1, &[0.0, f32::INFINITY, 0.0]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    assert!(mlp.save(&path).unwrap_err().to_string().contains("layers.1.bias"));
    assert!(!path.exists());
}

#[test]
fn places_that_cannot_be_written_or_read() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("no").join("model");
    assert!(mlp().save(&nowhere).unwrap_err().to_string().contains("model"));
    assert!(Mlp::load(&nowhere).unwrap_err().to_string().contains("model"));
    assert!(Mlp::load(folder.path()).is_err(), "a folder is no model");
    let path = folder.path().join("file");
    write_atomically(&path, b"before").unwrap();
    // A folder in the file's place: the rename fails, and nothing is left over.
    let taken = folder.path().join("taken");
    std::fs::create_dir_all(taken.join("inside")).unwrap();
    assert!(write_atomically(&taken, b"after").is_err());
    assert_eq!(std::fs::read(&path).unwrap(), b"before");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}
