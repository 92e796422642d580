//! The data that flows through a network in a forward pass.

use std::ops::Range;

use super::{
    Drawn, Layer, Mlp, NetworkView,
    view::{LayerInputs, LayerWeights},
};
use crate::{
    error::{Error, at_most},
    pass::Pass,
    rate::Keep,
    simd::Supported,
    thin::{
        Activity, Gaps, InputBits, InputRows, Lists, Panels, ThinningBits,
        integer::{self, Of, QuadLists},
        maxout::Maxima,
        noise,
        rows::{EntryCount, Rows, RowsVisitor},
        sparse::SparseRows,
    },
};

/// The input lists and the pre-activations of each layer, for a maximum number of rows that is
/// fixed on construction.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    /// The input lists of each layer. The first layer's get memory when they are needed: see
    /// [`Self::prepare`].
    pub lists: Vec<Lists>,
    /// The first layer's inputs if they are sparse rows.
    sparse: SparseRows,
    /// Whether they are in this pass.
    is_sparse: bool,
    /// Whether dense rows count as sparse ones too.
    always_sparse: bool,
    /// The same, rounded to integers, if [`Self::prepare`] found that it is needed.
    quads: Vec<QuadLists>,
    /// z of each layer; for the output layer these are the logits.
    pub z: Vec<Panels>,
    /// The units of each maxout layer.
    pub maxima: Vec<Option<Maxima>>,
    capacity: usize,
    /// The number of units of the input and of each layer.
    widths: Vec<usize>,
}

impl Flow {
    pub fn with_capacity(mlp: &Mlp, rows: usize) -> Result<Self, Error> {
        let widths = mlp.widths();
        let lists = |(layer, &width): (usize, &usize)| {
            Lists::with_capacity(if layer == 0 { 0 } else { rows }, width)
        };
        let lists = widths[..mlp.depth()].iter().enumerate().map(lists);
        let z = mlp.layers.iter().map(|l| Panels::with_capacity(rows, l.weights.outputs()));
        let maxima = |layer: &Layer| {
            let maxima = || Maxima::with_capacity(rows, layer.units(), layer.pieces);
            (layer.pieces > 1).then(maxima).transpose()
        };
        let quads = widths[..mlp.depth()].iter().map(|&width| QuadLists::with_capacity(0, width));
        Ok(Self {
            lists: lists.collect::<Result<_, _>>()?,
            z: z.collect::<Result<_, _>>()?,
            maxima: mlp.layers.iter().map(maxima).collect::<Result<_, Error>>()?,
            quads: quads.collect::<Result<_, _>>()?,
            sparse: SparseRows::new(mlp.inputs()),
            is_sparse: false,
            always_sparse: false,
            capacity: rows,
            widths,
        })
    }

    /// Allocates what a pass of these rows, all or some at a time, through this network needs besides.
    ///
    /// # Errors
    /// There is not enough memory.
    #[inline]
    pub fn prepare(
        &mut self,
        network: NetworkView<'_>,
        inputs: InputRows<'_>,
    ) -> Result<(), Error> {
        self.prepare_inputs(network, inputs, |entries| entries.all)?;
        self.prepare_integers(network)
    }

    /// The same for a pass of so many rows that are [thinned](Self::thin) from those of a batch.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn prepare_thinned(
        &mut self,
        network: NetworkView<'_>,
        site: usize,
        inputs: InputRows<'_>,
    ) -> Result<(), Error> {
        if site == 0 {
            let rows = self.capacity;
            self.prepare_inputs(network, inputs, |entries| rows.saturating_mul(entries.longest))?;
        }
        self.prepare_integers(network)
    }

    /// Allocates the first layer's inputs: `most` entries, if these rows are sparse, or lists.
    fn prepare_inputs(
        &mut self,
        network: NetworkView<'_>,
        inputs: InputRows<'_>,
        most: impl FnOnce(EntryCount) -> usize,
    ) -> Result<(), Error> {
        if self.takes_sparse(network, inputs) {
            self.sparse.prepare(self.capacity, most(inputs.count()))
        } else if thins_lists(network, 0) {
            self.prepare_lists()
        } else {
            Ok(())
        }
    }

    /// Allocates the first layer's lists.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn prepare_lists(&mut self) -> Result<(), Error> {
        self.lists.first_mut().map_or(Ok(()), |lists| lists.prepare(self.capacity))
    }

    fn prepare_integers(&mut self, network: NetworkView<'_>) -> Result<(), Error> {
        if network.has_integers() {
            for (quads, &width) in self.quads.iter_mut().zip(&self.widths) {
                if quads.capacity() < self.capacity {
                    *quads = QuadLists::with_capacity(self.capacity, width)?;
                }
                quads.prepare()?;
            }
        }
        Ok(())
    }

    /// The same for predictions, which are refused if sums are not finite.
    pub fn watched(self) -> Self {
        Self { z: self.z.into_iter().map(Panels::watched).collect(), ..self }
    }

    /// The same, but dense rows count as sparse ones whose entries are the numbers other than 0.
    pub fn always_sparse(self) -> Self {
        Self { always_sparse: true, ..self }
    }

    /// Whether the rows go through this network as sparse rows.
    #[inline]
    pub fn takes_sparse(&self, network: NetworkView<'_>, rows: InputRows<'_>) -> bool {
        (rows.is_sparse() || self.always_sparse) && !network.has_integers()
    }

    /// Checks that the network matches and that `rows` rows fit.
    #[inline]
    pub fn check(&self, mlp: &Mlp, rows: usize) -> Result<(), Error> {
        let same = |what, made_for, got| {
            if made_for == got {
                return Ok(());
            }
            Err(Error::OtherWorkspace { what, made_for, got })
        };
        same("layers", self.z.len(), mlp.depth())?;
        same("inputs", self.widths[0], mlp.inputs())?;
        for (&width, layer) in self.widths[1..].iter().zip(&mlp.layers) {
            same("units in one of the layers", width, layer.units())?;
        }
        for (maxima, layer) in self.maxima.iter().zip(&mlp.layers) {
            let pieces = maxima.as_ref().map_or(1, Maxima::pieces);
            same("pieces of the units of one of the layers", pieces, layer.pieces)?;
        }
        at_most("rows of a batch", self.capacity, rows)
    }

    /// Checks that all sums of the given layers, which must have been computed, are finite. An
    /// activation can hide one that is not: ReLU turns minus infinity into 0, and the logistic
    /// turns a sum that overflowed into 1. `number(row)` is the row number to give in the error.
    ///
    /// # Errors
    /// A sum is NaN or infinite; the error gives the first such row.
    #[inline]
    pub fn check_finite(
        &self,
        isa: Supported,
        layers: Range<usize>,
        number: impl Fn(usize) -> usize,
    ) -> Result<(), Error> {
        let last = self.z.len() - 1;
        for layer in layers {
            self.z[layer].check_finite(isa, |row, unit, value| {
                let row = number(row);
                if layer == last {
                    Error::NonFinite { what: "logit", row, column: unit, value }
                } else {
                    // In a maxout layer, the sum is that of a piece.
                    let unit = unit % self.widths[layer + 1];
                    Error::NonFiniteSum { what: "sum", row, layer, unit, value }
                }
            })?;
        }
        Ok(())
    }

    /// Starts a pass with the rows of the batch, thinned by `bits`, or multiplied by what was drawn.
    #[inline]
    pub fn enter(
        &mut self,
        pass: Pass,
        network: NetworkView<'_>,
        rows: InputRows<'_>,
        (bits, drawn): (InputBits<'_>, &Drawn),
    ) {
        if self.takes_sparse(network, rows) {
            self.is_sparse = true;
            let keep = keep_of(network, bits);
            rows.dispatch(FillSparse { to: &mut self.sparse, keep, bits, rows: rows.rows() });
            if let Some(factors) = drawn.factors() {
                self.sparse.multiply(factors);
            }
            return;
        }
        // A factor could make an entry 0 in place of a missing one.
        let factors = drawn.factors();
        let gaps = if network.backward && factors.is_none() { Gaps::Zeros } else { Gaps::Nothing };
        self.enter_lists(pass, network, rows, bits, gaps);
        if let Some(factors) = factors {
            noise::multiply(pass, factors, &mut self.lists[0], None);
        }
    }

    /// The same, always with lists: see [`Self::prepare_lists`].
    #[inline]
    pub fn enter_lists(
        &mut self,
        pass: Pass,
        network: NetworkView<'_>,
        rows: InputRows<'_>,
        bits: InputBits<'_>,
        gaps: Gaps,
    ) {
        self.is_sparse = false;
        let keep = keep_of(network, bits);
        if let Some(lists) = self.lists.first_mut() {
            lists.set_rows(rows.rows());
            rows.dispatch(Fill { lists, pass, keep, bits, gaps });
        }
    }

    /// Starts a pass with the rows of the batch as they are.
    #[inline]
    pub fn enter_whole(&mut self, pass: Pass, network: NetworkView<'_>, rows: InputRows<'_>) {
        if network.has_integers() {
            self.round_rows(pass, network, (rows, Of::First(rows.rows())), &Drawn::Nothing);
        } else {
            self.enter(pass, network, rows, (InputBits::All, &Drawn::Nothing));
        }
    }

    /// Starts a pass that ends below the dropout site `site`, or above the last layer, with the rows
    /// of the batch as they are. Its results can be thinned: see [`Self::thin`].
    pub fn enter_below(
        &mut self,
        pass: Pass,
        network: NetworkView<'_>,
        site: Option<usize>,
        rows: InputRows<'_>,
    ) {
        self.is_sparse = false;
        if site != Some(0) {
            self.enter_whole(pass, network, rows);
        } else if thins_lists(network, 0) {
            self.enter(pass, network, rows, (InputBits::All, &Drawn::Nothing));
        }
    }

    /// Runs the forward pass through the given layers, starting from the inputs of the first.
    /// `drawn(site)` is what was drawn for a hidden site; if it is nothing, the site's units are
    /// neither dropped nor scaled. `done(layer)` is called after each layer.
    pub fn forward<'d>(
        &mut self,
        pass: Pass,
        network: NetworkView<'_>,
        layers: Range<usize>,
        drawn: impl Fn(usize) -> &'d Drawn,
        mut done: impl FnMut(usize),
    ) {
        let last = network.mlp.depth() - 1;
        for index in layers.clone() {
            let layer = network.layer(index);
            if index > layers.start {
                self.round_outputs(pass, network, index, None, drawn(index));
            }
            let (below, above) = self.lists.split_at_mut(index + 1);
            let sparse = (index == 0 && self.is_sparse).then_some(&self.sparse);
            let x = LayerInputs { lists: &below[index], sparse, quads: &self.quads[index] };
            let z = &mut self.z[index];
            if index == last {
                layer.output(pass, x, z);
            } else {
                let z = (z, self.maxima[index].as_mut());
                layer.forward(pass, x, drawn(index + 1), z, &mut above[0]);
            }
            done(index);
        }
    }

    /// Starts a pass at the dropout site `site`: row i is row `of[i]` of the batch that
    /// [`Self::enter_below`] has started `from` with, thinned by `bits` or multiplied by what was
    /// drawn.
    pub fn thin(
        &mut self,
        pass: Pass,
        network: NetworkView<'_>,
        site: usize,
        (from, rows, of): (&Self, InputRows<'_>, &[usize]),
        (bits, drawn): (ThinningBits<'_>, &Drawn),
    ) {
        let keep = network.mlp.keep_below(site);
        if site == 0 {
            self.is_sparse = from.is_sparse;
        }
        if site == 0 && from.is_sparse {
            self.sparse.thin(keep, &from.sparse, of, bits);
            if let Some(factors) = drawn.factors() {
                self.sparse.multiply(factors);
            }
        } else if thins_lists(network, site) {
            let lists = &mut self.lists[site];
            lists.thin(pass, keep, &from.lists[site], of, bits);
            if let Some(factors) = drawn.factors() {
                noise::multiply(pass, factors, lists, None);
            }
            if network.has_integers() {
                self.quads[site].fill(pass, &*lists);
            }
        } else if site == 0 {
            self.round_rows(pass, network, (rows, Of::These(of)), drawn);
        } else {
            self.round_outputs(pass, network, site, Some((from, of)), drawn);
        }
    }

    /// Rounds rows of a batch, for a network with integer weights.
    fn round_rows(
        &mut self,
        pass: Pass,
        network: NetworkView<'_>,
        (rows, of): (InputRows<'_>, Of<'_>),
        drawn: &Drawn,
    ) {
        self.is_sparse = false;
        let (width, noise) = (network.mlp.inputs(), integer_noise(network, 0, drawn));
        rows.dispatch(Round { quads: &mut self.quads[0], pass, of, width, noise });
    }

    /// If the network has integer weights, rounds the outputs below the site, which are those of this
    /// pass or some rows of another.
    fn round_outputs(
        &mut self,
        pass: Pass,
        network: NetworkView<'_>,
        site: usize,
        other: Option<(&Self, &[usize])>,
        drawn: &Drawn,
    ) {
        let LayerWeights::Integers(below) = network.layer(site - 1).weights else { return };
        let (source, of) = match other {
            Some((flow, of)) => (&flow.z[site - 1], Of::These(of)),
            None => (&self.z[site - 1], Of::First(self.z[site - 1].rows())),
        };
        let (width, units) = (below.outputs(), Some(below.units()));
        let noise = integer_noise(network, site, drawn);
        self.quads[site].fill(pass, &integer::Drawn { source, of, width, units, noise });
    }

    /// The sparse rows that are the first layer's inputs in this pass, if they are sparse.
    pub fn sparse_inputs(&self) -> Option<&SparseRows> {
        self.is_sparse.then_some(&self.sparse)
    }

    /// How much of the inputs of layer `index` takes part in its products.
    pub fn activity(&self, pass: Pass, index: usize) -> Activity {
        match self.sparse_inputs() {
            Some(rows) if index == 0 => Activity { density: rows.density(), dense_blocks: 0.0 },
            _ => self.lists[index].activity(pass),
        }
    }

    /// Runs the forward pass through the given layers without noise.
    pub fn forward_whole(&mut self, pass: Pass, network: NetworkView<'_>, layers: Range<usize>) {
        self.forward(pass, network, layers, |_| &Drawn::Nothing, |_| ());
    }
}

/// [`Lists::fill`] as a visitor of the rows.
struct Fill<'a> {
    lists: &'a mut Lists,
    pass: Pass,
    keep: Keep,
    bits: InputBits<'a>,
    gaps: Gaps,
}

impl RowsVisitor for Fill<'_> {
    type Output = ();

    #[inline]
    fn visit<R: Rows>(self, rows: R) {
        let Self { lists, pass, keep, bits, gaps } = self;
        lists.fill(pass, keep, bits, gaps, rows);
    }
}

/// [`QuadLists::fill`] as a visitor of the rows.
struct Round<'a> {
    quads: &'a mut QuadLists,
    pass: Pass,
    of: Of<'a>,
    width: usize,
    noise: integer::Noise<'a>,
}

impl RowsVisitor for Round<'_> {
    type Output = ();

    fn visit<R: Rows>(self, source: R) {
        let Self { quads, pass, of, width, noise } = self;
        quads.fill(pass, &integer::Drawn { source, of, width, units: None, noise });
    }
}

/// [`SparseRows::fill`] as a visitor of the rows.
struct FillSparse<'a> {
    to: &'a mut SparseRows,
    keep: Keep,
    bits: InputBits<'a>,
    rows: usize,
}

impl RowsVisitor for FillSparse<'_> {
    type Output = ();

    fn visit<R: Rows>(self, from: R) {
        let Self { to, keep, bits, rows } = self;
        to.fill(keep, bits, from, rows);
    }
}

/// The keep rate of the inputs that these bits are for.
#[inline]
fn keep_of(network: NetworkView<'_>, bits: InputBits<'_>) -> Keep {
    match bits {
        InputBits::All => Keep::ONE,
        InputBits::Mask(_) | InputBits::Sparse { .. } => network.mlp.keep_below(0),
    }
}

/// Whether thinning at the site makes lists of what the pass below has left, and not a row of floats.
fn thins_lists(network: NetworkView<'_>, site: usize) -> bool {
    !network.has_integers() || site == 0 && network.mlp.sparse_input()
}

/// What was drawn for the inputs of a layer with integer weights.
fn integer_noise<'d>(
    network: NetworkView<'_>,
    site: usize,
    drawn: &'d Drawn,
) -> integer::Noise<'d> {
    match drawn {
        Drawn::Nothing => integer::Noise::Nothing,
        Drawn::Mask(mask) => integer::Noise::Mask(mask, network.mlp.keep_below(site)),
        Drawn::Factors(factors) => integer::Noise::Factors(factors),
    }
}
