//! Tables for stdout.

use comfy_table::{CellAlignment, Row, Table, presets};

/// Returns an empty table. Columns are aligned to the right, except those in `texts`.
pub fn new(header: impl Into<Row>, texts: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(header);
    for column in table.column_iter_mut().filter(|column| !texts.contains(&column.index)) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
