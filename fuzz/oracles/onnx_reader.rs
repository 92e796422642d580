//! The reader of ONNX graphs never panics. A network that it reads can be used, and is equal after
//! it was saved and loaded. A network has the loss that is asked for, or the graph is refused.

use thinnet::{
    exchange::{FileKind, onnx::Model},
    nn::{Loss, Mlp},
};

use super::model_reader;

/// See the head of this file.
pub fn check(bytes: &[u8]) {
    let _ = FileKind::from_bytes(bytes);
    let model = Model::from_bytes(bytes);
    let Ok(mlp) = model.network(None) else {
        for &loss in Loss::ALL {
            assert!(model.network(Some(loss)).is_err());
        }
        return;
    };
    let saved = mlp.to_bytes().unwrap();
    assert_eq!(Mlp::from_bytes(&saved).unwrap(), mlp);
    model_reader::check(&saved);
    for &loss in Loss::ALL {
        if let Ok(asked) = model.network(Some(loss)) {
            assert_eq!((asked.loss(), asked.digest()), (loss, mlp.digest()));
        }
    }
}
