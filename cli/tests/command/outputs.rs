//! No run overwrites a file that it reads, or writes one file twice.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Stdio,
};

use tempfile::TempDir;
use thinnet::{
    Keep,
    nn::{Activation, Loss, Mlp},
};

use crate::program::{fails, succeeds, thinnet};

/// A folder with the inputs of these runs. No run gets far enough to read them.
struct Given(TempDir);

impl Given {
    fn new() -> Self {
        let given = Self(TempDir::new().unwrap());
        let at = |name: &str| given.path().join(name);
        for dir in ["idx", "npy", "empty"] {
            fs::create_dir(at(dir)).unwrap();
        }
        for file in [
            "X.npy",
            "y.npy",
            "m",
            "sd.safetensors",
            "a.toml",
            "c",
            "idx/train-images-idx3-ubyte",
            "idx/train-labels-idx1-ubyte",
            "idx/t10k-images.idx3-ubyte.gz",
            "npy/x_train.npy",
            "npy/y_test.npy",
        ] {
            fs::write(at(file), file).unwrap();
        }
        fs::hard_link(at("X.npy"), at("hard")).unwrap();
        fs::hard_link(at("npy/x_train.npy"), at("hard_train")).unwrap();
        for (target, link) in [
            ("y.npy", "soft"),
            ("soft", "softer"),
            ("m", "to_m"),
            ("idx", "to_idx"),
            ("idx/train-labels-idx1-ubyte", "to_labels"),
            ("npy/x_test.npy", "dangling"),
            ("new", "to_new"),
        ] {
            symlink(target, at(link)).unwrap();
        }
        given
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Returns all files with their contents, and all links with their targets.
    fn all(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut all = BTreeMap::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                } else if let Ok(target) = fs::read_link(&path) {
                    all.insert(path, target.into_os_string().into_encoded_bytes());
                } else {
                    let bytes = fs::read(&path).unwrap();
                    all.insert(path, bytes);
                }
            }
        }
        all
    }

    /// Checks that the run is refused before it touches any file, with both flags named.
    fn refuses(&self, arguments: &[&str], flags: [&str; 2]) {
        let before = self.all();
        let line = fails(self.path(), arguments, 2);
        assert!(flags.iter().all(|flag| line.contains(flag)), "{arguments:?}: {line}");
        assert!(line.contains("expected different files"), "{arguments:?}: {line}");
        assert!(self.all() == before, "{arguments:?}");
    }
}

#[test]
fn no_output_of_a_run_is_also_its_input() {
    let given = Given::new();
    let arrays = ["train", "--data=X.npy", "--labels=y.npy", "--held-out=1"];
    for (flag, file, input) in [
        ("--out", "X.npy", "--data"),
        ("--out", "./idx/../X.npy", "--data"),
        ("--out", "hard", "--data"),
        ("--report", "y.npy", "--labels"),
        ("--report", "softer", "--labels"),
        ("--plot", "soft", "--labels"),
        ("--checkpoint", "hard", "--data"),
        ("--checkpoint", "y.npy", "--labels"),
    ] {
        given.refuses(&[&arrays[..], &[flag, file]].concat(), [flag, input]);
    }
    given.refuses(&[&arrays[..], &["--out=X.npy", "--report=y.npy"]].concat(), ["--out", "--data"]);
    for (data, file) in [
        ("idx", "idx/train-images-idx3-ubyte"),
        ("idx", "to_idx/train-labels-idx1-ubyte"),
        ("to_idx", "idx/train-images-idx3-ubyte"),
        ("idx", "to_labels"),
        ("idx", "idx/t10k-images.idx3-ubyte.gz"),
        // These do not exist, but would be read the next time.
        ("idx", "idx/train-images-idx3-ubyte.gz"),
        ("idx", "idx/x_train.npy"),
        ("empty", "empty/t10k-labels-idx1-ubyte"),
        ("npy", "npy/x_train.npy"),
        ("npy", "hard_train"),
        ("npy", "dangling"),
    ] {
        for flag in ["--out", "--report", "--plot", "--log", "--checkpoint"] {
            given.refuses(&["train", "--data", data, flag, file], [flag, "--data"]);
        }
    }
    for flag in ["--out", "--report", "--plot"] {
        given.refuses(&["train", "--resume=c", flag, "c"], [flag, "--resume"]);
        given.refuses(&["train", "--resume=c", "--checkpoint=d", flag, "c"], [flag, "--resume"]);
    }
    given.refuses(
        &["train", "--data=X.npy", "--labels=y.npy", "--resume=X.npy"],
        ["--resume", "--data"],
    );
}

#[test]
fn no_file_is_written_twice() {
    let given = Given::new();
    let flags = ["--out", "--report", "--plot", "--log", "--checkpoint"];
    for (first, second) in [("z", "z"), ("z", "idx/../z"), ("new", "to_new"), ("X.npy", "hard")] {
        for (i, one) in flags.iter().enumerate() {
            for other in &flags[i + 1..] {
                given.refuses(&["train", one, first, other, second], [one, other]);
                given.refuses(&["train", one, second, other, first], [one, other]);
            }
        }
    }
}

#[test]
fn no_output_of_another_command_is_also_its_input() {
    let given = Given::new();
    let cases: [(&[&str], [&str; 2]); 12] = [
        (&["calibration", "--model=m", "--plot=m"], ["--model", "--plot"]),
        (&["calibration", "--model=m", "--plot=to_m"], ["--model", "--plot"]),
        (&["calibration", "--model=m", "--data=idx", "--plot=to_labels"], ["--data", "--plot"]),
        (
            &["calibration", "--model=m", "--data=X.npy", "--labels=y.npy", "--plot=hard"],
            ["--data", "--plot"],
        ),
        (&["convert", "m", "m"], ["IN", "OUT"]),
        (&["convert", "m", "to_m"], ["IN", "OUT"]),
        (&["quantize", "m", "--out=to_m"], ["MODEL", "--out"]),
        (&["quantize", "m", "--data=X.npy", "--out=hard"], ["--data", "--out"]),
        (&["quantize", "m", "--data=npy", "--out=hard_train"], ["--data", "--out"]),
        (
            &["convert", "sd.safetensors", "a.toml", "--architecture=a.toml"],
            ["OUT", "--architecture"],
        ),
        (
            &["convert", "sd.safetensors", "./sd.safetensors", "--architecture=a.toml"],
            ["OUT", "IN"],
        ),
        (
            &["convert", "a.toml", "sd.safetensors", "--architecture=sd.safetensors"],
            ["OUT", "--architecture"],
        ),
    ];
    for (arguments, flags) in cases {
        given.refuses(arguments, flags);
    }
}

/// Just as `cat file >> file` is refused.
#[test]
fn stdout_is_not_redirected_to_a_file_that_is_read_or_written() {
    let given = Given::new();
    for (arguments, file, flag) in [
        (&["eval", "--model=m"][..], "m", "--model"),
        (&["predict", "--model=m", "--data=X.npy"], "hard", "--data"),
        (&["profile", "--model=m", "--data=idx"], "idx/train-labels-idx1-ubyte", "--data"),
        (&["inspect", "m"], "m", "FILE"),
        (&["convert", "m", "n"], "n", "OUT"),
        (&["demo", "--plot=p.svg"], "p.svg", "--plot"),
        (&["train", "--report=r.json"], "r.json", "--report"),
        (&["train", "--report=r.json"], "/dev/null", ""),
    ] {
        let stream = || fs::File::options().append(true).create(true).open(given.path().join(file));
        let mut run = thinnet(given.path());
        run.args(arguments).stdout(stream().unwrap()).stderr(Stdio::piped());
        if flag.is_empty() {
            run.args(["--data=nowhere"]);
        }
        let output = run.output().unwrap();
        let line = String::from_utf8(output.stderr).unwrap();
        if flag.is_empty() {
            assert!(line.contains("nowhere"), "{line}");
            continue;
        }
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {line}");
        assert!(line.contains("standard output") && line.contains(flag), "{line}");
    }
    assert_eq!(fs::read(given.path().join("m")).unwrap(), b"m");
}

/// These files may be the same, and these names do not belong to a data set.
#[test]
fn outputs_that_are_not_inputs_are_written() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let small = ["train", "--hidden=2", "--epochs=1", "--threads=1", "--quiet"];
    let train = |more: &[&str]| succeeds(folder, &[&small[..], more].concat());
    fs::create_dir(folder.join("sub")).unwrap();
    fs::write(folder.join("private"), "").unwrap();
    fs::set_permissions(folder.join("private"), fs::Permissions::from_mode(0o600)).unwrap();
    symlink("sub/there", folder.join("link")).unwrap();
    train(&["--checkpoint=c", "--out=link", "--report=private"]);
    Mlp::load(folder.join("sub/there")).unwrap();
    let mode = fs::metadata(folder.join("private")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // The same file under both names, and under another path.
    symlink("c", folder.join("to_c")).unwrap();
    for checkpoint in ["c", "to_c", "./sub/../c"] {
        train(&["--resume=c", "--checkpoint", checkpoint, "--out=again"]);
    }
    train(&["--resume=to_c"]);
    assert!(folder.join("to_c").is_symlink());
    assert_eq!(fs::read(folder.join("again")).unwrap(), fs::read(folder.join("link")).unwrap());
}

#[test]
fn a_name_with_the_ending_of_another_format_is_refused() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let mlp = Mlp::builder(2).hidden(2, Activation::Relu, Keep::HALF);
    mlp.output(2, Loss::SoftmaxCrossEntropy).build().unwrap().save(folder.join("m")).unwrap();
    for name in ["x.ort", "x.pt", "x.PTH", "x.bin", "x.npz", "x.pkl", "x.h5", "x.toml", "x.gz"] {
        let line = fails(folder, &["convert", "m", name], 2);
        assert!(line.contains(&format!("OUT {name}: ")), "{line}");
        assert!(line.contains("the file will be safetensors"), "{line}");
        assert!(line.contains("such as x.safetensors"), "{line}");
        let line = fails(folder, &["train", "--checkpoint", name], 2);
        assert!(line.contains(&format!("--checkpoint {name}: ")), "{line}");
    }
    for (arguments, expected) in [
        (["train", "--out=m.onnx"], "such as m.safetensors"),
        (["train", "--checkpoint=m.ONNX"], "such as m.safetensors"),
        (["train", "--out=m.json"], "such as m.safetensors"),
        (["train", "--report=r.csv"], "such as r.json"),
        (["train", "--report=r.svg"], "such as r.json"),
        (["train", "--plot=curves.png"], "such as curves.svg"),
        (["train", "--log=curves.csv"], "such as curves.jsonl"),
        (["train", "--plot=curves.safetensors"], "such as curves.svg"),
        (["demo", "--plot=p.pdf"], "such as p.svg"),
    ] {
        let line = fails(folder, &arguments, 2);
        assert!(line.contains(expected), "{line}");
    }
    // These names stand for no format, or for the right one.
    for name in ["x", "x.safetensors", "x.v2", "x.2026-11-27", "x.ckpt", ".x"] {
        succeeds(folder, &["convert", "m", name]);
    }
    assert_eq!(fs::read_dir(folder).unwrap().count(), 7);
}
