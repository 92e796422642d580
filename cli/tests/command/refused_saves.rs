//! Full disks, read-only folders and vanished folders: training continues, and the last good file
//! is kept.

use std::{
    fs::{self, File, Permissions},
    io::Write,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use thinnet::checkpoint::Contents;

use crate::program::thinnet;

/// The user `nobody`, to whom permissions apply even if the tests run as root.
const NOBODY: u32 = 65534;

/// 40 epochs of 63 steps, with a checkpoint of 100 kB.
fn training(folder: &Path, checkpoint: &str, every: &str) -> Command {
    let mut command = thinnet(folder);
    command
        .args(["train", "--hidden=16", "--epochs=40", "--evaluate-every=40", "--threads=1"])
        .args(["--quiet", checkpoint, "--checkpoint-every", every])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Returns the digest on stdout.
fn digest(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let line = stdout.lines().find(|line| line.starts_with("digest")).expect("a digest");
    line.to_owned()
}

/// Trains, makes the folder `sub` unusable after the first checkpoint, and repairs it after
/// the run has ended.
fn interferes(folder: &Path, user: Option<u32>, breaks: impl Fn(&Path), mends: impl Fn(&Path)) {
    let sub = folder.join("sub");
    let command = |checkpoint: &str, every: &str| {
        let mut command = training(folder, checkpoint, every);
        if let Some(id) = user {
            command.uid(id).gid(id);
        }
        command
    };
    let child = match command("--checkpoint=sub/c", "5").spawn() {
        Err(error) if user.is_some() => {
            eprintln!("skipped: `nobody` cannot run the command here: {error}");
            return;
        }
        child => child.unwrap(),
    };
    while !sub.join("c").exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    breaks(&sub);
    let output = child.wait_with_output().unwrap();
    mends(&sub);

    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let mut lines: Vec<_> = stderr.lines().collect();
    let last = lines.pop().unwrap();
    assert!(last.starts_with("error: --checkpoint sub/c: "), "{stderr}");
    assert!(!lines.is_empty(), "the run ended too soon");
    for line in lines {
        assert!(line.starts_with("warning: no checkpoint after step "), "{line}");
        assert!(line.contains("training continues") && !line.contains(".thinnet-"), "{line}");
    }
    // Training itself finished and printed its results.
    let found = digest(&output);
    let step = Contents::read(sub.join("c")).unwrap().training.unwrap().step;
    assert!((5..40 * 63).contains(&step), "{step}");
    let resumed = command("--resume=sub/c", "1000").output().unwrap();
    assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
    assert_eq!(digest(&resumed), found);
    assert_eq!(fs::read_dir(&sub).unwrap().count(), 1, "nothing is left over");
}

/// A small file system in memory, if this user may mount one.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn mount(at: &'a Path) -> Option<Self> {
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(at)
            .stderr(Stdio::null())
            .status();
        if mount.is_ok_and(|status| status.success()) {
            return Some(Self(at));
        }
        eprintln!("skipped: this user cannot mount a file system");
        None
    }

    /// Fills it, including the space that a failed or finished write frees again.
    fn fill(&self) {
        let mut filler = File::options().create(true).append(true).open(self.0.join("fill"));
        for _ in 0..10 {
            let filler = filler.as_mut().unwrap();
            while filler.write(&[0; 512]).is_ok_and(|written| written > 0) {}
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("fill")).unwrap();
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn a_run_survives_a_full_disk() {
    let folder = TempDir::new().unwrap();
    let sub = folder.path().join("sub");
    fs::create_dir(&sub).unwrap();
    let Some(disk) = SmallDisk::mount(&sub) else { return };
    interferes(folder.path(), None, |_| disk.fill(), |_| disk.empty());

    // If a result cannot be written, that is an error, and the old file is kept.
    fs::write(sub.join("m"), "old").unwrap();
    disk.fill();
    let output =
        training(folder.path(), "--checkpoint=c", "1000").arg("--out=sub/m").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("error: --out sub/m: ") && stderr.lines().count() == 1, "{stderr}");
    assert!(!digest(&output).is_empty());
    assert_eq!(fs::read(sub.join("m")).unwrap(), b"old");
    disk.empty();
    // The state was saved, so the result can be written without training again.
    let output = training(folder.path(), "--resume=c", "1000").arg("--out=sub/m").output().unwrap();
    assert!(output.status.success());
    thinnet::nn::Mlp::load(sub.join("m")).unwrap();
}

#[test]
fn a_run_survives_a_read_only_folder() {
    let folder = TempDir::new().unwrap();
    let sub = folder.path().join("sub");
    fs::create_dir(&sub).unwrap();
    let root = fs::metadata(&sub).unwrap().uid() == 0;
    if root {
        for path in [folder.path(), &sub] {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
    let permit =
        |mode| move |sub: &Path| fs::set_permissions(sub, Permissions::from_mode(mode)).unwrap();
    interferes(folder.path(), root.then_some(NOBODY), permit(0o555), permit(0o755));
}

#[test]
fn a_run_survives_a_vanished_folder() {
    let folder = TempDir::new().unwrap();
    let sub = folder.path().join("sub");
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir(&sub).unwrap();
    interferes(
        folder.path(),
        None,
        |sub| fs::rename(sub, &elsewhere).unwrap(),
        |sub| fs::rename(&elsewhere, sub).unwrap(),
    );
}

/// A rename only needs permission to write to the folder, so the file's own permissions are checked
/// too; and if the owner cannot be kept, no other user gains access.
#[test]
fn a_file_of_another_user_is_replaced_only_if_it_is_writable() {
    let folder = TempDir::new().unwrap();
    if fs::metadata(folder.path()).unwrap().uid() != 0 {
        eprintln!("skipped: this user cannot run the command as another");
        return;
    }
    chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    let at = |name: &str| folder.path().join(name);
    for (name, owner, mode) in [
        ("read_only", NOBODY, 0o444),
        ("of_root", 0, 0o644),
        ("open", 0, 0o666),
        ("but_not_to_the_group", 0, 0o606),
        ("own", NOBODY, 0o640),
    ] {
        fs::write(at(name), "old").unwrap();
        chown(at(name), Some(owner), Some(owner)).unwrap();
        fs::set_permissions(at(name), Permissions::from_mode(mode)).unwrap();
    }
    let mlp = thinnet::nn::Mlp::builder(2).output(2, thinnet::nn::Loss::SoftmaxCrossEntropy);
    mlp.build().unwrap().save(at("m")).unwrap();
    let convert = |name: &str| {
        let mut command = thinnet(folder.path());
        command.args(["convert", "m", name]).uid(NOBODY).gid(NOBODY);
        command.output().ok()
    };
    for name in ["read_only", "of_root"] {
        let Some(output) = convert(name) else {
            eprintln!("skipped: `nobody` cannot run the command here");
            return;
        };
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.starts_with(&format!("error: OUT {name}: Permission denied")), "{stderr}");
        assert_eq!(fs::read(at(name)).unwrap(), b"old");
    }
    for (name, mode) in [("open", 0o666), ("but_not_to_the_group", 0o600), ("own", 0o640)] {
        assert!(convert(name).unwrap().status.success(), "{name}");
        let found = fs::metadata(at(name)).unwrap();
        assert_eq!((found.uid(), found.gid()), (NOBODY, NOBODY), "{name}");
        assert_eq!(found.mode() & 0o7777, mode, "{name}");
    }
}
