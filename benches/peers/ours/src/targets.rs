//! The targets of a training, of the kind that the network's loss takes.

use std::path::Path;

use peer_protocol::{Outcome, files};
use thinnet::{
    nn::{Mlp, TargetKind, Targets},
    tensor::MatrixView,
};

/// The targets of all rows.
pub enum Owned {
    /// A class per row.
    Classes(Vec<u32>),
    /// Real values or bits, so many per row.
    Numbers { values: Vec<f32>, targets: usize, kind: TargetKind },
}

impl Owned {
    /// Reads them from the driver's file.
    pub fn read(path: &Path, mlp: &Mlp) -> Outcome<Self> {
        Ok(match mlp.loss().target_kind() {
            TargetKind::Classes => Self::Classes(files::integers(path)?),
            kind => Self::Numbers { values: files::floats(path)?, targets: mlp.targets(), kind },
        })
    }

    /// How many rows they are for.
    pub fn rows(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Numbers { values, targets, .. } => values.len() / targets,
        }
    }

    /// Those of the `rows` rows from `first` on.
    pub fn of(&self, first: usize, rows: usize) -> Outcome<Targets<'_>> {
        Ok(match self {
            Self::Classes(classes) => Targets::Classes(&classes[first..][..rows]),
            Self::Numbers { values, targets, kind } => {
                let values = &values[first * targets..][..rows * targets];
                let values = MatrixView::new(values, rows, *targets)?;
                match kind {
                    TargetKind::Binary => Targets::Binary(values),
                    _ => Targets::Values(values),
                }
            }
        })
    }
}
