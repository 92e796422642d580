//! The report on the nodes of a graph.

use std::fmt;

use super::proto::Node;
use crate::{error::Error, memory::reserve};

/// What became of each node of a graph; see [`Model::import`](super::Model::import).
///
/// ```
/// use thinnet::{Keep, exchange::onnx::{self, NodeReport, Role}, nn::{Activation, Loss, Mlp}};
///
/// let mlp = Mlp::builder(4).hidden(8, Activation::Identity, Keep::HALF);
/// let mlp = mlp.output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let bytes = onnx::to_bytes(&mlp, &onnx::Export::new().dropout(true))?;
/// let report = onnx::Model::from_bytes(bytes).import(None)?.report;
/// for NodeReport { name, operator, role, detail, .. } in &report.nodes {
///     println!("{name} ({operator}): {role}, {detail}");
/// }
/// let dropout = report.nodes.iter().find(|node| node.operator == "Dropout");
/// assert_eq!(dropout.map(|node| node.role), Some(Role::Network));
/// assert!(report.notes.is_empty());
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The nodes in the order of the file.
    pub nodes: Vec<NodeReport>,
    /// Remarks on the network: numbers that were rounded, statistics that an export changed,
    /// layers that were added.
    pub notes: Vec<String>,
}

/// What became of a node.
///
/// ```
/// use thinnet::{exchange::onnx, nn::{Loss, Mlp}};
///
/// let mlp = Mlp::builder(4).output(2, Loss::SquaredError).build()?;
/// let bytes = onnx::to_bytes(&mlp, &onnx::Export::new())?;
/// let report = onnx::Model::from_bytes(bytes).import(None)?.report;
/// let node = &report.nodes[0];
/// assert_eq!((&node.name[..], &node.operator[..]), ("layers.0.gemm", "Gemm"));
/// assert_eq!(node.detail, "layer 0, from 4 to 2 units");
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeReport {
    /// Its name, or that of its first output if it has none.
    pub name: String,
    /// Its operator, with its domain if that is not the standard one.
    pub operator: String,
    /// Its role.
    pub role: Role,
    /// The role in words, such as the layer that it was folded into, or why it is refused.
    pub detail: String,
}

/// The role of a node in the network.
///
/// ```
/// use thinnet::exchange::onnx::Role;
///
/// assert_eq!(Role::Folded.to_string(), "folded");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// It is a layer, an activation, dropout, or the output function of the loss.
    Network,
    /// Its numbers are folded into the weights and biases of a layer.
    Folded,
    /// It computes a shape or another constant.
    Constant,
    /// It keeps the elements of a row as they are.
    Identity,
    /// The output does not depend on it.
    Unused,
    /// It cannot be part of a network.
    Refused,
    /// Its role is unknown, because a node before it was refused.
    Unknown,
}

impl Role {
    /// Returns the name of the role, one word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Folded => "folded",
            Self::Constant => "constant",
            Self::Identity => "identity",
            Self::Unused => "unused",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Report {
    /// A report in which all roles are still unknown.
    pub(super) fn new(nodes: &[Node<'_>]) -> Result<Self, Error> {
        let report = |node: &Node<'_>| NodeReport {
            name: node.title(),
            operator: node.operator(),
            role: Role::Unknown,
            detail: String::new(),
        };
        let mut all = reserve("nodes", nodes.len())?;
        all.extend(nodes.iter().map(report));
        Ok(Self { nodes: all, notes: Vec::new() })
    }

    pub(super) fn set(&mut self, index: usize, role: Role, detail: impl Into<String>) {
        if let Some(node) = self.nodes.get_mut(index) {
            (node.role, node.detail) = (role, detail.into());
        }
    }
}
