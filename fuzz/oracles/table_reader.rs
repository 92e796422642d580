//! The reader of CSV files never panics on any bytes; what it reads, or refuses, is what a plain parser
//! that has the whole text does. A preprocessor that can be fitted to the rows encodes a row alone as in the
//! table, in any order of the training rows, and after it was stored. Bytes taken for a stored preprocessor
//! are refused, or read, written and read again without a change.

use thinnet::data::{
    CsrMatrix,
    table::{Csv, MAX_ROW_BYTES, Preprocessor, Table},
};

/// The rows of a text, the header first; `None` if it has to be refused.
fn parse(bytes: &[u8]) -> Option<Vec<Vec<String>>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut rows = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(['\n', '\r']) {
            rest = after;
            continue;
        }
        let mut row = Vec::new();
        loop {
            let (cell, after) = match rest.strip_prefix('"') {
                None => {
                    let (cell, after) =
                        rest.split_at(rest.find([',', '\n', '\r']).unwrap_or(rest.len()));
                    (cell.to_owned(), after)
                }
                Some(inside) => {
                    // Pairs of quotes are text.
                    let mut end = inside.find('"')?;
                    while inside[end + 1..].starts_with('"') {
                        end += 2 + inside[end + 2..].find('"')?;
                    }
                    (inside[..end].replace("\"\"", "\u{1}"), &inside[end + 1..])
                }
            };
            if cell.contains(['"', '\0']) {
                return None;
            }
            row.push(if rest.starts_with('"') { cell.replace('\u{1}', "\"") } else { cell });
            rest = after;
            match rest.chars().next() {
                Some(',') => rest = &rest[1..],
                None | Some('\n' | '\r') => break,
                Some(_) => return None,
            }
        }
        rows.push(row);
    }
    let columns = rows.first()?.len();
    let mut names = rows[0].clone();
    names.sort();
    let is_table = rows.len() > 1
        && rows.iter().all(|row| row.len() == columns)
        && names.iter().all(|name| !name.is_empty())
        && names.windows(2).all(|pair| pair[0] != pair[1]);
    is_table.then_some(rows)
}

fn contents(table: &Table) -> Vec<Vec<String>> {
    let columns = table.names().len();
    let cell = |row, column| table.cell(row, column).unwrap().to_owned();
    let row = |row| (0..columns).map(|column| cell(row, column)).collect();
    [table.names().to_vec()].into_iter().chain((0..table.rows()).map(row)).collect()
}

/// See the head of this file.
pub fn check(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(read) = Preprocessor::from_json(text)
    {
        // A number or a name may be written longer than it was read.
        if let Ok(json) = read.to_json() {
            let again = Preprocessor::from_json(&json).unwrap();
            assert_eq!((&again, again.to_json().unwrap()), (&read, json));
        }
        assert_eq!(read.output_names().len(), read.outputs());
        let missing: Vec<(&str, &str)> =
            read.columns().iter().map(|column| (column.name(), "")).collect();
        let _ = read.transform_record(missing);
    }
    let read = Csv::new().from_bytes(bytes);
    // Gzipped files and long rows have tests of their own; U+0001 is the plain parser's.
    if bytes.first() == Some(&0x1f) || bytes.len() > MAX_ROW_BYTES || bytes.contains(&1) {
        return;
    }
    let found = read.as_ref().ok().map(contents);
    assert_eq!(found, parse(bytes), "{:?}", read.err());
    let Ok(table) = read else { return };
    let settings = Preprocessor::builder().bins(3).min_rows(2);
    let backwards: Vec<usize> = (0..table.rows()).rev().collect();
    let reversed = table.copy_rows(&backwards).unwrap();
    let Ok(fitted) = settings.fit(&table) else {
        assert!(settings.fit(&reversed).is_err());
        return;
    };
    assert_eq!(settings.fit(&reversed).unwrap(), fitted);
    let stored = Preprocessor::from_json(&fitted.to_json().unwrap()).unwrap();
    let mut rows = CsrMatrix::builder(fitted.outputs());
    for row in 0..table.rows() {
        let cell =
            |(column, name): (usize, &'_ String)| (name.clone(), table.cell(row, column).unwrap());
        let record: Vec<(String, &str)> =
            table.names().iter().enumerate().map(cell).rev().collect();
        let record = record.iter().map(|(name, cell)| (name.as_str(), *cell));
        let alone = stored.transform_record(record).unwrap();
        let (columns, values) = alone.view().row(0).unwrap();
        rows.push_row(columns.iter().copied().zip(values.iter().copied())).unwrap();
    }
    assert_eq!(fitted.transform(&table).unwrap(), rows.finish());
}
