//! What became of the nodes of an ONNX graph, as `thinnet inspect` shows it.

use std::fmt::Write;

use serde::Serialize;
use thinnet::exchange::onnx::{NodeReport, Report};

use crate::table;

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
        let plain = |text: &str| text.trim_matches('`').to_owned();
        for Node { name, operator, role, detail } in &self.nodes {
            table.add_row([plain(name), plain(operator), (*role).to_owned(), detail.clone()]);
        }
        let mut text = format!("{table}\n");
        for note in &self.notes {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "note: {note}");
        }
        text
    }
}
