"""The networks as ONNX models, in f32 and in 8 bits, for the engines that read them.

The graph is a layer's product and bias, the units, and Softmax or Sigmoid, with the weights inside.
ONNX Runtime's own tools make integer models of it.
"""

import logging
from dataclasses import dataclass

# Engines that read ONNX models.
READERS = ("onnxruntime", "rten")
# Of the calibration rows that are run at once.
CALIBRATION_BATCH = 100
# Both engines read these; newer versions add nothing that the graph needs.
IR_VERSION, OPSET = 10, 21
# The name of the size of the batches until it is known.
ROWS = "rows"
UNITS = {"relu": "Relu", "identity": None}
# From outputs to predictions: the operator and its attributes.
LINKS = {
    "softmax_cross_entropy": ("Softmax", {"axis": 1}),
    "binary_cross_entropy": ("Sigmoid", {}),
    "squared_error": ("Identity", {}),
}


@dataclass(frozen=True)
class Integers:
    """A way to 8 bits, by the settings of ONNX Runtime's tools."""

    name: str
    # The format of a static model, whose activations have fixed scales; None for a dynamic one,
    # which finds a scale for each batch.
    static: str | None = None
    activations: str = "QUInt8"
    weights: str = "QInt8"
    per_channel: bool = False
    # Weights of 7 bits: exact sums on CPUs without VNNI.
    reduced: bool = False


DYNAMIC = (
    Integers("dynamic"),
    Integers("dynamic, per channel", per_channel=True),
    Integers("dynamic, per channel, reduced range", per_channel=True, reduced=True),
    Integers("dynamic, unsigned weights", weights="QUInt8"),
)
STATIC = (
    Integers("static", static="QDQ"),
    Integers("static, per channel", static="QDQ", per_channel=True),
    Integers("static, signed", static="QDQ", activations="QInt8"),
    Integers("static, signed, per channel", static="QDQ", activations="QInt8", per_channel=True),
    Integers("static, operators", static="QOperator"),
    Integers("static, operators, per channel", static="QOperator", per_channel=True),
)


def product_for(engine, batch):
    """The operator of a layer's product that is faster. rten 0.27 packs the weights of MatMul once,
    those of Gemm in every call; for a single row it packs nothing, and reads Gemm's rows faster."""
    return "MatMul" if engine == "rten" and batch > 1 else "Gemm"


class Models:
    """Writes each model once."""

    def __init__(self, folder):
        self.folder, self.stems = folder, {}

    def path(self, network, batch, product="Gemm", integers=None, calibration=None):
        """The file of a network's model for batches of one size. A static model takes its scales
        from the rows in the file `calibration`."""
        stem = self.stem(network, product, integers, calibration)
        path = stem.with_suffix(f".{batch}.onnx")
        if not path.exists():
            write_fixed(stem, path, batch)
        return str(path)

    def stem(self, network, product, integers, calibration):
        """The file of the model for batches of any size."""
        key = (str(sorted(network.items())), product, integers, calibration)
        if key not in self.stems:
            floats = self.stem(network, product, None, None) if integers else None
            path = self.folder / f"model-{len(self.stems)}"
            if integers:
                quantise(floats, path, integers, calibration, network["widths"][0])
            else:
                path.write_bytes(make_model(network, product).SerializeToString())
            self.stems[key] = path
        return self.stems[key]


def make_model(network, product):
    """The network as an ONNX model for batches of any size."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from python.worker import read_parameters

    nodes, constants, x = [], [], "x"
    for layer, (weights, bias) in enumerate(read_parameters(network)):
        if layer > 0:
            x = add_units(nodes, network["activation"], x, f"a{layer}")
        if product == "MatMul":
            weights = weights.T.copy()
        constants.append(numpy_helper.from_array(weights, f"w{layer}"))
        constants.append(numpy_helper.from_array(bias, f"b{layer}"))
        x = add_product(nodes, product, x, layer)
    link, attributes = LINKS[network["loss"]]
    nodes.append(helper.make_node(link, [x], ["y"], **attributes))
    widths = network["widths"]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [ROWS, widths[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [ROWS, widths[-1]])],
        constants,
    )
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model


def add_product(nodes, product, x, layer):
    """Adds the nodes of a layer's product and bias; the name of its output."""
    from onnx import helper

    w, b, z = f"w{layer}", f"b{layer}", f"z{layer}"
    if product == "Gemm":
        nodes.append(helper.make_node("Gemm", [x, w, b], [z], transB=1))
    else:
        nodes.append(helper.make_node("MatMul", [x, w], [f"p{layer}"]))
        nodes.append(helper.make_node("Add", [f"p{layer}", b], [z]))
    return z


def add_units(nodes, activation, x, y):
    """Adds the node of a layer's units; the name of its output."""
    from onnx import helper

    if activation not in UNITS:
        raise ValueError(f"activation {activation}: expected one of {', '.join(UNITS)}")
    if UNITS[activation] is None:
        return x
    nodes.append(helper.make_node(UNITS[activation], [x], [y]))
    return y


def write_fixed(source, path, batch):
    """Writes a model for batches of one size, for which engines choose their kernels."""
    import onnx
    from onnxruntime.tools.onnx_model_utils import make_dim_param_fixed

    model = onnx.load(source)
    make_dim_param_fixed(model.graph, ROWS, batch)
    onnx.save(model, path)


def quantise(source, path, integers, calibration, width):
    """Writes a model with integers of 8 bits."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static

    settings = {
        "weight_type": QuantType[integers.weights],
        "per_channel": integers.per_channel,
        "reduce_range": integers.reduced,
    }
    # The tools advise a preparation that changes nothing in graphs as plain as these.
    logging.getLogger().setLevel(logging.ERROR)
    if integers.static is None:
        quantize_dynamic(source, path, **settings)
    else:
        quantize_static(
            source,
            path,
            rows_for_scales(calibration, width),
            quant_format=QuantFormat[integers.static],
            activation_type=QuantType[integers.activations],
            **settings,
        )


def rows_for_scales(path, width):
    """The calibration rows, as ONNX Runtime's tools read them."""
    import numpy as np
    from onnxruntime.quantization import CalibrationDataReader

    rows = np.fromfile(path, "<f4").reshape(-1, width)
    batches = iter(np.split(rows, range(CALIBRATION_BATCH, len(rows), CALIBRATION_BATCH)))

    class Reader(CalibrationDataReader):
        def get_next(self):
            batch = next(batches, None)
            return None if batch is None else {"x": batch}

    return Reader()
