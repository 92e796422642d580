//! Networks of ReLU units with dropout as plain loops over arrays of fixed sizes, which the
//! compiler vectorises: what one would write by hand for one small network.
//!
//! A row goes through the whole network, forward and backward, before the next one. Nothing is
//! skipped and nothing is checked. A wide layer stores its weights `[K][N]`, a narrow one
//! `[N][K]`, so that the longer of the two is the inner loop.

use std::array;

use thinnet::{Isa, Keep, mask::Mask};

/// Work that is compiled for each instruction set.
pub trait Work {
    type Output;
    /// FMA says whether multiply-adds are fused. Implementations are `#[inline(always)]`, as
    /// is all that they call.
    fn run<const FMA: bool>(self) -> Self::Output;
}

/// Runs the work, compiled for the instructions that thinnet uses on `isa`.
#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "instructions that are not in the baseline")]
pub fn on<W: Work>(isa: Isa, work: W) -> W::Output {
    #[target_feature(enable = "avx2,fma")]
    fn avx2<W: Work>(work: W) -> W::Output {
        work.run::<true>()
    }
    #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
    fn avx512<W: Work>(work: W) -> W::Output {
        work.run::<true>()
    }
    assert!(isa.is_available());
    match isa {
        // SAFETY: the CPU has the instructions, as was just asserted.
        Isa::Avx512 => unsafe { avx512(work) },
        // SAFETY: likewise.
        Isa::Avx2 => unsafe { avx2(work) },
        _ => work.run::<{ cfg!(target_feature = "fma") }>(),
    }
}

/// Runs the work, compiled for the baseline CPU.
#[cfg(not(target_arch = "x86_64"))]
pub fn on<W: Work>(_: Isa, work: W) -> W::Output {
    work.run::<{ cfg!(target_arch = "aarch64") }>()
}

/// a b + c
#[inline(always)]
fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// y + a x
#[inline(always)]
fn add_scaled<const FMA: bool, const N: usize>(a: f32, x: &[f32; N], y: &mut [f32; N]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y = mul_add::<FMA>(a, *x, *y);
    }
}

/// The sum of x y, added up in 16 lanes.
#[inline(always)]
fn dot<const FMA: bool, const N: usize>(x: &[f32; N], y: &[f32; N]) -> f32 {
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<16>(), y.as_chunks::<16>());
    let mut lanes = [0.0; 16];
    for (x, y) in x.iter().zip(y) {
        for (lane, (x, y)) in lanes.iter_mut().zip(x.iter().zip(y)) {
            *lane = mul_add::<FMA>(*x, *y, *lane);
        }
    }
    for (lane, (x, y)) in lanes.iter_mut().zip(x_rest.iter().zip(y_rest)) {
        *lane = mul_add::<FMA>(*x, *y, *lane);
    }
    let mut half = 8;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// The settings of an update.
#[derive(Clone, Copy)]
pub struct Sgd {
    pub learning_rate: f32,
    pub momentum: f32,
    /// The bound on the norm of the weights into a unit of each layer, if there is one.
    pub max_norm: Option<f32>,
}

impl Sgd {
    /// Updates parameters, and clears their gradient.
    #[inline(always)]
    fn update<const FMA: bool, const N: usize>(
        self,
        w: &mut [f32; N],
        v: &mut [f32; N],
        g: &mut [f32; N],
    ) {
        for ((w, v), g) in w.iter_mut().zip(v).zip(g) {
            *v = mul_add::<FMA>(self.momentum, *v, *g);
            *w = mul_add::<FMA>(-self.learning_rate, *v, *w);
            *g = 0.0;
        }
    }

    /// The factor for weights with this sum of squares.
    #[inline(always)]
    fn factor(self, squares: f32) -> f32 {
        let (norm, most) = (squares.sqrt(), self.max_norm.unwrap_or(f32::INFINITY));
        if norm > most { most / norm } else { 1.0 }
    }
}

/// A linear layer from K inputs to N outputs.
pub trait Layer<const K: usize, const N: usize> {
    /// The layer with these weights, row-major `[N][K]`, and biases.
    fn new(weights: &[f32], bias: &[f32]) -> Self;
    /// z = W x + b
    fn forward<const FMA: bool>(&self, x: &[f32; K]) -> [f32; N];
    /// The gradient with respect to x.
    fn input_gradient<const FMA: bool>(&self, dz: &[f32; N]) -> [f32; K];
    /// Adds to the gradient with respect to the parameters.
    fn add_gradient<const FMA: bool>(&mut self, x: &[f32; K], dz: &[f32; N]);
    /// Updates the parameters and clears their gradient.
    fn update<const FMA: bool>(&mut self, sgd: Sgd);
}

/// Parameters, velocities or gradients.
struct Parameters<const M: usize, const R: usize, const N: usize> {
    w: [[f32; M]; R],
    b: [f32; N],
}

impl<const M: usize, const R: usize, const N: usize> Parameters<M, R, N> {
    const ZERO: Self = Self { w: [[0.0; M]; R], b: [0.0; N] };
}

/// A layer whose weights are stored `[K][N]`.
pub struct Wide<const K: usize, const N: usize> {
    p: Parameters<N, K, N>,
    v: Parameters<N, K, N>,
    g: Parameters<N, K, N>,
}

impl<const K: usize, const N: usize> Layer<K, N> for Wide<K, N> {
    fn new(weights: &[f32], bias: &[f32]) -> Self {
        let w = array::from_fn(|k| array::from_fn(|n| weights[n * K + k]));
        let b = array::from_fn(|n| bias[n]);
        Self { p: Parameters { w, b }, v: Parameters::ZERO, g: Parameters::ZERO }
    }

    #[inline(always)]
    fn forward<const FMA: bool>(&self, x: &[f32; K]) -> [f32; N] {
        let mut z = self.p.b;
        for (x, w) in x.iter().zip(&self.p.w) {
            add_scaled::<FMA, N>(*x, w, &mut z);
        }
        z
    }

    #[inline(always)]
    fn input_gradient<const FMA: bool>(&self, dz: &[f32; N]) -> [f32; K] {
        let mut dx = [0.0; K];
        for (dx, w) in dx.iter_mut().zip(&self.p.w) {
            *dx = dot::<FMA, N>(w, dz);
        }
        dx
    }

    #[inline(always)]
    fn add_gradient<const FMA: bool>(&mut self, x: &[f32; K], dz: &[f32; N]) {
        for (x, g) in x.iter().zip(&mut self.g.w) {
            add_scaled::<FMA, N>(*x, dz, g);
        }
        add_scaled::<FMA, N>(1.0, dz, &mut self.g.b);
    }

    #[inline(always)]
    fn update<const FMA: bool>(&mut self, sgd: Sgd) {
        let mut squares = [0.0; N];
        for ((w, v), g) in self.p.w.iter_mut().zip(&mut self.v.w).zip(&mut self.g.w) {
            sgd.update::<FMA, N>(w, v, g);
            for (square, w) in squares.iter_mut().zip(w) {
                *square = mul_add::<FMA>(*w, *w, *square);
            }
        }
        sgd.update::<FMA, N>(&mut self.p.b, &mut self.v.b, &mut self.g.b);
        if sgd.max_norm.is_some() {
            for square in &mut squares {
                *square = sgd.factor(*square);
            }
            for w in &mut self.p.w {
                for (w, factor) in w.iter_mut().zip(&squares) {
                    *w *= factor;
                }
            }
        }
    }
}

/// A layer whose weights are stored `[N][K]`.
pub struct Narrow<const K: usize, const N: usize> {
    p: Parameters<K, N, N>,
    v: Parameters<K, N, N>,
    g: Parameters<K, N, N>,
}

impl<const K: usize, const N: usize> Layer<K, N> for Narrow<K, N> {
    fn new(weights: &[f32], bias: &[f32]) -> Self {
        let w = array::from_fn(|n| array::from_fn(|k| weights[n * K + k]));
        let b = array::from_fn(|n| bias[n]);
        Self { p: Parameters { w, b }, v: Parameters::ZERO, g: Parameters::ZERO }
    }

    #[inline(always)]
    fn forward<const FMA: bool>(&self, x: &[f32; K]) -> [f32; N] {
        let mut z = self.p.b;
        for (z, w) in z.iter_mut().zip(&self.p.w) {
            *z += dot::<FMA, K>(x, w);
        }
        z
    }

    #[inline(always)]
    fn input_gradient<const FMA: bool>(&self, dz: &[f32; N]) -> [f32; K] {
        let mut dx = [0.0; K];
        for (dz, w) in dz.iter().zip(&self.p.w) {
            add_scaled::<FMA, K>(*dz, w, &mut dx);
        }
        dx
    }

    #[inline(always)]
    fn add_gradient<const FMA: bool>(&mut self, x: &[f32; K], dz: &[f32; N]) {
        for (dz, g) in dz.iter().zip(&mut self.g.w) {
            add_scaled::<FMA, K>(*dz, x, g);
        }
        add_scaled::<FMA, N>(1.0, dz, &mut self.g.b);
    }

    #[inline(always)]
    fn update<const FMA: bool>(&mut self, sgd: Sgd) {
        for ((w, v), g) in self.p.w.iter_mut().zip(&mut self.v.w).zip(&mut self.g.w) {
            sgd.update::<FMA, K>(w, v, g);
            if sgd.max_norm.is_some() {
                let factor = sgd.factor(dot::<FMA, K>(w, w));
                for w in w {
                    *w *= factor;
                }
            }
        }
        sgd.update::<FMA, N>(&mut self.p.b, &mut self.v.b, &mut self.g.b);
    }
}

/// A loss of N outputs.
pub trait Loss<const N: usize> {
    /// The loss of a row, and its gradient with respect to z.
    fn gradient(z: &[f32; N], target: f32) -> (f64, [f32; N]);
    /// The predictions.
    fn link(z: &[f32; N]) -> [f32; N];
}

/// e^(z - most), divided by their sum; and ln(sum) + most.
#[inline(always)]
fn softmax<const N: usize>(z: &[f32; N]) -> ([f32; N], f64) {
    let most = z.iter().fold(f32::NEG_INFINITY, |a, &b| if a < b { b } else { a });
    let mut y = *z;
    let mut sum = 0.0;
    for y in &mut y {
        *y = (*y - most).exp();
        sum += *y;
    }
    for y in &mut y {
        *y /= sum;
    }
    (y, f64::from(sum).ln() + f64::from(most))
}

#[inline(always)]
fn logistic(z: f32) -> f32 {
    1.0 / (1.0 + (-z).exp())
}

/// Cross-entropy of the softmax; the target is a class.
pub struct Softmax;

impl<const N: usize> Loss<N> for Softmax {
    #[inline(always)]
    fn gradient(z: &[f32; N], target: f32) -> (f64, [f32; N]) {
        let (mut dz, ln) = softmax(z);
        dz[target as usize] -= 1.0;
        (ln - f64::from(z[target as usize]), dz)
    }

    #[inline(always)]
    fn link(z: &[f32; N]) -> [f32; N] {
        softmax(z).0
    }
}

/// The squared error of one value.
pub struct Squared;

impl Loss<1> for Squared {
    #[inline(always)]
    fn gradient([z]: &[f32; 1], target: f32) -> (f64, [f32; 1]) {
        let d = z - target;
        (f64::from(d) * f64::from(d), [2.0 * d])
    }

    #[inline(always)]
    fn link(z: &[f32; 1]) -> [f32; 1] {
        *z
    }
}

/// The cross-entropy of one bit.
pub struct Binary;

impl Loss<1> for Binary {
    #[inline(always)]
    fn gradient([z]: &[f32; 1], target: f32) -> (f64, [f32; 1]) {
        let (wide, t) = (f64::from(*z), f64::from(target));
        let loss = wide.max(0.0) - wide * t + (-wide.abs()).exp().ln_1p();
        (loss, [logistic(*z) - target])
    }

    #[inline(always)]
    fn link([z]: &[f32; 1]) -> [f32; 1] {
        [logistic(*z)]
    }
}

/// Which units of a site stay.
pub enum Bits {
    All,
    Mask(Mask),
    /// The words of one row.
    Own(Vec<u64>),
}

/// A dropout site: what stays, and the rate.
pub struct Site {
    pub bits: Bits,
    pub keep: Keep,
}

/// Drops and scales the units of the first of the sites.
#[inline(always)]
fn drop_out<const N: usize>(sites: &[Site], row: usize, x: &mut [f32; N]) {
    let words = match &sites[0].bits {
        Bits::All => return,
        Bits::Mask(mask) => mask.row(row).unwrap().words(),
        Bits::Own(words) => words,
    };
    let scale = sites[0].keep.scale();
    for (x, word) in x.chunks_mut(64).zip(words) {
        for (i, x) in x.iter_mut().enumerate() {
            *x = if word >> i & 1 == 1 { *x * scale } else { 0.0 };
        }
    }
}

/// The layers from K units on.
pub trait Layers<const K: usize>: Sized {
    /// The predictions, at most 16.
    type Outputs: AsRef<[f32]>;
    /// Takes the weights and biases of each layer.
    fn new(parameters: &mut dyn Iterator<Item = (Vec<f32>, Vec<f32>)>) -> Self;
    /// Predicts a row. `sites` are the masks from these layers' inputs on, which are already
    /// dropped; without them, nothing is.
    fn predict<const FMA: bool>(
        &self,
        x: &[f32; K],
        sites: Option<(&[Site], usize)>,
    ) -> Self::Outputs;
    /// Adds a row's gradient over the number of rows `1 / share`. Returns its loss and, if it is
    /// wanted, the gradient with respect to x.
    fn train<const FMA: bool, const WANTED: bool>(
        &mut self,
        x: &[f32; K],
        sites: (&[Site], usize),
        target: f32,
        share: f32,
    ) -> (f64, [f32; K]);
    /// Updates the parameters.
    fn update<const FMA: bool>(&mut self, sgd: &[Sgd]);
    /// The number of units of each layer.
    fn widths() -> Vec<usize>;
}

/// A hidden layer of ReLU units, and what is above it.
pub struct Hidden<const K: usize, const N: usize, L, A> {
    layer: L,
    above: A,
}

impl<const K: usize, const N: usize, L: Layer<K, N>, A: Layers<N>> Layers<K>
    for Hidden<K, N, L, A>
{
    type Outputs = A::Outputs;

    fn new(parameters: &mut dyn Iterator<Item = (Vec<f32>, Vec<f32>)>) -> Self {
        let (weights, bias) = parameters.next().unwrap();
        Self { layer: L::new(&weights, &bias), above: A::new(parameters) }
    }

    #[inline(always)]
    fn predict<const FMA: bool>(
        &self,
        x: &[f32; K],
        sites: Option<(&[Site], usize)>,
    ) -> A::Outputs {
        let mut h = self.layer.forward::<FMA>(x);
        for h in &mut h {
            *h = h.max(0.0);
        }
        let sites = sites.map(|(sites, row)| (&sites[1..], row));
        if let Some((sites, row)) = sites {
            drop_out(sites, row, &mut h);
        }
        self.above.predict::<FMA>(&h, sites)
    }

    #[inline(always)]
    fn train<const FMA: bool, const WANTED: bool>(
        &mut self,
        x: &[f32; K],
        (sites, row): (&[Site], usize),
        target: f32,
        share: f32,
    ) -> (f64, [f32; K]) {
        let sites = &sites[1..];
        let mut h = self.layer.forward::<FMA>(x);
        for h in &mut h {
            *h = h.max(0.0);
        }
        drop_out(sites, row, &mut h);
        let (loss, mut dz) = self.above.train::<FMA, true>(&h, (sites, row), target, share);
        let scale = sites[0].keep.scale();
        for (dz, h) in dz.iter_mut().zip(&h) {
            *dz = if *h > 0.0 { *dz * scale } else { 0.0 };
        }
        self.layer.add_gradient::<FMA>(x, &dz);
        (loss, if WANTED { self.layer.input_gradient::<FMA>(&dz) } else { [0.0; K] })
    }

    #[inline(always)]
    fn update<const FMA: bool>(&mut self, sgd: &[Sgd]) {
        self.layer.update::<FMA>(sgd[0]);
        self.above.update::<FMA>(&sgd[1..]);
    }

    fn widths() -> Vec<usize> {
        [vec![N], A::widths()].concat()
    }
}

/// An output layer with its loss.
pub struct Output<const K: usize, const N: usize, O> {
    layer: Narrow<K, N>,
    loss: std::marker::PhantomData<O>,
}

impl<const K: usize, const N: usize, O: Loss<N>> Layers<K> for Output<K, N, O> {
    type Outputs = [f32; N];

    fn new(parameters: &mut dyn Iterator<Item = (Vec<f32>, Vec<f32>)>) -> Self {
        let (weights, bias) = parameters.next().unwrap();
        Self { layer: Narrow::new(&weights, &bias), loss: std::marker::PhantomData }
    }

    #[inline(always)]
    fn predict<const FMA: bool>(&self, x: &[f32; K], _: Option<(&[Site], usize)>) -> [f32; N] {
        O::link(&self.layer.forward::<FMA>(x))
    }

    #[inline(always)]
    fn train<const FMA: bool, const WANTED: bool>(
        &mut self,
        x: &[f32; K],
        _: (&[Site], usize),
        target: f32,
        share: f32,
    ) -> (f64, [f32; K]) {
        let (loss, mut dz) = O::gradient(&self.layer.forward::<FMA>(x), target);
        for dz in &mut dz {
            *dz *= share;
        }
        self.layer.add_gradient::<FMA>(x, &dz);
        (loss, if WANTED { self.layer.input_gradient::<FMA>(&dz) } else { [0.0; K] })
    }

    #[inline(always)]
    fn update<const FMA: bool>(&mut self, sgd: &[Sgd]) {
        self.layer.update::<FMA>(sgd[0]);
    }

    fn widths() -> Vec<usize> {
        vec![N]
    }
}

/// A training step on a batch; returns its mean loss.
pub struct Step<'a, const K: usize, A> {
    pub layers: &'a mut A,
    pub x: &'a [[f32; K]],
    pub targets: &'a [f32],
    pub sites: &'a [Site],
    pub sgd: &'a [Sgd],
}

impl<const K: usize, A: Layers<K>> Work for Step<'_, K, A> {
    type Output = f32;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> f32 {
        let Self { layers, x, targets, sites, sgd } = self;
        let (mut sum, share) = (0.0, 1.0 / x.len() as f32);
        for (row, (x, &target)) in x.iter().zip(targets).enumerate() {
            let mut x = *x;
            drop_out(sites, row, &mut x);
            sum += layers.train::<FMA, false>(&x, (sites, row), target, share).0;
        }
        layers.update::<FMA>(sgd);
        (sum / x.len() as f64) as f32
    }
}

/// The prediction for one row.
pub struct Predict<'a, const K: usize, A> {
    pub layers: &'a A,
    pub x: &'a [f32; K],
}

impl<const K: usize, A: Layers<K>> Work for Predict<'_, K, A> {
    type Output = A::Outputs;

    #[inline(always)]
    fn run<const FMA: bool>(self) -> A::Outputs {
        self.layers.predict::<FMA>(self.x, None)
    }
}

/// Mean and variance of each output of one row over samples, by Welford's recurrence.
pub struct Samples<'a, const K: usize, A, D> {
    pub layers: &'a A,
    pub x: &'a [f32; K],
    pub samples: usize,
    pub sites: &'a mut [Site],
    /// Draws the masks of a sample.
    pub draw: D,
}

impl<const K: usize, A: Layers<K>, D: FnMut(&mut [Site], u64)> Work for Samples<'_, K, A, D> {
    /// Means and variances.
    type Output = [Vec<f64>; 2];

    #[inline(always)]
    fn run<const FMA: bool>(mut self) -> [Vec<f64>; 2] {
        let (mut mean, mut squares, mut outputs) = ([0.0; 16], [0.0; 16], 0);
        for sample in 0..self.samples {
            (self.draw)(self.sites, sample as u64);
            let mut x = *self.x;
            drop_out(self.sites, 0, &mut x);
            let y = self.layers.predict::<FMA>(&x, Some((self.sites, 0)));
            let (y, n) = (y.as_ref(), (sample + 1) as f64);
            for ((mean, squares), &y) in mean.iter_mut().zip(&mut squares).zip(y) {
                let before = f64::from(y) - *mean;
                *mean += before / n;
                *squares += before * (f64::from(y) - *mean);
            }
            outputs = y.len();
        }
        let degrees = (self.samples - 1) as f64;
        squares.iter_mut().for_each(|square| *square /= degrees);
        [mean[..outputs].to_vec(), squares[..outputs].to_vec()]
    }
}
