//! Preprocessors in model files.

use super::Preprocessor;
use crate::{
    error::{Error, same_size},
    nn::Mlp,
};

impl Preprocessor {
    /// Stores the preprocessor with a network, whose inputs are its outputs. Model files keep it, so that one
    /// file is enough to predict from rows of a table. It does not affect predictions, and is not part of
    /// the [digest](Mlp::digest). Exports to other formats leave it out, and a
    /// [`Trainer`](crate::train::Trainer) removes it, as it does the notes.
    ///
    /// ```
    /// use thinnet::{
    ///     data::table::{Csv, Preprocessor},
    ///     nn::{Loss, Mlp},
    /// };
    ///
    /// let training = Csv::new().from_bytes(b"age,city\n20,Oslo\n40,Bergen\n")?;
    /// let preprocessor = Preprocessor::builder().min_rows(1).bins(0).fit(&training)?;
    /// let mut mlp = Mlp::builder(3).output(2, Loss::SoftmaxCrossEntropy).build()?;
    /// preprocessor.store_in(&mut mlp)?;
    ///
    /// let loaded = Mlp::from_bytes(&mlp.to_bytes()?)?;
    /// assert_eq!(Preprocessor::of(&loaded)?, Some(preprocessor.clone()));
    ///
    /// let mut other = Mlp::builder(4).output(2, Loss::SoftmaxCrossEntropy).build()?;
    /// let error = preprocessor.store_in(&mut other).unwrap_err().to_string();
    /// assert_eq!(error, "outputs of the preprocessor, the network's inputs: expected 4, got 3");
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// The network has another number of inputs, or the preprocessor is too large: see
    /// [`Self::to_json`]. The network is then unchanged.
    pub fn store_in(&self, network: &mut Mlp) -> Result<(), Error> {
        self.check_width(network)?;
        network.set_preprocessor(&self.to_json()?)
    }

    /// The preprocessor that is stored with a network, equal to the bit; none if there is none. The file may
    /// come from anywhere: everything in it is checked here. For a network with 8-bit weights, see
    /// [`IntegerMlp::network`](crate::nn::IntegerMlp::network).
    ///
    /// # Errors
    /// As for [`Self::from_json`]; or the network has another number of inputs.
    pub fn of(network: &Mlp) -> Result<Option<Self>, Error> {
        match network.preprocessor() {
            "" => Ok(None),
            json => {
                let found = Self::from_json(json)?;
                found.check_width(network)?;
                Ok(Some(found))
            }
        }
    }

    fn check_width(&self, network: &Mlp) -> Result<(), Error> {
        let what = "outputs of the preprocessor, the network's inputs";
        same_size(what, network.inputs(), self.outputs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        data::{Batch, table::Csv},
        nn::{Activation, IntegerMlp, Loss},
        rate::Keep,
        train::{Schedule, Sgd, Trainer},
    };

    fn fitted() -> (Preprocessor, Mlp) {
        let text = b"x,c\n1.5,a\n2e-9,\"b \"\"q\"\"\"\n0.1,\xc3\xa9\n,a\n";
        let training = Csv::new().from_bytes(text).unwrap();
        let preprocessor = Preprocessor::builder().min_rows(1).fit(&training).unwrap();
        let mlp = Mlp::builder(preprocessor.outputs()).hidden(4, Activation::Relu, Keep::HALF);
        (preprocessor, mlp.output(1, Loss::SquaredError).build().unwrap())
    }

    #[test]
    fn a_model_file_keeps_it() {
        let (preprocessor, mut mlp) = fitted();
        assert_eq!(Preprocessor::of(&mlp).unwrap(), None);
        let plain = mlp.to_bytes().unwrap();
        preprocessor.store_in(&mut mlp).unwrap();
        mlp.set_notes("notes").unwrap();
        let bytes = mlp.to_bytes().unwrap();
        let loaded = Mlp::from_bytes(&bytes).unwrap();
        assert_eq!(loaded, mlp);
        let found = Preprocessor::of(&loaded).unwrap().unwrap();
        assert_eq!(found.to_json().unwrap(), preprocessor.to_json().unwrap());
        assert_eq!(loaded.to_bytes().unwrap(), bytes);
        assert_eq!(loaded.digest(), Mlp::from_bytes(&plain).unwrap().digest());
        assert_eq!(mlp.try_clone().unwrap(), mlp);
        // Without it, files are as they were.
        mlp.set_notes("").unwrap();
        mlp.set_preprocessor("").unwrap();
        assert_eq!(mlp.to_bytes().unwrap(), plain);
    }

    #[test]
    fn integer_models_keep_it_and_trainers_remove_it() {
        let (preprocessor, mut mlp) = fitted();
        preprocessor.store_in(&mut mlp).unwrap();
        let row = preprocessor.transform_record([("x", "1"), ("c", "a")]).unwrap();
        let integer = IntegerMlp::new(&mlp, &Batch::csr(row.view())).unwrap();
        let integer = IntegerMlp::from_bytes(&integer.to_bytes().unwrap()).unwrap();
        assert_eq!(Preprocessor::of(integer.network()).unwrap(), Some(preprocessor));
        let sgd = Sgd::new(Schedule::constant(0.1));
        let trainer = Trainer::builder(mlp, sgd, 1).build().unwrap();
        assert_eq!(Preprocessor::of(&trainer.network().unwrap()).unwrap(), None);
    }

    #[test]
    fn a_hostile_one_is_refused() {
        let (preprocessor, mut mlp) = fitted();
        let json = preprocessor.to_json().unwrap();
        let mut refused = |json: &str| {
            mlp.set_preprocessor(json).unwrap();
            // The file can be read, and only what needs the preprocessor fails.
            let loaded = Mlp::from_bytes(&mlp.to_bytes().unwrap()).unwrap();
            Preprocessor::of(&loaded).unwrap_err().to_string()
        };
        assert!(refused("{}").starts_with("a preprocessor as JSON: missing field `columns`"));
        assert!(refused(&"[".repeat(100_000)).starts_with("a preprocessor as JSON: invalid type"));
        let narrower = json.replace("\"a\",", "");
        let inputs = preprocessor.outputs();
        assert_eq!(
            refused(&narrower),
            format!(
                "outputs of the preprocessor, the network's inputs: expected {inputs}, got {}",
                inputs - 1
            )
        );
        let (_, mut mlp) = fitted();
        let error = mlp.set_preprocessor(&" ".repeat((4 << 20) + 1)).unwrap_err().to_string();
        assert_eq!(error, "bytes of a preprocessor as JSON: expected at most 4194304, got 4194305");
        assert_eq!(mlp.preprocessor(), "");
    }
}
