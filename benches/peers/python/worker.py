"""The conversation of a Python worker with the driver.

One line of JSON comes in on standard input, one goes out on standard output.
../README.md has the protocol.
"""

import json
import os
import sys
import time
import traceback

import numpy as np


class Work:
    """Something that is ready to be timed."""

    def call(self):
        """Does it once."""
        raise NotImplementedError

    def finish(self):
        """Returns when all that was called is done."""

    def run(self, calls):
        """Seconds that `calls` calls take."""
        self.finish()
        started = time.perf_counter()
        for _ in range(calls):
            self.call()
        self.finish()
        return time.perf_counter() - started

    def about(self):
        """What the driver should know of it."""
        return {}

    def losses(self, steps):
        """The losses of the next `steps` steps."""
        raise ValueError("losses: not a training")

    def norms(self):
        """Of each layer: the largest norm of the weights into a unit, and the
        norm of all its weights."""
        raise ValueError("norms: not a training")

    def answer(self):
        """The predictions for the first batch."""
        raise ValueError("answer: not a prediction")

    def answers(self):
        """The predictions for all rows."""
        raise ValueError("answers: this worker does not predict all rows")


def read_rows(case):
    """The inputs of all rows."""
    return np.fromfile(case["data"]["inputs"], "<f4").reshape(-1, case["network"]["widths"][0])


def read_batches(case):
    """Inputs and targets as whole batches, and their number. Targets are classes for softmax
    cross-entropy, else [rows][outputs]."""
    network, data, batch = case["network"], case["data"], case["batch"]
    inputs = read_rows(case)
    if network["loss"] == "softmax_cross_entropy":
        targets = np.fromfile(data["targets"], "<u4").astype(np.int64)
    else:
        targets = np.fromfile(data["targets"], "<f4").reshape(-1, network["widths"][-1])
    count = len(inputs) // batch
    if count == 0:
        raise ValueError(f"a batch of {batch}: more than the {len(inputs)} rows")
    return inputs[: count * batch], targets[: count * batch], count


def read_parameters(network):
    """Weights [outputs][inputs] and biases, layer by layer."""
    values = np.fromfile(network["weights"], "<f4")
    parameters, at = [], 0
    for inputs, outputs in zip(network["widths"], network["widths"][1:]):
        weights = values[at : at + inputs * outputs].reshape(outputs, inputs)
        at += inputs * outputs
        parameters.append((weights, values[at : at + outputs]))
        at += outputs
    if at != len(values):
        raise ValueError(f"{len(values)} parameters in the file, expected {at}")
    return parameters


def keeps_of(network):
    """The keep rate of each layer's inputs."""
    hidden = len(network["widths"]) - 2
    return [network["keep_input"]] + [network["keep_hidden"]] * hidden


def bounds_of(case):
    """The bound on the norm of each unit's incoming weights, layer by layer:
    the paper's c times the keep rate of the layer's inputs; none without it."""
    if case["max_norm"] is None:
        return []
    return [keep * case["max_norm"] for keep in keeps_of(case["network"])]


def norms_of(weights):
    """`Work.norms` of weights [outputs][inputs]."""
    squares = [np.square(layer, dtype=np.float64).sum(1) for layer in weights]
    return [[float(s.max()) ** 0.5, float(s.sum()) ** 0.5] for s in squares]


def answer_to(request, slots, engine):
    match request["do"]:
        case "hello":
            return engine.hello(request["threads"])
        case "setup":
            slots[request["slot"]] = work = engine.ready(request["case"])
            return {"about": work.about()}
        case "run":
            work = slots[request["slot"]]
            work.run(request["warm"])
            return {"seconds": work.run(request["calls"]), "about": work.about()}
        case "losses":
            return {"losses": slots[request["slot"]].losses(request["steps"])}
        case "norms":
            return {"norms": slots[request["slot"]].norms()}
        case "answer":
            return {"answer": slots[request["slot"]].answer()}
        case "answers":
            return {"answers": slots[request["slot"]].answers()}
        case "drop":
            slots.clear()
            engine.forget()
            return {}
        case other:
            raise ValueError(f"do: {other} is not known")


def told(error):
    """An exception in one line, for a table."""
    first = (str(error).strip() or "no message").splitlines()[0]
    return f"{type(error).__name__}: {first}"


def serve(engine):
    """Answers until standard input ends. What libraries print goes to standard
    error, so that it cannot be taken for an answer."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    slots = {}
    for line in sys.stdin:
        try:
            answer = answer_to(json.loads(line), slots, engine)
        except Exception as error:  # A case that fails must not end the others.
            traceback.print_exc()
            answer = {"error": told(error)}
        print(json.dumps(answer), file=answers, flush=True)
