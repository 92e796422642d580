//! Predictors with weights of fewer bits.

use std::borrow::Borrow;

use super::Predictor;
use crate::{
    checkpoint::Model,
    data::Batch,
    error::Error,
    nn::{IntegerMlp, Mlp, Rounded},
    simd::Isa,
};

impl<M: Borrow<Mlp>> Predictor<M> {
    /// Stores a bfloat16 copy of the weights, with 8 bits of precision and half the
    /// memory, which [`Self::predict`], [`Self::weight_scaling`], [`Self::logits`] and
    /// [`Self::monte_carlo`] use from now on; sums stay f32. This speeds up single rows,
    /// whose time is spent reading the weights. Biases and [`Self::moments`] are
    /// unaffected.
    ///
    /// # Errors
    /// There is not enough memory, or a weight exceeds bfloat16's largest number.
    pub fn bf16_weights(self) -> Result<Self, Error> {
        let layers = self.network().layers.iter();
        let bf16 = layers.map(|layer| layer.weights.to_bf16()).collect::<Result<_, _>>()?;
        Ok(Self { rounded: Some(Rounded::Bf16(bf16)), ..self })
    }

    /// Stores a copy of the weights as integers of 8 bits, in a quarter of the memory, which
    /// [`Self::predict`], [`Self::weight_scaling`], [`Self::logits`] and [`Self::monte_carlo`] use
    /// from now on. The inputs of each layer are rounded to 8 bits as well, with a scale per row,
    /// and their products are added up exactly: [`IntegerMlp`] has the definition, and says when the
    /// logits have the same bits on every machine. Biases and [`Self::moments`] are unaffected.
    ///
    /// The rows of `calibration` should be typical inputs: with the units that they activate
    /// together as neighbours, more products can be skipped. They do not affect results. To round a
    /// network once and store it, save an [`IntegerMlp`], and use [`Self::from_integers`].
    ///
    /// ```
    /// # use thinnet::{Keep, nn::{Activation, Loss, Mlp}, tensor::MatrixView};
    /// use thinnet::{data::Batch, predict::Predictor};
    ///
    /// # let mlp = Mlp::builder(3)
    /// #     .hidden(20, Activation::Relu, Keep::HALF)
    /// #     .output(2, Loss::SoftmaxCrossEntropy)
    /// #     .build()?;
    /// # let row = [0.1, 0.2, 0.3];
    /// # let typical = Batch::dense(MatrixView::new(&row, 1, 3)?);
    /// # let batch = typical.clone();
    /// let predictor = Predictor::new(mlp).integer_weights(&typical)?;
    /// let mut workspace = predictor.workspace(1)?;
    /// let probabilities = predictor.predict(&batch, &mut workspace)?;
    /// assert!((probabilities.row(0)?.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`IntegerMlp::new`].
    pub fn integer_weights(self, calibration: &Batch<'_>) -> Result<Self, Error> {
        let integers = IntegerMlp::new(self.network(), calibration)?;
        let rounded = Rounded::integers(&integers, self.isa.isa())?;
        Ok(Self { rounded: Some(rounded), ..self })
    }
}

impl Predictor<Mlp> {
    /// Makes a predictor for a model of either kind: [`Self::new`] or [`Self::from_integers`].
    ///
    /// ```
    /// use thinnet::{checkpoint::Model, nn::{Loss, Mlp}, predict::Predictor};
    ///
    /// let mlp = Mlp::builder(3).output(2, Loss::SoftmaxCrossEntropy).build()?;
    /// let predictor = Predictor::from_model(Model::from_bytes(&mlp.to_bytes()?)?)?;
    /// assert_eq!(predictor.network(), &mlp);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn from_model(model: Model) -> Result<Self, Error> {
        match model {
            Model::F32(mlp) => Ok(Self::new(mlp)),
            Model::Integer(integers) => Self::from_integers(integers),
        }
    }

    /// Makes a predictor with the weights of `integers`: see [`Self::integer_weights`].
    /// [`Self::moments`] uses its [`network`](IntegerMlp::network).
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn from_integers(integers: IntegerMlp) -> Result<Self, Error> {
        let rounded = Rounded::integers(&integers, Isa::detect())?;
        Ok(Self { rounded: Some(rounded), ..Self::new(integers.into_network()) })
    }
}
