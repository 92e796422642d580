"""ONNX Runtime's worker: predictions, nothing else.

The graph is Gemm, Relu, and Softmax or Sigmoid, with the weights inside, for batches of one
size; inputs and output are bound to memory made before.
"""

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

import worker

# What ONNX Runtime 1.32 reads; newer than this the graph needs nothing of.
IR_VERSION, OPSET = 10, 21
# From outputs to predictions: the operator and its attributes.
LINKS = {
    "softmax_cross_entropy": ("Softmax", {"axis": 1}),
    "binary_cross_entropy": ("Sigmoid", {}),
    "squared_error": ("Identity", {}),
}


def make_model(network, batch):
    """The network as an ONNX model, serialised."""
    if network["activation"] != "relu":
        raise ValueError(f"activation {network['activation']}: expected relu")
    nodes, constants, x = [], [], "x"
    for layer, (weights, bias) in enumerate(worker.read_parameters(network)):
        if layer > 0:
            nodes.append(helper.make_node("Relu", [x], [f"a{layer}"]))
            x = f"a{layer}"
        constants.append(numpy_helper.from_array(weights, f"w{layer}"))
        constants.append(numpy_helper.from_array(bias, f"b{layer}"))
        inputs = [x, f"w{layer}", f"b{layer}"]
        x = f"z{layer}"
        nodes.append(helper.make_node("Gemm", inputs, [x], transB=1))
    link, attributes = LINKS[network["loss"]]
    nodes.append(helper.make_node(link, [x], ["y"], **attributes))
    widths = network["widths"]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, widths[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, widths[-1]])],
        constants,
    )
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def session_of(model, threads):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class Predicting(worker.Work):
    """Predictions by weight scaling."""

    def __init__(self, case):
        network, batch = case["network"], case["batch"]
        inputs, _, count = worker.read_batches(case)
        self.batches = [ort.OrtValue.ortvalue_from_numpy(x) for x in np.split(inputs, count)]
        self.taken = 0
        self.session = session_of(make_model(network, batch), case["threads"])
        self.output = ort.OrtValue.ortvalue_from_shape_and_type(
            [batch, network["widths"][-1]], np.float32
        )
        self.binding = self.session.io_binding()
        self.binding.bind_ortvalue_output("y", self.output)

    def call(self):
        x = self.batches[self.taken % len(self.batches)]
        self.taken += 1
        self.binding.bind_ortvalue_input("x", x)
        self.session.run_with_iobinding(self.binding)

    def answer(self):
        self.taken = 0
        self.call()
        return self.output.numpy().flatten().tolist()


class Engine:
    def hello(self, threads):
        return {
            "engine": "onnxruntime",
            "version": ort.__version__,
            "isa": "chosen by MLAS at run time",
            "threads": threads,
        }

    def ready(self, case):
        if case["kind"] != "predict":
            raise ValueError(f"{case['kind']}: ONNX Runtime's worker measures predictions only")
        return Predicting(case)

    def forget(self):
        pass


if __name__ == "__main__":
    worker.serve(Engine())
