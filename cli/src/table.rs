//! Tables on stdout.

use comfy_table::{CellAlignment, Table, presets};

/// An empty table. Numbers stand to the right; the columns `texts` do not.
pub fn new<const N: usize>(header: [&str; N], texts: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(header);
    for column in table.column_iter_mut().filter(|column| !texts.contains(&column.index)) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
