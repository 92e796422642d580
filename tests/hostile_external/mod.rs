//! Graphs with tensors in another file, and other kinds of files in its place.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use tempfile::TempDir;
use thinnet::{Error, exchange::onnx::Model, nn::Mlp};

use super::{
    fits,
    hostile_files::external::{self, DATA, Files, GRAPH, Good},
    measured, onnx,
};

/// A new folder with both files; `None` if the file system does not support sparse files of that
/// size.
fn folder(files: &Files) -> Option<TempDir> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(GRAPH), &files.graph).unwrap();
    let data = folder.path().join(files.at);
    fs::create_dir_all(data.parent().unwrap()).unwrap();
    let mut file = File::create(data).unwrap();
    file.write_all(&files.data).unwrap();
    if files.sparse > 0 && file.set_len(files.sparse).is_err() {
        println!("skipped: no files of {} bytes here", files.sparse);
        return None;
    }
    Some(folder)
}

fn read(folder: &Path) -> Result<Mlp, Error> {
    Model::read(folder.join(GRAPH))?.network(None)
}

fn measured_read(folder: &Path) -> (Result<Mlp, String>, usize) {
    measured(&[], |_| read(folder))
}

fn refused(name: &str, folder: &Path, words: &str, size: usize) {
    let (read, most) = measured_read(folder);
    let reason = read.map(drop).expect_err(name);
    assert!(reason.contains(words), "{name}: {reason}");
    assert!(reason.len() < 2000, "{name}: a reason of {} bytes", reason.len());
    fits(name, size, most);
}

/// Part of the one test of `hostile.rs`.
pub fn external_tensors_are_read_or_refused() {
    for Good { name, files, inline } in external::good() {
        let Some(folder) = folder(&files) else { continue };
        let expected = onnx(&inline).expect(name);
        let (network, most) = measured_read(folder.path());
        let network = network.expect(name);
        assert_eq!(network, expected, "{name}");
        assert_eq!(network.digest(), expected.digest(), "{name}: bit for bit");
        // The ranges and the graph together are about as large as the other graph.
        fits(name, inline.len(), most);
        // Bytes have no folder to read the data from.
        let reason = onnx(&files.graph).unwrap_err().to_string();
        assert!(reason.contains("expected the graph to be read from a file"), "{name}: {reason}");
    }
    let mut count = 0;
    for file in external::bad() {
        let Some(folder) = folder(&file.files) else { continue };
        refused(file.name, folder.path(), file.words, file.files.graph.len());
        count += 1;
    }
    assert!(count >= 40, "{count}");
    #[cfg(unix)]
    other_kinds_of_files_are_refused();
    a_file_that_grows_is_refused_or_read();
}

fn good(name: &str) -> Good {
    external::good().into_iter().find(|good| good.name == name).unwrap()
}

#[cfg(unix)]
fn other_kinds_of_files_are_refused() {
    use std::os::unix::{fs::symlink, net::UnixListener};

    let elsewhere = tempfile::tempdir().unwrap();
    let Good { files, .. } = good("two-layers");
    let outside = elsewhere.path().join(DATA);
    fs::write(&outside, &files.data).unwrap();
    let check = |name: &str, words: &str, put: &dyn Fn(&Path)| {
        let folder = folder(&files).unwrap();
        let data = folder.path().join(DATA);
        fs::rename(&data, folder.path().join("moved")).unwrap();
        put(&data);
        refused(name, folder.path(), words, files.graph.len());
    };
    let link = "`x.data` is a symbolic link: expected a regular file";
    check("nothing", "put `x.data` in the graph's folder", &|_| {});
    check("link to elsewhere", link, &|data| symlink(&outside, data).unwrap());
    check("link within", link, &|data| symlink("moved", data).unwrap());
    check("link to nothing", link, &|data| symlink("nothing", data).unwrap());
    check("link to itself", link, &|data| symlink(DATA, data).unwrap());
    check("link to a device", link, &|data| symlink("/dev/zero", data).unwrap());
    check("folder", "`x.data` is a folder", &|data| fs::create_dir(data).unwrap());
    check("socket", "`x.data` is a socket", &|data| drop(UnixListener::bind(data).unwrap()));
    let graph = |data: &Path| fs::hard_link(data.with_file_name(GRAPH), data).unwrap();
    check("hard link", "that is the graph itself", &graph);
    // Opening it would wait for a writer.
    let pipe = |data: &Path| {
        let made = std::process::Command::new("mkfifo").arg(data).status();
        assert!(made.unwrap().success());
    };
    check("pipe", "`x.data` is a named pipe", &pipe);

    // A link to the folder of the file.
    let Good { files, .. } = good("below");
    let folder = folder(&files).unwrap();
    let more = folder.path().join("more");
    fs::rename(&more, folder.path().join("moved")).unwrap();
    symlink("moved", &more).unwrap();
    refused("link to a folder", folder.path(), "`more` is a symbolic link", files.graph.len());
}

/// A writer appends to the file while it is read.
fn a_file_that_grows_is_refused_or_read() {
    let Good { files, inline, .. } = good("two-layers");
    let expected = onnx(&inline).unwrap();
    let folder = folder(&files).unwrap();
    let mut file = File::options().append(true).open(folder.path().join(DATA)).unwrap();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Ends on its own if the reader panics.
            for _ in 0..1_000_000 {
                if is_done.load(Ordering::Relaxed) {
                    break;
                }
                file.write_all(&[0]).unwrap();
            }
        });
        for _ in 0..200 {
            match read(folder.path()) {
                Ok(network) => assert_eq!(network, expected),
                Err(error) => {
                    let reason = error.to_string();
                    assert!(reason.contains("expected it not to change"), "{reason}");
                }
            }
        }
        is_done.store(true, Ordering::Relaxed);
    });
}
