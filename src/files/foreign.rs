//! Files in unsupported formats, recognised by their first bytes.

use std::path::Path;

/// Returns what kind of file this is instead of safetensors, if its first bytes show it (64 are
/// enough), and how to convert it.
pub(crate) fn foreign(first: &[u8], path: Option<&Path>) -> Option<String> {
    let path = path.unwrap_or(Path::new("state_dict.pt"));
    let of_numpy = "a NumPy archive (NPZ)".to_owned();
    Some(match first {
        [] => "an empty file".to_owned(),
        [b'P', b'K', 3, 4, ..] if first_entry(first).ends_with(b".npy") => of_numpy,
        // Everything that torch.save writes since version 1.6, and what TorchScript does.
        [b'P', b'K', 3, 4, ..] => of_torch("a ZIP file, as written by torch.save", path),
        // Older files start with a pickle of a ten-byte number.
        [0x80, 2..=5, 0x8a, 10, ..] => of_torch("a file written by torch.save", path),
        [0x80, 2..=5, ..] => of_torch("a Python pickle, as written by torch.save", path),
        [0x89, b'H', b'D', b'F', ..] => "an HDF5 file, as written by Keras".to_owned(),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => "a NumPy array (NPY)".to_owned(),
        [b'G', b'G', b'U', b'F', ..] => "a GGUF file".to_owned(),
        [0x1f, 0x8b, ..] => "a gzip file: unpack it first".to_owned(),
        _ if first.starts_with(b"version https://git-lfs") => {
            "a Git LFS pointer: run `git lfs pull` to fetch the file".to_owned()
        }
        _ => return None,
    })
}

/// The name of a ZIP file's first entry, possibly truncated.
fn first_entry(zip: &[u8]) -> &[u8] {
    const NAME: usize = 30;
    let length =
        zip.get(26..28).map_or(0, |length| usize::from(length[0]) | usize::from(length[1]) << 8);
    let rest = zip.get(NAME..).unwrap_or_default();
    &rest[..length.min(rest.len())]
}

/// How to convert a file of torch.save to safetensors: a line that runs in Python as is.
fn of_torch(what: &str, path: &Path) -> String {
    let python = |path: &Path| format!("{:?}", path.display().to_string());
    format!(
        "{what}: expected safetensors; if it holds a state dict, this line of Python converts it, \
         for `thinnet convert`: import torch; from safetensors.torch import save_file; \
         save_file(torch.load({}, map_location=\"cpu\"), {})",
        python(path),
        python(&path.with_extension("safetensors"))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ZIP file's first header, for an entry of this name.
    fn zip(name: &str) -> Vec<u8> {
        let mut bytes = b"PK\x03\x04".to_vec();
        bytes.resize(26, 0);
        bytes.extend((name.len() as u16).to_le_bytes());
        bytes.extend([0, 0]);
        bytes.extend(name.as_bytes());
        bytes
    }

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        let line = "save_file(torch.load(\"a/m.pt\", map_location=\"cpu\"), \"a/m.safetensors\")";
        for (first, words) in [
            (zip("archive/data.pkl"), line),
            (zip(&format!("{}/data.pkl", "long".repeat(20))), line),
            // Before version 1.6: the number 0x1950a86a20f9469cfc6c.
            (b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.".to_vec(), line),
            (b"\x80\x04\x95\x00".to_vec(), line),
            (zip("arr_0.npy"), "NPZ"),
            (b"\x93NUMPY\x01\x00".to_vec(), "NPY"),
            (b"\x89HDF\r\n".to_vec(), "Keras"),
            (b"GGUF\x03".to_vec(), "GGUF"),
            (b"\x1f\x8b\x08".to_vec(), "gzip"),
            (b"version https://git-lfs.github.com/spec/v1\n".to_vec(), "git lfs pull"),
            (Vec::new(), "empty"),
        ] {
            for end in [first.len(), first.len().min(64)] {
                let found = foreign(&first[..end], Some(Path::new("a/m.pt"))).unwrap();
                assert!(found.contains(words) && !found.contains('\n'), "{found}");
            }
        }
        for unknown in [&b"{}"[..], b"\x08\x07\x12", b"PK", b"\x80\x09", b"\x40\0\0\0\0\0\0\0{"] {
            assert_eq!(foreign(unknown, None), None);
        }
        // Truncated anywhere.
        for end in 4..40 {
            let cut = &zip("archive/data.pkl")[..end];
            assert!(foreign(cut, None).unwrap().contains("torch.load(\"state_dict.pt\""));
        }
    }
}
