//! Which figures of a metric are better.

/// Which of two figures of a [`Metric`](super::Metric) is better.
///
/// ```
/// use thinnet::metrics::{Better, Metric};
///
/// assert_eq!(Metric::R2.better(), Better::Larger);
/// assert_eq!(Metric::Rmse.better(), Better::Smaller);
/// // Of 0.1- and 0.9-quantiles, 0.8 is best: at 1 the intervals are too wide.
/// assert_eq!(Metric::QuantileCoverage.better(), Better::Neither);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Better {
    /// The larger one.
    Larger,
    /// The smaller one.
    Smaller,
    /// Not one of the two by itself: the best figure is in between, and depends on the network.
    Neither,
}
