//! Saving where something stands already: links, modes, owners, what is no file.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, symlink},
        net::UnixListener,
    },
    path::Path,
    process::Command,
};

use thinnet::{
    Error, Keep,
    data::npy,
    files::{Identity, WriteLock, ensure_writable, write_atomically, write_atomically_with},
    nn::{Activation, Loss, Mlp},
    tensor::Matrix,
    train::{Provenance, Schedule, Sgd, Trainer},
};

/// A user that owns nothing, for those tests that root runs.
const NOBODY: u32 = 65534;

fn mlp() -> Mlp {
    let mlp = Mlp::builder(3).hidden(4, Activation::Relu, Keep::HALF);
    mlp.output(2, Loss::SoftmaxCrossEntropy).build().unwrap()
}

type Save = fn(&Path) -> Result<(), Error>;

/// Every way to save that the library has.
const WAYS: [(&str, Save); 5] = [
    ("bytes", |path| write_atomically(path, b"new")),
    ("pieces", |path| write_atomically_with(path, half_and_half)),
    ("model", |path| mlp().save(path)),
    ("checkpoint", |path| {
        let trainer =
            Trainer::builder(mlp(), Sgd::new(Schedule::Constant { value: 0.1 }), 1).build()?;
        trainer.save(path, &Provenance::new(), "")
    }),
    ("npy", |path| npy::write_matrix(path, Matrix::zeroed(2, 3)?.view())),
];

fn half_and_half(file: &mut BufWriter<&File>) -> Result<(), Error> {
    let io = |source| Error::io("half", source);
    file.write_all(b"ne").map_err(io)?;
    file.write_all(b"w").map_err(io)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn names(folder: &Path) -> Vec<String> {
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| name(entry.unwrap())).collect();
    names.sort();
    names
}

#[test]
fn links_are_kept_and_their_targets_are_written() {
    for (way, save) in WAYS {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("sub")).unwrap();
        fs::write(at("sub/file"), "old").unwrap();
        symlink("file", at("sub/relative")).unwrap();
        symlink(at("sub/relative"), at("chain")).unwrap();
        symlink("sub", at("folder")).unwrap();
        symlink("sub/new", at("dangling")).unwrap();
        symlink("../dangling", at("sub/to_dangling")).unwrap();
        for given in ["chain", "folder/file", "sub/../folder/relative"] {
            fs::write(at("sub/file"), "old").unwrap();
            save(&at(given)).unwrap();
            assert_ne!(fs::read(at("sub/file")).unwrap(), b"old", "{way}: {given}");
        }
        save(&at("sub/to_dangling")).unwrap();
        assert!(fs::symlink_metadata(at("sub/new")).unwrap().is_file(), "{way}");
        for (link, target) in [
            ("chain", at("sub/relative")),
            ("sub/relative", "file".into()),
            ("folder", "sub".into()),
            ("dangling", "sub/new".into()),
            ("sub/to_dangling", "../dangling".into()),
        ] {
            assert_eq!(fs::read_link(at(link)).unwrap(), target, "{way}: {link}");
        }
        assert_eq!(names(folder.path()), ["chain", "dangling", "folder", "sub"]);
        assert_eq!(names(&at("sub")), ["file", "new", "relative", "to_dangling"]);
    }
}

#[test]
fn links_that_lead_nowhere_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    symlink("b", at("a")).unwrap();
    symlink("a", at("b")).unwrap();
    symlink("self", at("self")).unwrap();
    symlink("gone/file", at("far")).unwrap();
    symlink("new/", at("to_folder")).unwrap();
    for (given, reason) in [
        ("a", "a loop of symbolic links"),
        ("self", "a loop of symbolic links"),
        ("far", "no such folder: "),
        ("to_folder", "not of a folder"),
    ] {
        for error in [write_atomically(at(given), b""), ensure_writable(at(given))] {
            let message = error.unwrap_err().to_string();
            let path = at(given);
            assert!(message.starts_with(&path.display().to_string()), "{message}");
            assert!(message.contains(reason), "{message}");
        }
        assert!(WriteLock::take(at(given)).is_err(), "{given}");
        assert!(fs::symlink_metadata(at(given)).unwrap().is_symlink());
    }
    assert_eq!(names(folder.path()), ["a", "b", "far", "self", "to_folder"]);
}

#[test]
fn special_files_are_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    symlink("pipe", at("to_pipe")).unwrap();
    let _listener = UnixListener::bind(at("socket")).unwrap();
    fs::create_dir(at("empty")).unwrap();
    symlink("/dev/null", at("null")).unwrap();
    for (way, save) in WAYS {
        for (path, reason) in [
            (at("pipe"), "a named pipe"),
            (at("to_pipe"), "a named pipe"),
            (at("socket"), "a socket"),
            (at("empty"), "a folder"),
            ("/dev/null".into(), "a device"),
            (at("null"), "a device"),
            ("/dev/stdout".into(), "a file in /proc or /dev/fd"),
            ("/dev/fd/1".into(), "a file in /proc or /dev/fd"),
            ("/proc/self/fd/2".into(), "a file in /proc or /dev/fd"),
        ] {
            if path.starts_with("/dev/") && !path.exists() {
                eprintln!("skipped: {} is not there", path.display());
                continue;
            }
            let message = save(&path).unwrap_err().to_string();
            let expected = format!("{}: {reason}", path.display());
            assert!(message.starts_with(&expected), "{way}: {message}");
        }
    }
    assert!(fs::metadata(at("pipe")).unwrap().file_type().is_fifo());
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    assert_eq!(names(folder.path()), ["empty", "null", "pipe", "socket", "to_pipe"]);
}

#[test]
fn the_mode_is_kept_and_never_gains_rights() {
    for (way, save) in WAYS {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for kept in [0o600, 0o640, 0o644, 0o664, 0o666, 0o755, 0o700, 0o604] {
            fs::write(&path, "old").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(kept)).unwrap();
            save(&path).unwrap();
            assert_eq!(mode(&path), kept, "{way}");
        }
        // They are about the old contents.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o6755)).unwrap();
        save(&path).unwrap();
        assert_eq!(mode(&path), 0o755, "{way}");
        // As any new file.
        fs::write(folder.path().join("any"), "").unwrap();
        let new = folder.path().join("new");
        save(&new).unwrap();
        assert_eq!(mode(&new), mode(&folder.path().join("any")), "{way}");
    }
    // While it is written too.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let mut seen = Vec::new();
    write_atomically_with(&path, |file| {
        seen.push(file.get_ref().metadata().unwrap().mode() & 0o7777);
        half_and_half(file)
    })
    .unwrap();
    assert_eq!((seen, mode(&path)), (vec![0o600], 0o600));
}

#[test]
fn owner_and_group_stay_where_root_saves() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for (way, save) in WAYS {
        fs::write(&path, "old").unwrap();
        if chown(&path, Some(NOBODY), Some(NOBODY - 1)).is_err() {
            eprintln!("skipped: this user may not give files away");
            return;
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        save(&path).unwrap();
        let found = fs::metadata(&path).unwrap();
        assert_eq!((found.uid(), found.gid(), mode(&path)), (NOBODY, NOBODY - 1, 0o640), "{way}");
        fs::remove_file(&path).unwrap();
    }
}

/// One name becomes a file of its own, as the docs say.
#[test]
fn hard_links_keep_the_old_contents() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    fs::write(&first, "old").unwrap();
    fs::hard_link(&first, &second).unwrap();
    write_atomically(&first, b"new").unwrap();
    assert_eq!(fs::read(&first).unwrap(), b"new");
    assert_eq!(fs::read(&second).unwrap(), b"old");
}

#[test]
fn a_file_of_the_user_is_not_removed_as_left_over() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mine = [".thinnet-mine.tmp", ".thinnet-model1.tmp", ".thinnet-unfinished-a.tmp"];
    for name in mine {
        mlp().save(at(name)).unwrap();
    }
    for (_, save) in WAYS {
        save(&at("another")).unwrap();
    }
    for name in mine {
        Mlp::load(at(name)).unwrap();
    }
    // What would be taken for it, or removed with a lock, is not written at all.
    let left_over = ".thinnet-unfinished-Ab12Cd34Ef56Gh78.tmp";
    symlink(left_over, at("link")).unwrap();
    for name in [left_over, ".thinnet-another.lock", "link"] {
        for (way, save) in WAYS {
            let message = save(&at(name)).unwrap_err().to_string();
            assert!(message.contains("expected another"), "{way}: {message}");
        }
        assert!(!at(name).exists());
    }
    // A file that somebody put there by other means.
    fs::write(at(".thinnet-another.lock"), "mine").unwrap();
    let message = WriteLock::take(at("another")).unwrap_err().to_string();
    assert!(message.contains(".thinnet-another.lock: not a lock file"), "{message}");
    assert_eq!(fs::read(at(".thinnet-another.lock")).unwrap(), b"mine");
}

/// By whichever path it is reached.
#[test]
fn a_lock_is_on_the_file_that_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("sub")).unwrap();
    symlink("sub/file", at("link")).unwrap();
    let _lock = WriteLock::take(at("link")).unwrap();
    assert!(matches!(WriteLock::take(at("sub/file")), Err(Error::InUse { .. })));
    assert!(WriteLock::take(at("file")).is_ok());
}

#[test]
fn different_paths_to_one_file_are_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("sub")).unwrap();
    fs::write(at("file"), "").unwrap();
    fs::write(at("other"), "").unwrap();
    fs::hard_link(at("file"), at("hard")).unwrap();
    symlink("../file", at("sub/soft")).unwrap();
    symlink("sub", at("to_sub")).unwrap();
    symlink("sub/new", at("dangling")).unwrap();
    symlink("dangling", at("to_dangling")).unwrap();
    let id = |name: &str| Identity::of(at(name)).unwrap();
    for same in ["hard", "sub/soft", "sub/../file", "to_sub/soft", "./file"] {
        assert_eq!(id(same), id("file"), "{same}");
    }
    for same in ["dangling", "to_dangling", "to_sub/new"] {
        assert_eq!(id(same), id("sub/new"), "{same}");
    }
    for other in ["other", "new", "sub/new", "sub", "sub/file"] {
        assert_ne!(id(other), id("file"), "{other}");
    }
    assert_ne!(id("new"), id("sub/new"));
    assert!(Identity::of(at("gone/new")).unwrap_err().to_string().contains("no such folder"));
}
