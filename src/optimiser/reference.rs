//! The optimisers' formulas in f64, as their documentation states them.

/// The formulas of an optimiser, next to its rule.
pub trait Formula {
    /// The parameter w after step `t`, counted from 0, with gradient g; updates its state.
    /// `decays` says whether weight decay applies to it.
    fn step(&self, t: u64, decays: bool, w: f64, g: f64, state: &mut [f64]) -> f64;
}
