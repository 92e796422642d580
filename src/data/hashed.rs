//! Hashed features: rows of named numbers without a vocabulary.

use serde::{Deserialize, Serialize};

use super::{CsrBuilder, CsrMatrix, murmur::murmur3_32};
use crate::error::Error;

/// The most columns that hashed features can have, 2^31 - 1.
pub const MAX_HASHED_COLUMNS: usize = i32::MAX as usize;

/// Assigns columns to features by a hash of their names (feature hashing; Weinberger, Dasgupta,
/// Langford, Smola and Attenberg, *Feature Hashing for Large Scale Multitask Learning*, ICML 2009), so that
/// words, categories and identifiers that nobody has listed can be inputs.
///
/// With h the MurmurHash3 (32 bits, seed 0) of the name's bytes, read as a signed number, a feature has
/// column |h| mod n of n columns, and its value is multiplied by -1 if h is negative. Features can
/// collide: then their values are added up. Because of the signs, the errors that collisions cause in a
/// dot product of two rows cancel on average. The hash is the same on every machine and in all versions,
/// so a model needs no vocabulary, only the number of columns and whether there are signs.
///
/// This is the convention of scikit-learn's `FeatureHasher` and `HashingVectorizer`, with the same
/// numbers. Two things that they do are left to the caller: splitting a text into words, and
/// scaling rows (`HashingVectorizer` divides each by its Euclidean norm). The paper takes the sign from a second
/// hash; here, as there, both come from one.
///
/// ```
/// use thinnet::data::{Batch, FeatureHasher};
///
/// let hasher = FeatureHasher::new(1 << 20)?;
/// let mut rows = hasher.builder();
/// // A bag of words: "the" counts twice.
/// rows.push_row(hasher.tokens("the dog and the cat".split_whitespace()))?;
/// // Numbers and categories: a category is a name of its own, with the value 1.
/// rows.push_row(hasher.features([("age", 31.5), ("city=Rome", 1.0)]))?;
///
/// let rows = rows.finish();
/// assert_eq!((rows.rows(), rows.columns()), (2, 1 << 20));
/// let (columns, values) = rows.view().row(0)?;
/// assert_eq!(columns, [180_525, 286_878, 300_839, 980_517]);
/// assert_eq!(values, [-1.0, -2.0, 1.0, -1.0]);
/// assert_eq!(Batch::csr(rows.view()).rows(), 2);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct FeatureHasher {
    columns: u32,
    signed: bool,
}

impl FeatureHasher {
    /// Features with `columns` columns, with signs. The more columns, the fewer collisions: of N features,
    /// one shares its column with another with probability 1 - (1 - 1/n)^(N - 1), for n columns: 0.39 if
    /// there are twice as many columns as features, 0.01 with a hundred times as many.
    ///
    /// # Errors
    /// `columns` is 0 or larger than [`MAX_HASHED_COLUMNS`].
    pub fn new(columns: usize) -> Result<Self, Error> {
        let most = MAX_HASHED_COLUMNS;
        match u32::try_from(columns) {
            Ok(0) => {
                let expected = "at least one";
                Err(Error::Zero { what: "columns of hashed features", expected })
            }
            Ok(few) if columns <= most => Ok(Self { columns: few, signed: true }),
            _ => Err(Error::TooMany { what: "columns of hashed features", most, got: columns }),
        }
    }

    /// Leaves out the signs, so that counts stay counts. Collisions then only add up.
    #[must_use]
    pub fn unsigned(self) -> Self {
        Self { signed: false, ..self }
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.columns as usize
    }

    /// A builder of rows with these columns, which adds up the values of features that collide.
    pub fn builder(&self) -> CsrBuilder {
        CsrMatrix::builder(self.columns()).sum_duplicates()
    }

    /// The column of a feature, and its value with the feature's sign.
    #[inline]
    pub fn entry(&self, name: impl AsRef<[u8]>, value: f32) -> (u32, f32) {
        let hash = murmur3_32(name.as_ref(), 0).cast_signed();
        let negative = self.signed && hash < 0;
        (hash.unsigned_abs() % self.columns, if negative { -value } else { value })
    }

    /// The entries of a row of features, each a name (text or bytes) and a value. A value of 0 gives no
    /// entry.
    pub fn features<N: AsRef<[u8]>>(
        &self,
        features: impl IntoIterator<Item = (N, f32)>,
    ) -> impl Iterator<Item = (u32, f32)> {
        let features = features.into_iter().filter(|&(_, value)| value != 0.0);
        features.map(|(name, value)| self.entry(name, value))
    }

    /// The entries of a bag of words, each with the value 1 for each time that it occurs.
    pub fn tokens<N: AsRef<[u8]>>(
        &self,
        tokens: impl IntoIterator<Item = N>,
    ) -> impl Iterator<Item = (u32, f32)> {
        tokens.into_iter().map(|name| self.entry(name, 1.0))
    }
}

/// The contents of a settings file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    columns: usize,
    #[serde(default = "with_signs")]
    signed: bool,
}

fn with_signs() -> bool {
    true
}

impl TryFrom<Unchecked> for FeatureHasher {
    type Error = Error;

    fn try_from(said: Unchecked) -> Result<Self, Error> {
        Ok(Self { signed: said.signed, ..Self::new(said.columns)? })
    }
}
