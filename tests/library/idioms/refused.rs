//! The graphs of `idioms` that are refused, and with which words.
//!
//! `docs/FROM_PYTORCH.md` says of them why, and what to do.

/// Words of a message, and whose it is.
pub struct Refusal {
    /// The words, or several from its beginning on, with ` ... ` between them.
    pub words: &'static str,
    /// The networks; `name/part` for those of a network's files that have this part
    /// in their names, and `name*` for all networks whose names begin like this.
    pub which: &'static [&'static str],
}

/// Those of the committed graphs.
pub const REFUSED: &[Refusal] = &[
    Refusal { words: "(`Abs`): expected one of Gemm", which: &["unit_abs", "unit_softsign"] },
    Refusal { words: "(`ArgMax`): expected one of Gemm", which: &["outputs_argmax"] },
    Refusal { words: "(`AveragePool`): expected one of Gemm", which: &["pooled"] },
    Refusal { words: "(`Celu`): expected one of Gemm", which: &["unit_celu"] },
    Refusal {
        words: "(`Conv`): expected one of Gemm",
        which: &["convolution", "keras_convolution"],
    },
    Refusal {
        words: "(`DynamicQuantizeLinear`): expected one of Gemm",
        which: &["tools_*/quantised"],
    },
    Refusal {
        words: "(`Einsum`): expected one of Gemm",
        which: &["linear_einsum", "linear_einsum_inputs"],
    },
    Refusal { words: "(`Elu`): expected one of Gemm", which: &["keras_elu", "unit_elu"] },
    Refusal { words: "(`Exp`): expected one of Gemm", which: &["outputs_exp"] },
    Refusal { words: "(`Gelu`): expected one of Gemm", which: &["keras_gelu", "unit_gelu"] },
    Refusal {
        words: "(`Greater`): expected one of Gemm",
        which: &["outputs_softplus", "unit_softplus", "unit_times_positive", "unit_where"],
    },
    Refusal { words: "(`HardSigmoid`): expected one of Gemm", which: &["unit_hardsigmoid"] },
    Refusal { words: "(`HardSwish`): expected one of Gemm", which: &["unit_hardswish"] },
    Refusal {
        words: "(`InstanceNormalization`): expected one of Gemm",
        which: &["norm_group", "norm_instance"],
    },
    Refusal {
        words: "(`LayerNormalization`): expected one of Gemm",
        which: &["norm_layer/dynamo", "norm_layer_inputs/dynamo"],
    },
    Refusal { words: "(`Mish`): expected one of Gemm", which: &["unit_mish"] },
    Refusal { words: "(`PRelu`): expected one of Gemm", which: &["unit_prelu", "unit_prelu_each"] },
    Refusal { words: "(`Reciprocal`): expected one of Gemm", which: &["inputs_reciprocal"] },
    Refusal {
        words: "(`ReduceL2`): expected one of Gemm",
        which: &["inputs_normalised", "outputs_normalised"],
    },
    Refusal {
        words: "(`ReduceMean`): expected one of Gemm",
        which: &[
            "inputs_centred",
            "norm_layer/script",
            "norm_layer_inputs/script",
            "norm_without_statistics",
        ],
    },
    Refusal { words: "(`Selu`): expected one of Gemm", which: &["unit_selu"] },
    Refusal { words: "(`Sin`): expected one of Gemm", which: &["unit_sine"] },
    Refusal {
        words: "(`Slice`): takes ... expected all of it",
        which: &["inputs_selected", "rejoined"],
    },
    Refusal {
        words: "(`Add`): ... neither of which is constant: expected one such input",
        which: &["residual"],
    },
    Refusal {
        words: "(`Cast`): ... which another node takes too: expected one way from the input to the output",
        which: &["keras_residual"],
    },
    Refusal {
        words: "(`Clip`): clips from -1 to 1: expected a minimum of 0 alone, which is a ReLU",
        which: &["inputs_clamped", "unit_hardtanh"],
    },
    Refusal {
        words: "(`Clip`): clips from 0 to 1: expected a minimum of 0 alone, which is a ReLU",
        which: &["keras_relu_max", "sklearn_minmax_clip", "unit_clamp_both"],
    },
    Refusal {
        words: "(`Clip`): clips from 0 to 6: expected a minimum of 0 alone, which is a ReLU",
        which: &["keras_relu6", "unit_relu6"],
    },
    Refusal {
        words: "(`Concat`): puts columns together: expected one way from the input to the output",
        which: &["sklearn_multilabel_two"],
    },
    Refusal {
        words: "(`Equal`): ... is not computed here: expected what it makes as a constant",
        which: &["linear_bmm/script"],
    },
    Refusal {
        words: "(`Expand`): ... is not computed here: expected what it makes as a constant",
        which: &["dropout_alpha/kept"],
    },
    Refusal {
        words: "(`Gather`): takes [1] of axis 1, which has size 3: expected a size of 1",
        which: &["outputs_one_of_three"],
    },
    Refusal {
        words: "(`Gather`): takes whole numbers: expected a Cast to floats before",
        which: &["embedding"],
    },
    Refusal {
        words: "(`Log`): ... is not computed here: expected what it makes as a constant",
        which: &["outputs_log_prior/script"],
    },
    Refusal {
        words: "(`Log`): expected it behind a Softmax alone",
        which: &["inputs_log", "unit_logsigmoid"],
    },
    Refusal {
        words: "(`MatMul`): ... has shape [5, 12, 7]: expected two dimensions",
        which: &["linear_bmm/dynamo"],
    },
    Refusal {
        words: "(`Max`): ... neither of which is constant: expected one such input",
        which: &["unit_leaky_maximum"],
    },
    Refusal {
        words: "(`Mod`): ... is not computed here: expected what it makes as a constant",
        which: &["flatten_unflatten/script"],
    },
    Refusal {
        words: "(`Mul`): ... neither of which is constant: expected one such input",
        which: &[
            "inputs_joined",
            "keras_silu",
            "keras_unit_norm",
            "unit_gelu_tanh",
            "unit_silu",
            "unit_silu_product",
            "unit_square",
        ],
    },
    Refusal {
        words: "(`Mul`): scales or shifts what the last activation makes: expected a layer behind it, to be folded into",
        which: &["outputs_scaled_probabilities"],
    },
    Refusal {
        words: "(`Neg`): ... which another node takes too: expected one way from the input to the output",
        which: &["keras_prelu"],
    },
    Refusal {
        words: "(`Reshape`): ... which another node takes too: expected one way from the input to the output",
        which: &["linear_tensordot/script"],
    },
    Refusal {
        words: "(`Reshape`): 1 columns: expected 2, as in a row",
        which: &["sklearn_standard_values", "sklearn_values"],
    },
    Refusal {
        words: "(`Reshape`): 1 columns: expected 3, as in a row",
        which: &["sklearn_values_three"],
    },
    Refusal {
        words: "(`Reshape`): of a shape to [-1, 2]: expected [-1]",
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
        words: "(`Transpose`): perm [0, 2, 3, 1] changes the order of a row's elements: expected them as they come",
        which: &["flatten_channels_last"],
    },
    Refusal {
        words: "(`Transpose`): perm [1, 0]: expected the rows to stay first",
        which: &["linear_turned"],
    },
    Refusal {
        words: "(`ai.onnx.ml.Normalizer`): expected one of Scaler, ZipMap",
        which: &["sklearn_normalizer"],
    },
    Refusal {
        words: "(`com.microsoft.FusedGemm`): expected a standard operator",
        which: &["tools_*/ort_all"],
    },
    Refusal {
        words: "2 outputs ... : expected one of floats",
        which: &["outputs_heads", "outputs_two"],
    },
    Refusal { words: "3 outputs ... : expected one of floats", which: &["sklearn_binary_columns"] },
    Refusal {
        words: "4 outputs ... : expected one of floats",
        which: &["sklearn_classes_columns"],
    },
    Refusal {
        words: "(`Dropout`): drops outputs of the network: expected none behind the last layer",
        which: &["dropout_of_outputs/kept"],
    },
    Refusal {
        words: "the activation relu behind the last layer: expected none, a Softmax, a LogSoftmax or a Sigmoid",
        which: &["outputs_relu"],
    },
    Refusal {
        words: "the activation tanh behind the last layer: expected none, a Softmax, a LogSoftmax or a Sigmoid",
        which: &["outputs_tanh"],
    },
];

/// More, of graphs that `idioms.py --all` writes and that are not committed.
pub const REFUSED_ELSEWHERE: &[Refusal] = &[
    Refusal {
        words: "(`Min`): expected one of Gemm",
        which: &["unit_clamp_both/dynamo_any_raw", "unit_hardtanh/dynamo_any_raw"],
    },
    Refusal {
        words: "(`Dropout`): drops outputs of the network: expected none behind the last layer",
        which: &["dropout_of_outputs/training"],
    },
    Refusal { words: "(`Erf`): expected one of Gemm", which: &["unit_gelu"] },
    Refusal {
        words: "(`Expand`): ... is not computed here: expected what it makes as a constant",
        which: &[
            "dropout_alpha/training",
            "sequential_inplace/dynamo/training",
            "linear_bmm/dynamo_any_raw",
        ],
    },
    Refusal { words: "(`Gelu`): expected one of Gemm", which: &["unit_gelu_tanh"] },
    Refusal { words: "(`LessOrEqual`): expected one of Gemm", which: &["unit_threshold/dynamo"] },
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
        words: "(`Softplus`): expected one of Gemm",
        which: &["outputs_softplus", "unit_mish", "unit_softplus"],
    },
    Refusal {
        words: "(`Add`): computes with ... a constant that is no whole number: expected its value in the graph",
        which: &["inputs_variance/raw"],
    },
    Refusal {
        words: "(`Mul`): computes with ... a constant that is no whole number: expected its value in the graph",
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
        words: "(`GroupNormalization`): expected one of Gemm",
        which: &["norm_group/dynamo"],
    },
    Refusal {
        words: "(`MatMul`): ... has shape [1, 12, 7]: expected two dimensions",
        which: &["linear_bmm/dynamo"],
    },
    Refusal { words: "(`Pad`): expected one of Gemm", which: &["inputs_padded/dynamo"] },
    Refusal {
        words: "(`Sqrt`): ... is not computed here: expected what it makes as a constant",
        which: &["inputs_rsqrt/raw"],
    },
    Refusal {
        words: "(`Squeeze`): without axes, of 1 row, which goes too: expected axes",
        which: &["outputs_squeezed_any/_1"],
    },
    Refusal {
        words: "(`Transpose`): of `w1` of 2 dimensions: expected a matrix and perm [1, 0]",
        which: &["linear_tensordot/dynamo_any_raw"],
    },
    Refusal {
        words: "(`Transpose`): perm [1, 0]: expected the rows to stay first",
        which: &["outputs_softmax_of_rows/script"],
    },
    Refusal {
        words: "(`Log`): ... is not computed here: expected what it makes as a constant",
        which: &["outputs_log_prior/dynamo_any_raw"],
    },
    Refusal {
        words: "(`Neg`): ... which another node takes too: expected one way from the input to the output",
        which: &["keras_gelu"],
    },
    Refusal {
        words: "(`Not`): ... is not computed here: expected what it makes as a constant",
        which: &["keras_always_dropped/tf2onnx_1"],
    },
    Refusal {
        words: "(`Mul`): ... has shape [5, 9]: expected a number, or one for each of a row's [9]",
        which: &["keras_always_dropped/tf2onnx_5"],
    },
    Refusal {
        words: "(`StatelessRandomUniformV2`): draws random numbers: expected a Dropout",
        which: &["keras_always_dropped/tf2onnx_any"],
    },
    Refusal { words: "(`ReduceMean`): expected one of Gemm", which: &["keras_layer_norm"] },
    Refusal {
        words: "(`Sub`): ... which are both inputs of the graph: expected one",
        which: &["keras_normalization*/tf2onnx"],
    },
    Refusal { words: "(`Min`): expected one of Gemm", which: &["keras_relu_max"] },
    Refusal {
        words: "(`Add`): ... neither of which is constant: expected one such input",
        which: &["keras_residual"],
    },
    Refusal {
        words: "(`Squeeze`): ... which another node takes too: expected one way from the input to the output",
        which: &["keras_residual/tf2onnx"],
    },
    Refusal {
        words: "(`ReduceSumSquare`): expected one of Gemm",
        which: &["sklearn_normalizer/double"],
    },
];
