//! What became of each node of a graph.

use std::fmt;

use super::proto::Node;
use crate::{error::Error, memory::reserve};

/// What a graph was read as, node by node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The nodes in the order of the file.
    pub nodes: Vec<NodeReport>,
    /// What to know of the network that was made, a sentence each: numbers that
    /// were rounded, statistics that an export moved.
    pub notes: Vec<String>,
}

/// A node, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeReport {
    /// Its name, or that of what it makes where it has none.
    pub name: String,
    /// Its operator, with its domain unless that is the standard's.
    pub operator: String,
    /// What became of it.
    pub role: Role,
    /// The same in words, with what it was folded into, or why it is refused.
    pub detail: String,
}

/// What became of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// It is a layer, an activation, dropout, or the output function of the loss.
    Network,
    /// Its numbers are in the weights and biases of a layer.
    Folded,
    /// It computes a shape or another constant.
    Constant,
    /// It leaves every element of a row as it is.
    Identity,
    /// The output does not depend on it.
    Unused,
    /// It cannot be part of a network.
    Refused,
    /// Its role is unknown, because a node before it was refused.
    Unknown,
}

impl Role {
    /// The name in one word.
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
    /// One of which nothing is known yet.
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
