//! The file at a location, which is in the graph's folder or below it.
//!
//! By the rules of the format a location is a path with `/`, relative to the graph's folder,
//! without `..`. It must lead to the same file on every system.

/// The maximum length of a location in bytes.
const MAX_LENGTH: usize = 1024;

/// The names of the folders below the graph's that lead to a file, and the name of the file. Empty
/// names and `.` between them are ignored.
pub(super) fn names(location: &str) -> Result<Vec<&str>, &'static str> {
    if location.is_empty() {
        return Err("an empty location: expected a file's name");
    }
    if location.len() > MAX_LENGTH {
        return Err("a location of more than 1024 bytes");
    }
    if location.contains('\0') {
        return Err("a location that contains a NUL byte");
    }
    // A separator on Windows, and an unusual name elsewhere.
    if location.contains('\\') {
        return Err("a location with a backslash: expected `/` between folders");
    }
    if location.starts_with('/') || has_drive(location) {
        return Err("an absolute location: expected one in the graph's folder");
    }
    if location.split('/').any(|name| name == "..") {
        return Err("a location with `..`: expected one in the graph's folder");
    }
    if matches!(location.rsplit('/').next(), Some("" | ".")) {
        return Err("the location of a folder: expected a file");
    }
    let names: Vec<&str> = location.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
    if cfg!(windows) && !names.iter().all(|name| is_file_name_on_windows(name)) {
        return Err("a location that is not a valid file name on Windows");
    }
    Ok(names)
}

/// Whether a path begins with a Windows drive, such as `C:`.
fn has_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
}

/// Whether Windows takes a name literally: not as a stream of a file or a device, and without
/// removing its end.
fn is_file_name_on_windows(name: &str) -> bool {
    const DEVICES: [&str; 7] = ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"];
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_lowercase();
    // Digits and superscripts.
    let port = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt"));
    let is_port = port.is_some_and(|rest| rest.chars().count() == 1);
    !name.contains(':') && !name.ends_with(['.', ' ']) && !DEVICES.contains(&&*stem) && !is_port
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_split_into_names() {
        for (location, expected) in [
            ("x.data", &["x.data"][..]),
            ("./x.data", &["x.data"]),
            ("a/b/x", &["a", "b", "x"]),
            ("a//./b", &["a", "b"]),
            ("...", &["..."]),
            ("..x/x..", &["..x", "x.."]),
            ("weights of 2026 ü", &["weights of 2026 ü"]),
        ] {
            assert_eq!(names(location).unwrap(), expected);
        }
        assert_eq!(names(&"x".repeat(MAX_LENGTH)).unwrap().len(), 1);
        // A time of day, as in the names of runs.
        #[cfg(not(windows))]
        assert_eq!(names("run-10:32.onnx.data").unwrap(), ["run-10:32.onnx.data"]);
    }

    #[test]
    fn locations_that_leave_the_folder_are_refused() {
        let long = "x".repeat(MAX_LENGTH + 1);
        for (location, words) in [
            ("", "an empty location"),
            (long.as_str(), "1024 bytes"),
            ("x\0", "a NUL byte"),
            ("..\\x", "a backslash"),
            ("a\\b", "a backslash"),
            ("\\\\server\\share\\x", "a backslash"),
            ("\\\\?\\C:\\x", "a backslash"),
            ("/etc/passwd", "an absolute location"),
            ("//server/share/x", "an absolute location"),
            ("C:/x", "an absolute location"),
            ("c:x", "an absolute location"),
            ("..", "with `..`"),
            ("../x", "with `..`"),
            ("a/../x", "with `..`"),
            ("a/..", "with `..`"),
            ("./../x", "with `..`"),
            (".", "of a folder"),
            ("./", "of a folder"),
            ("a/", "of a folder"),
            ("a/.", "of a folder"),
        ] {
            let reason = names(location).unwrap_err();
            assert!(reason.contains(words), "{location}: {reason}");
        }
    }

    #[test]
    fn some_names_are_special_on_windows() {
        for name in ["x.data", "0.weight", "com", "com10", "lpt", "console", "nullity.x", "aux1"] {
            assert!(is_file_name_on_windows(name), "{name}");
        }
        for name in [
            "x:y",
            "x.data::$DATA",
            "x.",
            "x ",
            ".. ",
            "...",
            "NUL",
            "nul.data",
            "Con .x",
            "com1",
            "COM9.data",
            "LPT²",
            "conin$",
        ] {
            assert!(!is_file_name_on_windows(name), "{name}");
        }
    }
}
