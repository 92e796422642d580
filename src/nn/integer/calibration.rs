//! Which units of a network are active together, from typical rows.

use super::{
    IntegerMlp,
    layer::{rounded, scale_of},
    order::ActiveRows,
};
use crate::{
    data::Batch,
    error::{Error, at_most},
    memory::reserve,
    nn::Flow,
    pass::Pass,
    simd::Isa,
    thin::{Lists, PANEL},
};

/// The most rows that are counted. In the hidden layers of a trained 784-1024x3-10, orders from 256
/// rows left 1 to 3 % more quads active than orders from 2,000.
const MOST_ROWS: usize = 2048;

/// Rows that pass through the network together.
const CHUNK: usize = 128;

impl IntegerMlp {
    /// Orders the units of each hidden layer so that those that are active in the same rows are
    /// neighbours. Of more than [`MOST_ROWS`] rows, that many are counted, equally spaced. A unit
    /// counts as active if its 8-bit value is not 0; the values are computed from the f32 weights.
    ///
    /// # Errors
    /// There is not enough memory.
    pub(super) fn order_units(&mut self, calibration: &Batch<'_>) -> Result<(), Error> {
        let mlp = &self.mlp;
        let rows = calibration.rows().min(MOST_ROWS);
        let hidden = 0..mlp.depth() - 1;
        let mut active = reserve("layers", hidden.len())?;
        for layer in &self.layers[hidden.clone()] {
            active.push(ActiveRows::new(layer.outputs(), rows)?);
        }
        let isa = Isa::detect().supported();
        let mut flow = Flow::with_capacity(mlp, CHUNK.min(rows))?;
        let mut chosen = reserve("rows of a batch", CHUNK.min(rows))?;
        for first in (0..rows).step_by(CHUNK) {
            let count = CHUNK.min(rows - first);
            let pass = Pass::of(isa, mlp.parameters(), count);
            chosen.clear();
            for i in first..first + count {
                let row = calibration.inputs().index(spaced(i, rows, calibration.rows()));
                let most = u32::MAX as usize;
                at_most("index of a row of a batch", most, row)?;
                chosen.push(row as u32);
            }
            let inputs = calibration.inputs().choose(&chosen);
            flow.prepare(mlp.into(), inputs)?;
            flow.enter_whole(pass, mlp.into(), inputs);
            flow.forward_whole(pass, mlp.into(), hidden.clone());
            for (outputs, active) in flow.lists[1..].iter().zip(&mut active) {
                set_active(outputs, first, active);
            }
        }
        for (layer, active) in self.layers.iter_mut().zip(active) {
            layer.order = active.order()?;
        }
        Ok(())
    }
}

/// Number `i` of `some` equally spaced ones of `all` rows.
fn spaced(i: usize, some: usize, all: usize) -> usize {
    (i as u128 * all as u128 / some as u128) as usize
}

/// Sets the units active whose 8-bit values are not 0. The first row of `x` has the number `first`.
fn set_active(x: &Lists, first: usize, active: &mut ActiveRows) {
    for row in 0..x.rows() {
        let blocks = || (0..x.blocks()).map(|b| (b * PANEL, x.block(b).of(row)));
        let scale = scale_of(blocks().flat_map(|(_, (_, values))| values).copied());
        for (unit, (offsets, values)) in blocks() {
            for (&offset, &value) in offsets.iter().zip(values) {
                if rounded(value, scale) != 0 {
                    active.set(unit + usize::from(offset), first + row);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        data::Batch,
        nn::{Activation, IntegerMlp, Loss, Mlp},
        noise::Noise,
        tensor::MatrixView,
    };

    /// 18 units over 4 inputs: units 0 and 1 are positive in every row, but too small for 8 bits;
    /// each of the others is the input u mod 4.
    fn network() -> Mlp {
        let mlp = Mlp::builder(4).hidden(18, Activation::Relu, Noise::None);
        let mut mlp = mlp.output(2, Loss::SquaredError).build().unwrap();
        let weight = |unit, input| match (unit, input) {
            (0 | 1, _) => 0.001,
            _ if unit % 4 == input => 1.0,
            _ => 0.0,
        };
        let weights: Vec<f32> =
            (0..18).flat_map(|unit| (0..4).map(move |input| weight(unit, input))).collect();
        mlp.set_weights(0, &weights).unwrap();
        mlp
    }

    /// The order for rows in which one input each is not 0.
    fn order(inputs: impl Iterator<Item = usize>) -> Vec<u32> {
        let rows: Vec<f32> = inputs
            .flat_map(|input| (0..4).map(move |k| if k == input { 0.5 } else { 0.0 }))
            .collect();
        let rows = MatrixView::new(&rows, rows.len() / 4, 4).unwrap();
        let mut integer = IntegerMlp::new(&network(), &Batch::dense(rows)).unwrap();
        assert_eq!(integer.layers[1].order, [0, 1]);
        integer.layers.swap_remove(0).order
    }

    fn assert_grouped(order: &[u32]) {
        for quad in order[..16].chunks(4) {
            assert!(quad.iter().all(|unit| unit % 4 == quad[0] % 4), "{order:?}");
        }
        assert_eq!(order[16..], [0, 1]);
    }

    #[test]
    fn units_that_are_active_together_become_neighbours() {
        assert_grouped(&order((0..200).map(|row| row % 4)));
    }

    #[test]
    fn rows_are_taken_from_everywhere() {
        assert_grouped(&order((0..5000).map(|row| if row < 2500 { 0 } else { row % 4 })));
    }

    #[test]
    fn without_rows_the_units_stay_in_their_order() {
        assert!(order(std::iter::empty()).into_iter().eq(0..18));
    }
}
