"""ONNX Runtime's worker: predictions, nothing else.

It runs the model that the driver wrote; inputs and output are bound to memory made before.
"""

import time

import numpy as np
import onnxruntime as ort

import worker

# A session's threads wait for its next call by spinning, for some 40 ms; longer than that.
SPINNING = 0.1


def session_of(path, threads):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


class Predicting(worker.Work):
    """Predictions by weight scaling."""

    # The session that ran last.
    last = None

    def __init__(self, case):
        network, batch = case["network"], case["batch"]
        self.rows = worker.read_rows(case)
        inputs, _, count = worker.read_batches(case)
        self.batches = [ort.OrtValue.ortvalue_from_numpy(x) for x in np.split(inputs, count)]
        self.taken = 0
        self.session = session_of(case["model"], case["threads"])
        self.output = ort.OrtValue.ortvalue_from_shape_and_type(
            [batch, network["widths"][-1]], np.float32
        )
        self.binding = self.session.io_binding()
        self.binding.bind_ortvalue_output("y", self.output)

    def run(self, calls):
        if Predicting.last is not self.session:
            # Threads of the session before must not take time from this one.
            time.sleep(SPINNING)
            Predicting.last = self.session
        return super().run(calls)

    def call(self):
        x = self.batches[self.taken % len(self.batches)]
        self.taken += 1
        self.predict(x)

    def predict(self, x):
        self.binding.bind_ortvalue_input("x", x)
        self.session.run_with_iobinding(self.binding)

    def answer(self):
        self.predict(self.batches[0])
        return self.output.numpy().flatten().tolist()

    def answers(self):
        batch = self.output.shape()[0]
        answers = []
        for row in range(0, len(self.rows), batch):
            # The last batch ends with the last row, and may repeat rows.
            first = min(row, len(self.rows) - batch)
            rows = np.ascontiguousarray(self.rows[first : first + batch])
            self.predict(ort.OrtValue.ortvalue_from_numpy(rows))
            answers.append(self.output.numpy()[row - first :].flatten())
        return np.concatenate(answers).tolist()


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
        Predicting.last = None


if __name__ == "__main__":
    worker.serve(Engine())
