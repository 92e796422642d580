//! The reader of model files never panics on any bytes; what it loads saves
//! again to bytes that load equal, with the same digest and with the tensors
//! that the input held, bit for bit. Bytes are given the digest that they have;
//! where they had another, they are refused.

use thinnet::{
    Error,
    checkpoint::Contents,
    data::Batch,
    nn::Mlp,
    predict::Predictor,
    tensor::{Matrix, MatrixView},
};

use super::file_contents;

/// See the head of this file.
pub fn check(bytes: &[u8]) {
    let given = Mlp::from_bytes(bytes);
    let fixed = &file_contents::with_digest(bytes);
    let mlp = Mlp::from_bytes(fixed);
    assert!(given.is_err() || (fixed == bytes && mlp.is_ok()));
    let Ok(mlp) = mlp else { return };
    let another = file_contents::with_another_digest(fixed);
    assert_eq!(Contents::from_bytes_unverified(&another).unwrap().network, mlp);
    let bytes = fixed;
    let saved = mlp.to_bytes().unwrap();
    let again = Mlp::from_bytes(&saved).unwrap();
    assert_eq!(again, mlp);
    assert_eq!(again.digest(), mlp.digest());
    // Those parts of the network that a `PartialEq` could forget.
    let parts = [&mlp, &again].map(|mlp| (mlp.temperature(), mlp.threshold(), mlp.notes()));
    assert_eq!(parts[0], parts[1]);
    assert_eq!(again.to_bytes().unwrap(), saved);
    let (given, kept) =
        (file_contents::read(bytes, "thinnet"), file_contents::read(&saved, "thinnet"));
    assert_eq!(given.0, kept.0);

    // A model that loads can be used; only what overflows in it is refused.
    let (inputs, outputs) = (mlp.inputs(), mlp.outputs());
    let x = Matrix::zeroed(1, inputs).unwrap();
    let x = Batch::dense(MatrixView::new(x.row(0).unwrap(), 1, inputs).unwrap());
    let predictor = Predictor::new(mlp);
    let mut workspace = predictor.workspace(1).unwrap();
    let refused = match predictor.predict(&x, &mut workspace) {
        Ok(y) => {
            assert!(y.row(0).unwrap().iter().all(|y| y.is_finite()));
            false
        }
        Err(Error::NonFinite { row: 0, .. } | Error::NonFiniteSum { row: 0, .. }) => true,
        Err(error) => panic!("{error}"),
    };
    let predictor = predictor.allow_non_finite_inputs();
    let y = predictor.predict(&x, &mut workspace).unwrap();
    assert_eq!((y.rows(), y.columns()), (1, outputs));
    assert!(refused || y.row(0).unwrap().iter().all(|y| y.is_finite()));
}
