//! What became of the nodes of an ONNX graph, as `thinnet inspect` shows it.

use std::fmt::Write;

use comfy_table::{ColumnConstraint, Width};
use serde::Serialize;
use thinnet::exchange::onnx::{NodeReport, Report};

use crate::table;

/// Characters in a line of what became of a node.
const WIDEST: u16 = 70;

/// What `--json` prints of a graph's nodes.
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
    /// What became of it in one word.
    role: &'static str,
    detail: String,
}

/// What `--json` prints of a graph that no network can be made of.
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
    /// What is printed without `--json`.
    pub fn text(&self) -> String {
        let mut table =
            table::new(["node", "operator", "role", "what became of it"], &[0, 1, 2, 3]);
        let widest = ColumnConstraint::UpperBoundary(Width::Fixed(WIDEST));
        if let Some(detail) = table.column_mut(3) {
            detail.set_constraint(widest);
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
