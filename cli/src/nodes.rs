//! The report on the nodes of an ONNX graph that `thinnet inspect` prints.

use std::fmt::Write;

use comfy_table::{ColumnConstraint, Width};
use serde::Serialize;
use thinnet::exchange::onnx::{NodeReport, Report};

use crate::table;

/// The maximum width of the last column, in characters.
const MAX_WIDTH: u16 = 70;

/// The nodes of a graph as `--json` prints them.
#[derive(Debug, Serialize)]
pub struct Nodes {
    nodes: Vec<Node>,
    notes: Vec<String>,
}

/// A node.
#[derive(Debug, Serialize)]
struct Node {
    name: String,
    operator: String,
    /// The role of the node in the network, in one word.
    role: &'static str,
    detail: String,
}

/// A graph that cannot be converted to a network, as `--json` prints it.
#[derive(Debug, Serialize)]
pub struct Refused {
    pub kind: &'static str,
    pub bytes: u64,
    pub refused: String,
    #[serde(flatten)]
    pub nodes: Nodes,
}

impl From<Report> for Nodes {
    fn from(report: Report) -> Self {
        let Report { nodes, notes, .. } = report;
        let node = |NodeReport { name, operator, role, detail, .. }| Node {
            name,
            operator,
            role: role.name(),
            detail,
        };
        Self { nodes: nodes.into_iter().map(node).collect(), notes }
    }
}

impl Nodes {
    /// Returns the text that is printed without `--json`.
    pub fn text(&self) -> String {
        let mut table = table::new(["node", "operator", "role", "read as"], &[0, 1, 2, 3]);
        let max_width = ColumnConstraint::UpperBoundary(Width::Fixed(MAX_WIDTH));
        if let Some(detail) = table.column_mut(3) {
            detail.set_constraint(max_width);
        }
        for Node { name, operator, role, detail } in &self.nodes {
            table.add_row([name.clone(), operator.clone(), (*role).to_owned(), detail.clone()]);
        }
        let mut text = format!("{table}\n");
        for note in &self.notes {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "note: {note}");
        }
        text
    }
}
