//! Output files. They are checked before the work, and written completely or not at all after it.

use std::{
    ffi::OsStr,
    fmt, fs,
    path::{Path, PathBuf},
};

use thinnet::{
    Error,
    files::{Identity, WriteLock, ensure_writable, write_atomically},
};

use crate::console::usage;

/// A file and the flag that named it.
pub type Named = (&'static str, PathBuf);

/// The format of an output file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Models, checkpoints, state dicts.
    Safetensors,
    /// Graphs.
    Onnx,
    /// Reports.
    Json,
    /// Logs.
    JsonLines,
    /// Pictures.
    Svg,
}

/// Endings of names that stand for a format. A file is refused if its ending stands for another
/// format than the one that is written; endings that are not listed are accepted.
const ENDINGS: &[(&str, &[&str])] = &[
    ("safetensors", &["safetensors"]),
    ("JSON", &["json"]),
    ("SVG", &["svg"]),
    ("JSON Lines", &["jsonl", "ndjson"]),
    ("ONNX", &["onnx"]),
    ("ONNX Runtime's own format", &["ort"]),
    ("PyTorch's own format", &["pt", "pth", "pt2", "bin", "torch", "torchscript"]),
    ("pickle", &["pkl", "pickle", "joblib", "dill"]),
    ("a NumPy format", &["npy", "npz"]),
    ("a TensorFlow format", &["h5", "hdf5", "keras", "pb", "tflite", "index", "meta"]),
    ("GGUF", &["gguf", "ggml"]),
    ("a Core ML format", &["mlmodel", "mlpackage"]),
    ("OpenVINO or PMML", &["xml", "pmml"]),
    ("MessagePack", &["msgpack"]),
    ("MATLAB's format", &["mat"]),
    ("TOML or YAML", &["toml", "yaml", "yml"]),
    ("a table", &["csv", "tsv", "parquet", "arrow", "feather", "xlsx", "xls"]),
    ("a raster image", &["png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff"]),
    ("a document", &["pdf", "ps", "eps", "html", "htm", "md", "tex"]),
    ("a compressed file", &["gz", "bz2", "xz", "zst", "zip", "tar", "tgz", "7z"]),
];

impl Format {
    /// Returns its name, and the usual ending of its files.
    const fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::Safetensors => ("safetensors", "safetensors"),
            Self::Onnx => ("ONNX", "onnx"),
            Self::Json => ("JSON", "json"),
            Self::JsonLines => ("JSON Lines", "jsonl"),
            Self::Svg => ("SVG", "svg"),
        }
    }

    /// Returns the format of a network that is written to a file of this name.
    pub fn of_network(path: &Path) -> Self {
        let is_onnx = ending(path).as_deref() == Some(Self::Onnx.name().1);
        if is_onnx { Self::Onnx } else { Self::Safetensors }
    }

    /// Refuses a file whose name stands for another format.
    fn check(self, (flag, path): &Named) -> anyhow::Result<()> {
        let (own, own_ending) = self.name();
        let ending = ending(path);
        let is = |(_, endings): &&(&str, &[&str])| {
            ending.as_deref().is_some_and(|ending| endings.contains(&ending))
        };
        match ENDINGS.iter().find(is) {
            Some((named, _)) if *named != own => Err(usage(format!(
                "{flag} {}: the ending of the name is that of {named}, but the file will be {own}: \
                 expected a name such as {}",
                path.display(),
                path.with_extension(own_ending).display()
            ))),
            _ => Ok(()),
        }
    }
}

/// Returns the ending of a file's name, in lower case.
fn ending(path: &Path) -> Option<String> {
    path.extension().and_then(OsStr::to_str).map(str::to_lowercase)
}

/// A file to be written. [`open`] has checked that it is writable, and that it is not also another
/// file that the run reads or writes.
#[derive(Debug)]
pub struct Output {
    /// The flag that named it.
    flag: &'static str,
    /// As the user wrote it.
    given: PathBuf,
}

/// Checks the files that a run writes, before any work is done. Every subcommand calls this, so that
/// no output can also be an input, another output, or the file that stdout or stderr is redirected
/// to. If one is, no file is touched.
///
/// # Errors
/// Two of them are the same file ([`Identity`]); a name stands for another format; and the errors of
/// [`ensure_writable`].
pub fn open<const N: usize>(
    reads: &[Named],
    writes: [(Format, Named); N],
) -> anyhow::Result<[Output; N]> {
    check(reads, writes.iter())?;
    Ok(writes.map(Output::new))
}

/// Like [`open`], for outputs that are optional.
///
/// # Errors
/// Those of [`open`].
pub fn open_given<const N: usize>(
    reads: &[Named],
    writes: [Option<(Format, Named)>; N],
) -> anyhow::Result<[Option<Output>; N]> {
    check(reads, writes.iter().flatten())?;
    Ok(writes.map(|file| file.map(Output::new)))
}

fn check<'a>(
    reads: &[Named],
    writes: impl Iterator<Item = &'a (Format, Named)> + Clone,
) -> anyhow::Result<()> {
    let mut seen = Vec::new();
    // A missing input is reported when it is read.
    let identified = |named: &Named| Some((named.clone(), Identity::of(&named.1).ok()?));
    seen.extend(reads.iter().filter_map(identified));
    for (_, named) in writes.clone() {
        let id = Identity::of(&named.1).map_err(|error| explain(named, error))?;
        if let Some((other, _)) = seen.iter().find(|(_, other)| *other == id) {
            return Err(same(other, named));
        }
        seen.push((named.clone(), id));
    }
    for stream in streams() {
        // A pipe or a terminal may be read and written at once; `streams` only has files.
        if let Some((stream, id)) = identified(&stream)
            && let Some((other, _)) = seen.iter().find(|(_, other)| *other == id)
        {
            return Err(same(&stream, other));
        }
    }
    for (format, named) in writes {
        format.check(named)?;
        ensure_writable(&named.1).map_err(|error| explain(named, error))?;
    }
    Ok(())
}

impl Output {
    /// Checks that this is not one of the files that turned out to be read too; `what` names them.
    ///
    /// # Errors
    /// It is one of them.
    pub fn check_against(&self, what: &'static str, reads: &[PathBuf]) -> anyhow::Result<()> {
        match reads.iter().find(|path| are_same(path, &self.given)) {
            Some(path) => Err(same(&(what, path.clone()), &(self.flag, self.given.clone()))),
            None => Ok(()),
        }
    }
}

/// Whether both paths are the same file. A path that does not exist is not the same as any other.
pub fn are_same(one: &Path, other: &Path) -> bool {
    let [one, other] = [one, other].map(|path| Identity::of(path).ok());
    one.is_some() && one == other
}

/// Returns the files that stdout and stderr are redirected to.
fn streams() -> impl Iterator<Item = Named> {
    [("standard output", "/dev/stdout"), ("standard error", "/dev/stderr")]
        .map(|(name, path)| (name, PathBuf::from(path)))
        .into_iter()
        .filter(|(_, path)| fs::metadata(path).is_ok_and(|found| found.is_file()))
}

/// Returns the error of two flags that name the same file.
fn same((flag, path): &Named, (other_flag, other): &Named) -> anyhow::Error {
    let (path, other) = (path.display(), other.display());
    usage(if path.to_string() == other.to_string() {
        format!("{flag} and {other_flag} are both {path}: expected different files")
    } else {
        format!(
            "{flag} and {other_flag} are the same file, {path} and {other}: expected different \
             files"
        )
    })
}

/// Adds the flag, and the path as the user wrote it, to an error.
fn explain((flag, given): &Named, error: Error) -> anyhow::Error {
    let reason: &dyn fmt::Display = match &error {
        Error::Io { source, .. } => source,
        Error::Format { path: Some(path), reason } if path == given => reason,
        Error::InUse { .. } => {
            &"another run is writing this file: expected a different file for each run"
        }
        error => error,
    };
    // The system's error does not say which part of the path is a file.
    if let Some(file) = given.ancestors().skip(1).find(|above| above.is_file()) {
        return anyhow::anyhow!("{flag} {}: not a folder: {}", given.display(), file.display());
    }
    anyhow::anyhow!("{flag} {}: {reason}", given.display())
}

impl Output {
    fn new((_, (flag, given)): (Format, Named)) -> Self {
        Self { flag, given }
    }

    /// Whether the file exists.
    pub fn exists(&self) -> bool {
        self.given.exists()
    }

    /// Keeps other runs from writing the file while the lock lives.
    ///
    /// # Errors
    /// Another run holds the lock, or the system's error.
    pub fn lock(&self) -> anyhow::Result<WriteLock> {
        WriteLock::take(&self.given).map_err(|error| self.explain(error))
    }

    /// Writes the file.
    ///
    /// # Errors
    /// The system's error, with the flag.
    pub fn write(&self, bytes: &[u8]) -> anyhow::Result<()> {
        write_atomically(&self.given, bytes).map_err(|error| self.explain(error))
    }

    /// Lets `save` write the file, given its path.
    ///
    /// # Errors
    /// Those of `save`, with the flag.
    pub fn save(&self, save: impl FnOnce(&Path) -> Result<(), Error>) -> anyhow::Result<()> {
        save(&self.given).map_err(|error| self.explain(error))
    }

    /// Returns the path as the user wrote it.
    pub fn given(&self) -> &Path {
        &self.given
    }

    /// Returns the system's error with the flag.
    pub fn failed(&self, error: std::io::Error) -> anyhow::Error {
        self.explain(Error::io(&self.given, error))
    }

    fn explain(&self, error: Error) -> anyhow::Error {
        explain(&(self.flag, self.given.clone()), error)
    }
}
