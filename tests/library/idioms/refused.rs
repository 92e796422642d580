//! The graphs of `idioms` that are refused, and a part of the error for each.
//!
//! `docs/FROM_PYTORCH.md` says why they are unsupported, and what to do.

/// A part of an error, and the graphs that it is for.
pub struct Refusal {
    /// The words; ` ... ` stands for any text between them.
    pub words: &'static str,
    /// The networks; `name/part` means the files of a network with this part in their names, and
    /// `name*` all networks whose names begin like this.
    pub which: &'static [&'static str],
}

/// The errors for the committed graphs.
pub const REFUSED: &[Refusal] = &[
    Refusal {
        words: "(`Abs`): unsupported operator: expected one of Gemm",
        which: &["unit_abs", "unit_softsign"],
    },
    Refusal {
        words: "(`ArgMax`): unsupported operator: expected one of Gemm",
        which: &["outputs_argmax"],
    },
    Refusal {
        words: "(`AveragePool`): unsupported operator: expected one of Gemm",
        which: &["pooled"],
    },
    Refusal {
        words: "(`Celu`): unsupported operator: expected one of Gemm",
        which: &["unit_celu"],
    },
    Refusal {
        words: "(`Conv`): unsupported operator: expected one of Gemm",
        which: &["convolution", "keras_convolution"],
    },
    Refusal {
        words: "(`DynamicQuantizeLinear`): unsupported operator: expected one of Gemm",
        which: &["tools_*/quantised"],
    },
    Refusal {
        words: "(`Einsum`): unsupported operator: expected one of Gemm",
        which: &["linear_einsum", "linear_einsum_inputs"],
    },
    Refusal {
        words: "(`Greater`): unsupported operator: expected one of Gemm",
        which: &["unit_where_dead_zone"],
    },
    Refusal {
        words: "(`HardSigmoid`): unsupported operator: expected one of Gemm",
        which: &["unit_hardsigmoid"],
    },
    Refusal {
        words: "(`HardSwish`): unsupported operator: expected one of Gemm",
        which: &["unit_hardswish"],
    },
    Refusal {
        words: "(`InstanceNormalization`): unsupported operator: expected one of Gemm",
        which: &["norm_group", "norm_instance"],
    },
    Refusal {
        words: "(`LayerNormalization`): unsupported operator: expected one of Gemm",
        which: &["norm_layer/dynamo", "norm_layer_inputs/dynamo"],
    },
    Refusal {
        words: "(`Mish`): unsupported operator: expected one of Gemm",
        which: &["unit_mish"],
    },
    Refusal {
        words: "(`PRelu`): unsupported operator: expected one of Gemm",
        which: &["unit_prelu", "unit_prelu_each"],
    },
    Refusal {
        words: "(`Reciprocal`): unsupported operator: expected one of Gemm",
        which: &["inputs_reciprocal"],
    },
    Refusal {
        words: "(`ReduceL2`): unsupported operator: expected one of Gemm",
        which: &["inputs_normalised", "outputs_normalised"],
    },
    Refusal {
        words: "(`ReduceMean`): unsupported operator: expected one of Gemm",
        which: &[
            "inputs_centred",
            "norm_layer/script",
            "norm_layer_inputs/script",
            "norm_without_statistics",
        ],
    },
    Refusal {
        words: "(`Selu`): unsupported operator: expected one of Gemm",
        which: &["unit_selu"],
    },
    Refusal { words: "(`Sin`): unsupported operator: expected one of Gemm", which: &["unit_sine"] },
    Refusal {
        words: "(`Slice`): takes ... expected all of it",
        which: &["inputs_selected", "rejoined"],
    },
    Refusal {
        words: "(`Add`): ... neither of which is constant: expected only one input that is not \
             constant",
        which: &["residual"],
    },
    Refusal {
        words: "(`Cast`): ... which another node takes too: expected a single path from the input \
             to the output, without branches",
        which: &["keras_residual"],
    },
    Refusal {
        words: "(`Clip`): clips from -1 to 1: expected only a minimum of 0, which is a ReLU",
        which: &["inputs_clamped", "unit_hardtanh"],
    },
    Refusal {
        words: "(`Clip`): clips from 0 to 1: expected only a minimum of 0, which is a ReLU",
        which: &["keras_relu_max", "sklearn_minmax_clip", "unit_clamp_both"],
    },
    Refusal {
        words: "(`Clip`): clips from 0 to 6: expected only a minimum of 0, which is a ReLU",
        which: &["keras_relu6", "unit_relu6"],
    },
    Refusal {
        words: "(`Concat`): concatenates columns: expected a single path from the input to the \
             output, without branches",
        which: &["sklearn_multilabel_two"],
    },
    Refusal {
        words: "(`Equal`): computes a constant with an unsupported operator: expected the \
             constant itself",
        which: &["linear_bmm/script"],
    },
    Refusal {
        words: "(`Expand`): computes a constant with an unsupported operator: expected the \
             constant itself",
        which: &["dropout_alpha/kept"],
    },
    Refusal {
        words: "(`Gather`): takes [1] of axis 1, which has size 3: expected a size of 1",
        which: &["outputs_one_of_three"],
    },
    Refusal {
        words: "(`Gather`): looks up the rows in a table, as an embedding does",
        which: &["embedding"],
    },
    Refusal {
        words: "(`Log`): computes a constant with an unsupported operator: expected the constant \
             itself",
        which: &["outputs_log_prior/script"],
    },
    Refusal {
        words: "(`Log`): expected a Log only directly after a Softmax",
        which: &["inputs_log", "unit_logsigmoid"],
    },
    Refusal {
        words: "(`MatMul`): ... has shape [5, 12, 7]: expected two dimensions",
        which: &["linear_bmm/dynamo"],
    },
    Refusal {
        words: "(`Mod`): computes a constant with an unsupported operator: expected the constant \
             itself",
        which: &["flatten_unflatten/script"],
    },
    Refusal {
        words: "(`Mul`): ... neither of which is constant: expected only one input that is not \
             constant",
        which: &["inputs_joined", "keras_unit_norm", "unit_square"],
    },
    Refusal {
        words: "(`Mul`): scales or shifts the output of the last activation: expected a layer \
             after this node, into which the operation can be folded",
        which: &["outputs_scaled_probabilities"],
    },
    Refusal {
        words: "(`Neg`): ... which another node takes too: expected a single path from the input \
             to the output, without branches",
        which: &["keras_prelu"],
    },
    Refusal {
        words: "(`Reshape`): ... which another node takes too: expected a single path from the \
             input to the output, without branches",
        which: &["linear_tensordot/script"],
    },
    Refusal {
        words: "(`Reshape`): makes rows of 1 elements: expected 2, as in its input",
        which: &["sklearn_standard_values", "sklearn_values"],
    },
    Refusal {
        words: "(`Reshape`): makes rows of 1 elements: expected 3, as in its input",
        which: &["sklearn_values_three"],
    },
    Refusal {
        words: "(`Reshape`): reshapes a shape to [-1, 2]: expected [-1]",
        which: &["inputs_padded"],
    },
    Refusal {
        words: "(`Softmax`): axis 0: expected 1 or -1, a row's columns",
        which: &["outputs_softmax_of_rows"],
    },
    Refusal {
        words: "(`StatelessRandomUniformV2`): draws random numbers: expected a Dropout",
        which: &["keras_always_dropped/tensorflow"],
    },
    Refusal {
        words: "(`Sub`): ... which are both inputs of the graph: expected one",
        which: &[
            "keras_normalization/tensorflow",
            "keras_normalization_adapted/tensorflow",
            "keras_normalization_all/tensorflow",
            "keras_normalization_channels/tensorflow",
            "keras_normalization_channels/tf2onnx",
        ],
    },
    Refusal {
        words: "(`Transpose`): perm [0, 2, 3, 1] changes the order of a row's elements: expected \
             the same order",
        which: &["flatten_channels_last"],
    },
    Refusal {
        words: "(`Transpose`): perm [1, 0]: expected the rows to stay first",
        which: &["linear_turned"],
    },
    Refusal {
        words: "(`ai.onnx.ml.Normalizer`): unsupported operator: expected one of Scaler, ZipMap",
        which: &["sklearn_normalizer"],
    },
    Refusal {
        words: "(`com.microsoft.FusedGemm`): operator of an unsupported domain",
        which: &["tools_*/ort_all"],
    },
    Refusal {
        words: "2 outputs ... : expected exactly one output of floats",
        which: &["outputs_heads", "outputs_two"],
    },
    Refusal {
        words: "3 outputs ... : expected exactly one output of floats",
        which: &["sklearn_binary_columns"],
    },
    Refusal {
        words: "4 outputs ... : expected exactly one output of floats",
        which: &["sklearn_classes_columns"],
    },
    Refusal {
        words: "(`Dropout`): drops outputs of the network: expected no dropout after the last \
             layer",
        which: &["dropout_of_outputs/kept"],
    },
    Refusal {
        words: "the activation relu after the last layer: expected none, a Softmax, a \
             LogSoftmax, a Sigmoid or an Exp",
        which: &["outputs_relu"],
    },
    Refusal {
        words: "the activation softplus after the last layer: expected none, a Softmax, a \
             LogSoftmax, a Sigmoid or an Exp",
        which: &["outputs_softplus"],
    },
    Refusal {
        words: "the activation tanh after the last layer: expected none, a Softmax, a \
             LogSoftmax, a Sigmoid or an Exp",
        which: &["outputs_tanh"],
    },
];

/// More errors, for graphs that `idioms.py --all` writes and that are not committed.
pub const REFUSED_ELSEWHERE: &[Refusal] = &[
    Refusal {
        words: "(`Clip`): ... which another node takes too: expected a single path from the input \
             to the output, without branches",
        which: &["unit_leaky_parts/script"],
    },
    Refusal {
        words: "(`Mul`): ... neither of which is constant: expected only one input that is not \
             constant",
        which: &["unit_mish/script"],
    },
    Refusal {
        words: "(`Min`): unsupported operator: expected one of Gemm",
        which: &["unit_clamp_both/dynamo_any_raw", "unit_hardtanh/dynamo_any_raw"],
    },
    Refusal {
        words: "(`Dropout`): drops outputs of the network: expected no dropout after the last \
             layer",
        which: &["dropout_of_outputs/training"],
    },
    Refusal {
        words: "(`Expand`): computes a constant with an unsupported operator: expected the \
             constant itself",
        which: &[
            "dropout_alpha/training",
            "sequential_inplace/dynamo/training",
            "linear_bmm/dynamo_any_raw",
        ],
    },
    Refusal {
        words: "(`RandomUniformLike`): draws random numbers: expected a Dropout to drop units",
        which: &[
            "dropout_alpha/kept",
            "dropout_alpha/training",
            "sequential_inplace/dynamo/kept",
            "sequential_inplace/dynamo/training",
        ],
    },
    Refusal {
        words: "(`Slice`): takes ... expected all of it",
        which: &["outputs_first/dynamo_any_raw", "outputs_one_of_three/dynamo_any_raw"],
    },
    Refusal {
        words: "(`Add`): computes with ... which is not a whole number: export with constant \
             folding",
        which: &["inputs_variance/raw"],
    },
    Refusal {
        words: "(`Mul`): computes with ... which is not a whole number: export with constant \
             folding",
        which: &["linear_scaled_weights/raw"],
    },
    Refusal {
        words: "(`Constant`): expected a tensor, a float or whole numbers",
        which: &[
            "norm_f/dynamo_any_raw",
            "norm_instance/dynamo_any_raw",
            "norm_no_affine/dynamo_any_raw",
            "norm_no_affine_inputs/dynamo_any_raw",
        ],
    },
    Refusal {
        words: "(`GroupNormalization`): unsupported operator: expected one of Gemm",
        which: &["norm_group/dynamo"],
    },
    Refusal {
        words: "(`MatMul`): ... has shape [1, 12, 7]: expected two dimensions",
        which: &["linear_bmm/dynamo"],
    },
    Refusal {
        words: "(`Pad`): unsupported operator: expected one of Gemm",
        which: &["inputs_padded/dynamo"],
    },
    Refusal {
        words: "(`Sqrt`): computes a constant with an unsupported operator: expected the constant \
             itself",
        which: &["inputs_rsqrt/raw"],
    },
    Refusal {
        words: "(`Squeeze`): without axes, a Squeeze of a single row also removes the dimension of \
             the rows: expected axes",
        which: &["outputs_squeezed_any/_1"],
    },
    Refusal {
        words: "(`Transpose`): transposes `w1`, which has 2 dimensions: expected a matrix and \
             perm [1, 0]",
        which: &["linear_tensordot/dynamo_any_raw"],
    },
    Refusal {
        words: "(`Transpose`): perm [1, 0]: expected the rows to stay first",
        which: &["outputs_softmax_of_rows/script"],
    },
    Refusal {
        words: "(`Log`): computes a constant with an unsupported operator: expected the constant \
             itself",
        which: &["outputs_log_prior/dynamo_any_raw"],
    },
    Refusal {
        words: "(`Not`): computes a constant with an unsupported operator: expected the constant \
             itself",
        which: &["keras_always_dropped/tf2onnx_1"],
    },
    Refusal {
        words: "(`Mul`): ... has shape [5, 9]: expected a number, or one for each element of a \
             row, [9]",
        which: &["keras_always_dropped/tf2onnx_5"],
    },
    Refusal {
        words: "(`StatelessRandomUniformV2`): draws random numbers: expected a Dropout",
        which: &["keras_always_dropped/tf2onnx_any"],
    },
    Refusal {
        words: "(`ReduceMean`): unsupported operator: expected one of Gemm",
        which: &["keras_layer_norm"],
    },
    Refusal {
        words: "(`Sub`): ... which are both inputs of the graph: expected one",
        which: &["keras_normalization*/tf2onnx"],
    },
    Refusal {
        words: "(`Min`): unsupported operator: expected one of Gemm",
        which: &["keras_relu_max"],
    },
    Refusal {
        words: "(`Add`): ... neither of which is constant: expected only one input that is not \
             constant",
        which: &["keras_residual"],
    },
    Refusal {
        words: "(`Squeeze`): ... which another node takes too: expected a single path from the \
             input to the output, without branches",
        which: &["keras_residual/tf2onnx"],
    },
    Refusal {
        words: "(`ReduceSumSquare`): unsupported operator: expected one of Gemm",
        which: &["sklearn_normalizer/double"],
    },
];
