//! TF-IDF: term frequency times inverse document frequency.

use serde::{Deserialize, Serialize};

use super::{CsrMatrix, CsrView};
use crate::{
    error::{Error, same_size},
    memory::{reserve, zeros},
};

/// How the values of a row are scaled at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RowNorm {
    /// Not at all.
    None,
    /// By the sum of their magnitudes.
    L1,
    /// By the square root of the sum of their squares (the Euclidean norm).
    #[default]
    L2,
}

/// The settings of TF-IDF, which weighs the count of a term in a document (a row) by how rare the term
/// (the column) is among the training rows.
///
/// With n training rows, of which df(t) have a value other than 0 in column t, the value tf(t) of a row
/// becomes tf(t) · idf(t), and the row is then divided by its norm:
///
/// | setting | formula |
/// |---|---|
/// | [`smooth(true)`](Self::smooth), the default | idf(t) = ln((1 + n) / (1 + df(t))) + 1 |
/// | `smooth(false)` | idf(t) = ln(n / df(t)) + 1; 0 for a column that no training row uses |
/// | [`sublinear`](Self::sublinear) | 1 + ln(tf(t)) in place of tf(t), where tf(t) is not 0 |
/// | [`norm`](Self::norm) | [`RowNorm::L2`] by default. A row of zeros stays so. |
///
/// These are the settings, defaults and numbers of scikit-learn's `TfidfTransformer`, with two
/// differences: an entry whose value is 0 counts as no entry (there it adds to df(t), and becomes
/// -∞ with `sublinear_tf`), and without smoothing, columns that no training row uses are ignored (there
/// idf(t) is infinite). All computing is in double precision, without the system's functions, and
/// rounded once, so the numbers have the same bits on every machine.
///
/// ```
/// use thinnet::data::{CsrMatrix, TfIdf};
///
/// // Counts of three words in two documents.
/// let mut train = CsrMatrix::new(vec![0, 2, 4], vec![0, 1, 0, 2], vec![3.0, 1.0, 1.0, 1.0], 3)?;
/// let fitted = TfIdf::new().fit(train.view())?;
/// // The first word is in both, so it counts less: ln(3 / 3) + 1 = 1 and ln(3 / 2) + 1 = 1.405.
/// assert_eq!(fitted.idf(), [1.0, 1.4054651081081644, 1.4054651081081644]);
/// fitted.apply(&mut train)?;
/// let row = train.view().row(0)?.1;
/// assert!((row[0] - 0.9056).abs() < 1e-4 && (row[1] - 0.4242).abs() < 1e-4);
///
/// // Store it beside the model: other rows have to get the same numbers.
/// let json = serde_json::to_string(&fitted)?;
/// assert_eq!(
///     json,
///     r#"{"settings":{"smooth":true,"sublinear":false,"norm":"l2"},"rows":2,"frequencies":[2,1,1]}"#
/// );
/// assert_eq!(serde_json::from_str::<thinnet::data::FittedTfIdf>(&json)?, fitted);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TfIdf {
    smooth: bool,
    sublinear: bool,
    norm: RowNorm,
}

impl Default for TfIdf {
    fn default() -> Self {
        Self::new()
    }
}

impl TfIdf {
    /// Smooth, not sublinear, with rows of Euclidean norm 1.
    pub const fn new() -> Self {
        Self { smooth: true, sublinear: false, norm: RowNorm::L2 }
    }

    /// Sets whether a row that has every term is added to the training rows when counting, so that no
    /// term has df(t) = 0.
    #[must_use]
    pub const fn smooth(mut self, smooth: bool) -> Self {
        self.smooth = smooth;
        self
    }

    /// Replaces each count tf by 1 + ln(tf).
    #[must_use]
    pub const fn sublinear(mut self) -> Self {
        self.sublinear = true;
        self
    }

    /// Sets the norm that rows are divided by.
    #[must_use]
    pub const fn norm(mut self, norm: RowNorm) -> Self {
        self.norm = norm;
        self
    }

    /// Counts in how many of these training rows each term occurs.
    ///
    /// # Errors
    /// There are no rows; a value is infinite or NaN or, with [`sublinear`](Self::sublinear), negative;
    /// or there is not enough memory: 16 bytes for each column.
    pub fn fit(self, rows: CsrView<'_>) -> Result<FittedTfIdf, Error> {
        if rows.rows() == 0 {
            return Err(Error::Zero { what: "training rows of TF-IDF", expected: "at least one" });
        }
        self.check(rows)?;
        let mut frequencies: Vec<u64> = zeros("frequencies of terms", [1, rows.columns()])?;
        for row in 0..rows.rows() {
            let (columns, values) = rows.row(row)?;
            for (&column, &value) in columns.iter().zip(values) {
                frequencies[column as usize] += u64::from(value != 0.0);
            }
        }
        FittedTfIdf::new(self, rows.rows() as u64, frequencies)
    }

    /// Checks that all values are counts, as far as the formulas need them to be.
    fn check(self, rows: CsrView<'_>) -> Result<(), Error> {
        if self.sublinear {
            rows.check_counts()
        } else {
            rows.check_entries("value", "a finite number", |_, x| x.is_finite())
        }
    }

    /// A term's frequency in a row, from its count.
    fn frequency(self, count: f32) -> f64 {
        match f64::from(count) {
            0.0 => 0.0,
            count if self.sublinear => 1.0 + libm::log(count),
            count => count,
        }
    }

    /// The inverse document frequency of a term that is in `frequency` of `rows` rows.
    fn inverse(self, rows: u64, frequency: u64) -> f64 {
        let more = f64::from(u8::from(self.smooth));
        let [rows, frequency] = [rows, frequency].map(|count| count as f64 + more);
        if frequency == 0.0 { 0.0 } else { libm::log(rows / frequency) + 1.0 }
    }
}

/// [`TfIdf`] with the frequencies of terms in the training rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct FittedTfIdf {
    settings: TfIdf,
    /// The number of training rows.
    rows: u64,
    /// How many of them have each term.
    frequencies: Vec<u64>,
    #[serde(skip)]
    idf: Vec<f64>,
}

impl FittedTfIdf {
    fn new(settings: TfIdf, rows: u64, frequencies: Vec<u64>) -> Result<Self, Error> {
        let mut idf = reserve("inverse frequencies of terms", frequencies.len())?;
        idf.extend(frequencies.iter().map(|&frequency| settings.inverse(rows, frequency)));
        Ok(Self { settings, rows, frequencies, idf })
    }

    /// The settings.
    pub fn settings(&self) -> TfIdf {
        self.settings
    }

    /// The number of columns that rows must have.
    pub fn columns(&self) -> usize {
        self.idf.len()
    }

    /// idf(t) of each column.
    pub fn idf(&self) -> &[f64] {
        &self.idf
    }

    /// Replaces the counts of rows, in place.
    ///
    /// # Errors
    /// The rows have another number of columns than the training rows; a value is infinite or NaN or,
    /// with [`TfIdf::sublinear`], negative; or, with [`RowNorm::None`], a result is too large for f32.
    /// Nothing is changed then.
    pub fn apply(&self, rows: &mut CsrMatrix) -> Result<(), Error> {
        same_size("columns of rows for TF-IDF", self.columns(), rows.columns())?;
        self.settings.check(rows.view())?;
        let weigh =
            |column: u32, count: f32| self.settings.frequency(count) * self.idf[column as usize];
        if self.settings.norm == RowNorm::None {
            let most = f64::from(f32::MAX);
            let expected = "a number whose TF-IDF fits into f32";
            rows.view()
                .check_entries("value", expected, |column, x| weigh(column, x).abs() <= most)?;
        }
        rows.for_each_row(|columns, values| {
            let weighted =
                columns.iter().zip(&*values).map(|(&column, &count)| weigh(column, count));
            let norm = match self.settings.norm {
                RowNorm::None => 1.0,
                RowNorm::L1 => weighted.map(f64::abs).sum(),
                RowNorm::L2 => weighted.map(|x| x * x).sum::<f64>().sqrt(),
            };
            // A row of zeros stays so.
            let norm = if norm == 0.0 { 1.0 } else { norm };
            for (&column, value) in columns.iter().zip(values) {
                *value = (weigh(column, *value) / norm) as f32;
            }
        });
        Ok(())
    }
}

/// What a file holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    settings: TfIdf,
    rows: u64,
    frequencies: Vec<u64>,
}

impl TryFrom<Unchecked> for FittedTfIdf {
    type Error = Error;

    fn try_from(said: Unchecked) -> Result<Self, Error> {
        let Unchecked { settings, rows, frequencies } = said;
        if rows == 0 {
            return Err(Error::Zero { what: "training rows of TF-IDF", expected: "at least one" });
        }
        if let Some((column, &frequency)) = frequencies.iter().enumerate().find(|x| *x.1 > rows) {
            return Err(Error::DocumentFrequency { column, frequency, rows });
        }
        Self::new(settings, rows, frequencies)
    }
}
