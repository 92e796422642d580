//! The moving average of a layer's parameters.
//!
//! A step averages the weights that it is about to change: those that the last step left, with
//! max-norm's factors multiplied in, which are known only now. This is a pass over a block of
//! weights just before products 2 and 3, which then find them in the cache. The kernels of the
//! update rules do not know of it.

use super::{
    LayerState, Panel, Tile, Tiles, VECTORS,
    backward::with_pending,
    load, store,
    update::{OptimiserState, StateInit},
};
use crate::{
    error::Error,
    parallel::Runs,
    simd::{Kernel, Lanes, Supported},
    tensor::AlignedBuffer,
};

/// The average as numbers that a layer remembers for each parameter: e, and for `with_rest` also c.
pub(crate) fn states(with_rest: bool) -> Vec<StateInit> {
    let rest = with_rest.then(|| StateInit::zero("average_rest"));
    [StateInit::zero("average")].into_iter().chain(rest).collect()
}

/// The numbers of an average in a layer's state, and its rest if it has one.
fn parts(
    average: &mut [OptimiserState],
) -> Option<(&mut OptimiserState, Option<&mut OptimiserState>)> {
    let (average, rest) = average.split_first_mut()?;
    Some((average, rest.first_mut()))
}

/// What [`Weights`] needs of an average.
pub(super) type OfWeights<'a> = (Runs<'a, Tile>, Option<Runs<'a, Tile>>);

/// What [`Biases`] needs of an average.
pub(super) type OfBiases<'a> = (&'a mut [Panel], Option<&'a mut [Panel]>);

/// The parts of an average, divided like the weights.
pub(super) fn split(average: &mut [OptimiserState]) -> Option<(OfWeights<'_>, OfBiases<'_>)> {
    let (OptimiserState { weights, bias, .. }, rest) = parts(average)?;
    let (weights_rest, bias_rest) =
        rest.map(|rest| (rest.weights.runs_mut(), rest.bias.as_chunks_mut().0)).unzip();
    Some(((weights.runs_mut(), weights_rest), (bias.as_chunks_mut().0, bias_rest)))
}

/// e <- e + rate (w - e), for V vectors.
#[inline(always)]
fn approach<L: Lanes>(l: L, rate: L::F, w: [L::F; VECTORS], e: &mut Panel) {
    let mut new: [L::F; VECTORS] = load(l, e);
    for (e, w) in new.iter_mut().zip(w) {
        *e = l.mul_add(rate, l.sub(w, *e), *e);
    }
    store(l, new, e);
}

/// The same for e + c, where c is what the rounding of e left: it takes up what is too small to
/// change e.
///
/// With u = 2^-24, c is at most u |e|, and the sum of e and the new c is divided without error (Knuth
/// 1997, section 4.2.2, theorem B). So a step has an error of at most 5 u rate |w - e| (the rate, two
/// differences, a product, a sum) and 2 u² |e| (c in them). With rates 1 / k, the error of step k has
/// the share k / n in the mean of n. With |e| <= M and |w - e| <= D, that adds up to
/// u (5 D + M n u), and e instead of e + c is u M more.
#[inline(always)]
fn approach_with_rest<L: Lanes>(
    l: L,
    rate: L::F,
    w: [L::F; VECTORS],
    e: &mut Panel,
    c: &mut Panel,
) {
    let (mut sums, mut rests): ([L::F; VECTORS], [L::F; VECTORS]) = (load(l, e), load(l, c));
    for ((e, c), w) in sums.iter_mut().zip(&mut rests).zip(w) {
        let more = l.mul_add(rate, l.sub(l.sub(w, *e), *c), *c);
        let sum = l.add(*e, more);
        let part = l.sub(sum, *e);
        *c = l.add(l.sub(*e, l.sub(sum, part)), l.sub(more, part));
        *e = sum;
    }
    store(l, sums, e);
    store(l, rests, c);
}

/// Moves the average of a block's weights towards them, by the fraction `rate` of the way.
pub(super) struct Weights<'a> {
    pub rate: f32,
    pub w: &'a [Tile],
    /// The pending factors of each panel.
    pub s: &'a [Panel],
    pub average: &'a mut [Tile],
    /// What its rounding left, if that is kept.
    pub rest: Option<&'a mut [Tile]>,
}

impl Kernel for Weights<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let (rate, of_panels) = (l.splat(self.rate), self.w.iter().zip(self.s).zip(self.average));
        let Some(rest) = self.rest else {
            for ((w, s), average) in of_panels {
                for (w, e) in w.iter().zip(average) {
                    approach(l, rate, with_pending(l, w, s), e);
                }
            }
            return;
        };
        for (((w, s), average), rest) in of_panels.zip(rest) {
            for ((w, e), c) in w.iter().zip(average).zip(rest) {
                approach_with_rest(l, rate, with_pending(l, w, s), e, c);
            }
        }
    }
}

/// The same for biases.
pub(super) struct Biases<'a> {
    pub rate: f32,
    pub b: &'a [Panel],
    pub average: &'a mut [Panel],
    pub rest: Option<&'a mut [Panel]>,
}

impl Kernel for Biases<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let (rate, of_panels) = (l.splat(self.rate), self.b.iter().zip(self.average));
        let Some(rest) = self.rest else {
            for (b, e) in of_panels {
                approach(l, rate, load(l, b), e);
            }
            return;
        };
        for ((b, e), c) in of_panels.zip(rest) {
            approach_with_rest(l, rate, load(l, b), e, c);
        }
    }
}

/// The average of a layer's parameters after it has also moved towards the present ones, whose
/// weights are w times the pending factors. `None` if no average is kept.
///
/// # Errors
/// There is not enough memory.
pub(crate) fn caught_up(
    isa: Supported,
    rate: f32,
    (w, b): (&Tiles, &[Panel]),
    state: &LayerState,
) -> Result<Option<(Tiles, AlignedBuffer<f32>)>, Error> {
    let copy = |OptimiserState { init, weights, bias }: &OptimiserState| {
        let (weights, bias) = (weights.try_clone()?, bias.try_clone()?);
        Ok(OptimiserState { init: *init, weights, bias })
    };
    let mut copies = state.average.iter().map(copy).collect::<Result<Vec<_>, Error>>()?;
    let Some(((weights, rest), (bias, bias_rest))) = split(&mut copies) else { return Ok(None) };
    let (s, panels) = (state.pending.as_chunks().0, w.panels().max(1));
    let mut rests = rest.map(|rest| rest.data.chunks_mut(panels));
    for (w, average) in w.tiles().chunks(panels).zip(weights.data.chunks_mut(panels)) {
        let rest = rests.as_mut().and_then(Iterator::next);
        isa.dispatch(Weights { rate, w, s, average, rest });
    }
    isa.dispatch(Biases { rate, b, average: bias, rest: bias_rest });
    Ok(copies.into_iter().next().map(|average| (average.weights, average.bias)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mask::{Domain, Streams},
        simd::tests::on_each_isa,
        thin::PANEL,
    };

    /// The size and the spread of the numbers below.
    const M: f64 = 1.6;
    const D: f64 = 0.12;

    /// The parameters after update k: 64 numbers around one each, which is another one from
    /// half way on.
    fn parameters(k: usize, n: usize) -> Panel {
        let streams = Streams::new(1, Domain::Other, 0, 0);
        let random = streams.hash(k as u64);
        let mut panel = [0.0; PANEL];
        for (i, w) in panel.iter_mut().enumerate() {
            let noise = (random.rotate_left(i as u32) >> 40) as f32 / (1 << 24) as f32 - 0.5;
            let center = 0.5 + i as f32 / 64.0 + if k > n / 2 { 0.01 } else { 0.0 };
            *w = if i % 2 == 0 { 1.0 } else { -1.0 } * (center + 0.1 * noise);
        }
        panel
    }

    fn furthest(got: &Panel, sums: &[f64], n: usize) -> f64 {
        let apart = got.iter().zip(sums).map(|(&got, sum)| (f64::from(got) - sum / n as f64).abs());
        apart.fold(0.0, f64::max)
    }

    /// The bound that `Averaging` states. A sum of a million numbers in f64 is off by at most
    /// 1.1e-10 of it. Without the rest, the same mean is far outside.
    #[test]
    fn the_mean_of_a_million_updates_is_within_its_bound() {
        const N: usize = 1_000_000;
        on_each_isa(|isa| {
            let isa = isa.supported();
            let (mut average, mut rest) = ([[0.0; PANEL]], [[0.0; PANEL]]);
            let (mut plain, mut sums) = ([[0.0; PANEL]], [0.0; PANEL]);
            for k in 1..=N {
                let (rate, b) = ((1.0 / k as f64) as f32, [parameters(k, N)]);
                let (average, rest) = (&mut average[..], Some(&mut rest[..]));
                isa.dispatch(Biases { rate, b: &b, average, rest });
                isa.dispatch(Biases { rate, b: &b, average: &mut plain, rest: None });
                for (sum, w) in sums.iter_mut().zip(b[0]) {
                    assert!(f64::from(w).abs() <= M);
                    *sum += f64::from(w);
                }
            }
            let u = 0.5 * f64::from(f32::EPSILON);
            let bound = u * (5.0 * D + M * (1.0 + N as f64 * u)) + 1.1e-10 * M;
            let error = furthest(&average[0], &sums, N);
            assert!(error <= bound, "{error} {bound}");
            let plain = furthest(&plain[0], &sums, N);
            assert!(plain > 100.0 * bound, "{plain} {bound}");
        });
    }

    /// Weights are averaged like biases, bit for bit.
    #[test]
    fn weights_are_averaged_like_biases() {
        on_each_isa(|isa| {
            let isa = isa.supported();
            let s = [[0.5; PANEL]];
            for with_rest in [false, true] {
                let mut tiles: [[Tile; 1]; 2] = [[[[0.0; PANEL]; PANEL]]; 2];
                let mut panels = [[[0.0; PANEL]]; 2];
                for k in 1..=300 {
                    let (rate, w) = ((1.0 / k as f64) as f32, parameters(k, 300));
                    let b = [w.map(|w| 0.5 * w)];
                    let [average, rest] = &mut tiles;
                    let rest = with_rest.then_some(&mut rest[..]);
                    isa.dispatch(Weights { rate, w: &[[w; PANEL]], s: &s, average, rest });
                    let [average, rest] = &mut panels;
                    let rest = with_rest.then_some(&mut rest[..]);
                    isa.dispatch(Biases { rate, b: &b, average, rest });
                }
                for (tile, panel) in tiles.iter().zip(&panels) {
                    assert!(tile[0].iter().all(|of_input| *of_input == panel[0]), "{isa:?}");
                }
                assert_eq!(panels[1][0].iter().any(|&c| c != 0.0), with_rest);
            }
        });
    }
}
