//! A hidden layer in whole numbers, from the bytes of its inputs to its outputs as floats.

use super::Integers;
use crate::{
    parallel::Runs,
    pass::Pass,
    simd::{Kernel, Lanes},
    thin::{
        Panel, Panels, Unit,
        forward::{Operands, Scale, panels_of_task},
        load_from, store_to, vectors,
    },
};

/// What turns the sums of a panel into the outputs of its units, as a trait object, so that the
/// product is compiled once and not for each unit.
pub(crate) trait Apply: Sync {
    /// Overwrites the sums of panel `n` with the outputs y.
    fn apply(&self, pass: Pass, scale: Scale<'_>, width: usize, n: usize, sums: &mut [Panel]);
}

impl<U: Unit> Apply for U {
    fn apply(&self, pass: Pass, scale: Scale<'_>, width: usize, n: usize, sums: &mut [Panel]) {
        pass.dispatch(Values { unit: *self, scale, width, n, sums });
    }
}

/// `y = f(sum + b)`, or 0 where the unit is not active.
struct Values<'a, U> {
    unit: U,
    scale: Scale<'a>,
    width: usize,
    n: usize,
    sums: &'a mut [Panel],
}

impl<U: Unit> Kernel for Values<'_, U> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Self { unit, scale, width, n, sums } = self;
        let vectors = vectors(width, n);
        let last = width - n * super::PANEL;
        for panel in sums {
            for c in 0..vectors {
                let [sums] = load_from(l, panel, c);
                let z = scale.apply(l, n, c, sums);
                let y = l.keep(unit.active(l, z), unit.value(l, z));
                store_to(l, [y], panel, c);
            }
            if let Some(padding) = panel.get_mut(last..) {
                padding.fill(0.0);
            }
        }
    }
}

/// The outputs y of a hidden layer, at the units' places. What is drawn for them, and what it scales
/// them by, is still to be applied.
pub(crate) fn hidden(pass: Pass, operands: Integers<'_>, unit: &dyn Apply, y: &mut Panels) {
    let Integers { w, x } = operands;
    let scale = Scale { bias: w.bias(), pending: None };
    y.set_rows(x.rows());
    let watch = y.watch(pass.isa);
    let several = panels_of_task::<Integers<'_>>(pass, y.panels());
    pass.each_of(several, y.runs_mut(), &|n, sums| {
        let (size, data) = (sums.size, sums.data);
        operands.sums(pass, n, 0, Runs { data, size });
        for (n, sums) in (n..).zip(data.chunks_mut(size)) {
            let units = &w.units()[n];
            watch.look(n, 0, sums, |place| units[place % units.len()] as usize);
            unit.apply(pass, scale, w.outputs(), n, sums);
        }
    });
    y.set_watched(watch);
}
