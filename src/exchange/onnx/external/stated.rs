//! The fields of a tensor that state where its elements are.

use super::super::{
    proto::{entry, short},
    wire::Value,
};

/// A range of a file in the graph's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::exchange::onnx) struct External<'a> {
    /// The path of the file, relative to the graph's folder.
    pub location: &'a str,
    /// The first byte.
    pub offset: u64,
    /// The number of bytes, if it is stated.
    pub length: Option<u64>,
}

/// The entries of `external_data` and the `data_location` of a tensor.
#[derive(Debug, Default)]
pub(in crate::exchange::onnx) struct Stated<'a> {
    location: Option<&'a str>,
    offset: Option<&'a str>,
    length: Option<&'a str>,
    checksum: Option<&'a str>,
    has_entries: bool,
    data_location: i64,
}

impl<'a> Stated<'a> {
    /// Reads an entry of `external_data`. Unknown keys are skipped; the checksum, the SHA-1 of a
    /// file, is not compared.
    pub fn entry(&mut self, message: &'a [u8]) -> Result<(), String> {
        self.has_entries = true;
        let (key, value) = entry(message, "external_data")?;
        let text = |bytes| Value::Bytes(bytes).text("an entry of external_data");
        let (key, value) = (text(key)?, text(value)?);
        let place = match key {
            "location" => &mut self.location,
            "offset" => &mut self.offset,
            "length" => &mut self.length,
            "checksum" => &mut self.checksum,
            _ => return Ok(()),
        };
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err(format!("external_data states `{key}` twice: expected it once")),
        }
    }

    /// `data_location`: 0 in the tensor itself, 1 in another file.
    pub fn data_location(&mut self, value: i64) -> Result<(), String> {
        if value != 0 && value != 1 {
            return Err(format!(
                "data_location {value}: expected 0 (in the graph) or 1 (in another file)"
            ));
        }
        self.data_location = value;
        Ok(())
    }

    /// The place of the elements; `None` if they are in the tensor itself.
    pub fn place(&self) -> Result<Option<External<'a>>, String> {
        if self.data_location == 0 {
            return if self.has_entries {
                Err("has external_data although data_location is 0 (in the graph): expected 1 (in \
                     another file)"
                    .to_owned())
            } else {
                Ok(None)
            };
        }
        let location = self.location.ok_or("external data without a location: expected one")?;
        let offset = number("offset", self.offset)?.unwrap_or(0);
        let length = number("length", self.length)?;
        Ok(Some(External { location, offset, length }))
    }
}

/// The number that a value states in decimal digits.
fn number(key: &str, value: Option<&str>) -> Result<Option<u64>, String> {
    let Some(digits) = value else { return Ok(None) };
    let is_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = if is_digits { digits.parse::<i64>().ok() } else { None };
    match number.and_then(|number| u64::try_from(number).ok()) {
        Some(number) => Ok(Some(number)),
        None => {
            let digits = short(digits);
            Err(format!("{key} {digits}: expected a whole number from 0 to {}", i64::MAX))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str, value: &str) -> Vec<u8> {
        let mut bytes = vec![10, key.len() as u8];
        bytes.extend(key.as_bytes());
        bytes.extend([18, value.len() as u8]);
        bytes.extend(value.as_bytes());
        bytes
    }

    fn place(
        location: i64,
        entries: &[(&str, &str)],
    ) -> Result<Option<(u64, Option<u64>)>, String> {
        let entries: Vec<_> = entries.iter().map(|(key, value)| entry(key, value)).collect();
        let mut stated = Stated::default();
        stated.data_location(location)?;
        entries.iter().try_for_each(|entry| stated.entry(entry))?;
        let external = stated.place()?;
        assert!(external.is_none_or(|external| external.location == "x.data"));
        Ok(external.map(|external| (external.offset, external.length)))
    }

    const X: (&str, &str) = ("location", "x.data");

    #[test]
    fn a_range_is_read_as_exporters_write_it() {
        assert_eq!(place(0, &[]), Ok(None));
        assert_eq!(place(1, &[X]), Ok(Some((0, None))));
        assert_eq!(
            place(1, &[X, ("offset", "4096"), ("length", "0012")]),
            Ok(Some((4096, Some(12))))
        );
        let others = [("basepath", ""), ("checksum", "ab"), X, ("basepath", "/"), ("", "")];
        assert_eq!(place(1, &others), Ok(Some((0, None))));
        let most = i64::MAX.to_string();
        let largest = Ok(Some((0, Some(i64::MAX as u64))));
        assert_eq!(place(1, &[X, ("length", most.as_str())]), largest);
    }

    #[test]
    fn malformed_entries_are_refused() {
        for text in
            ["", " 1", "1 ", "+1", "-1", "-0", "0x10", "1e3", "1.0", "١", "9223372036854775808"]
        {
            for key in ["offset", "length"] {
                let reason = place(1, &[X, (key, text)]).unwrap_err();
                let words = format!("{key} `{text}`: expected a whole number");
                assert!(reason.contains(&words), "{reason}");
            }
        }
        let long = "9".repeat(100);
        let reason = place(1, &[X, ("offset", &long)]).unwrap_err();
        assert!(reason.contains("9...`: expected"), "{reason}");
        for (location, entries, words) in [
            (1, &[][..], "without a location"),
            (1, &[("offset", "0")], "without a location"),
            (1, &[X, X], "`location` twice"),
            (1, &[X, ("offset", "0"), ("offset", "0")], "`offset` twice"),
            (1, &[("length", "4"), X, ("length", "8")], "`length` twice"),
            (1, &[("checksum", ""), X, ("checksum", "")], "`checksum` twice"),
            (0, &[X], "data_location is 0 (in the graph): expected 1"),
            (0, &[("x", "y")], "data_location is 0 (in the graph): expected 1"),
            (2, &[X], "data_location 2: expected 0"),
            (-1, &[], "data_location -1"),
        ] {
            let reason = place(location, entries).unwrap_err();
            assert!(reason.contains(words), "{reason}");
        }
        assert!(Stated::default().entry(&[10, 1, 255]).unwrap_err().contains("not UTF-8"));
        assert!(
            Stated::default().entry(&[10, 9]).unwrap_err().contains("field 1 should have 9 bytes")
        );
    }
}
