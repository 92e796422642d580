"""PyTorch's worker, eager and through `torch.compile`.

Each form is the fastest found: eager has the fused SGD; compiled, forward with
its backward, momentum and max-norm are a graph each (one graph of update and
max-norm together fails to compile in PyTorch 2.15); compiled predictions have
frozen weights.
"""

import torch
import torch.nn.functional as F
from torch import nn

import worker

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}
LOSSES = {
    "softmax_cross_entropy": F.cross_entropy,
    "binary_cross_entropy": F.binary_cross_entropy_with_logits,
    "squared_error": F.mse_loss,
}
# From outputs to predictions.
LINKS = {
    "softmax_cross_entropy": lambda z: F.softmax(z, dim=1),
    "binary_cross_entropy": torch.sigmoid,
    "squared_error": lambda z: z,
}


def compiled(function, **options):
    """The function through torch.compile. Code of its own keeps it from graphs
    that another case left: with frozen weights they were used again for other
    tensors."""
    function.__code__ = function.__code__.replace()
    return torch.compile(function, dynamic=False, options=options or None)


def make_network(network):
    """Linear layers with the parameters of the file; dropout where the keep
    rate is below 1."""
    layers = []
    keeps = worker.keeps_of(network)
    for weights, bias in worker.read_parameters(network):
        if layers:
            layers.append(ACTIVATIONS[network["activation"]]())
        keep = keeps.pop(0)
        if keep < 1:
            layers.append(nn.Dropout(1 - keep))
        outputs, inputs = weights.shape
        linear = nn.Linear(inputs, outputs)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weights))
            linear.bias.copy_(torch.from_numpy(bias))
        layers.append(linear)
    return nn.Sequential(*layers)


class Batches:
    """Batches in turn, as views of one tensor."""

    def __init__(self, case):
        inputs, targets, self.count = worker.read_batches(case)
        self.inputs = torch.from_numpy(inputs).split(case["batch"])
        self.targets = torch.from_numpy(targets).split(case["batch"])
        self.taken = 0

    def next(self):
        at = self.taken % self.count
        self.taken += 1
        return self.inputs[at], self.targets[at]


class Update:
    """SGD with momentum, then max-norm where there are bounds on the norm of the
    weights into a unit, layer by layer; gradients are forgotten."""

    def __init__(self, network, learning_rate, momentum, bounds):
        parameters = list(network.parameters())
        self.sgd = torch.optim.SGD(parameters, lr=learning_rate, momentum=momentum, fused=True)
        weights = [p for p in parameters if p.ndim == 2]
        self.bounded = list(zip(weights, bounds))

    def set_rate(self, learning_rate):
        self.sgd.param_groups[0]["lr"] = learning_rate

    def forget(self):
        """The velocities are 0 again."""
        self.sgd.state.clear()

    @torch.no_grad()
    def step(self):
        self.sgd.step()
        self.sgd.zero_grad()
        for weights, bound in self.bounded:
            norms = torch.linalg.vector_norm(weights, dim=1, keepdim=True)
            weights.mul_((bound / norms).clamp_(max=1))


class CompiledUpdate(Update):
    """The same as two compiled graphs."""

    def __init__(self, network, learning_rate, momentum, bounds):
        super().__init__(network, learning_rate, momentum, bounds)
        parameters = list(network.parameters())
        velocities = [torch.zeros_like(p) for p in parameters]
        bounded = self.bounded
        # A tensor: as a number it would be compiled into the graph.
        rate = torch.tensor(learning_rate)

        def move(gradients):
            for p, v, gradient in zip(parameters, velocities, gradients):
                v.mul_(momentum).add_(gradient)
                p.sub_(v * rate)

        def project():
            for weights, bound in bounded:
                squares = (weights * weights).sum(1, keepdim=True)
                weights.mul_((bound * torch.rsqrt(squares)).clamp(max=1))

        self.parameters, self.velocities, self.rate = parameters, velocities, rate
        self.move, self.project = compiled(move), compiled(project)

    def set_rate(self, learning_rate):
        self.rate.fill_(learning_rate)

    @torch.no_grad()
    def forget(self):
        for v in self.velocities:
            v.zero_()

    @torch.no_grad()
    def step(self):
        self.move([p.grad for p in self.parameters])
        if self.bounded:
            self.project()
        for p in self.parameters:
            p.grad = None


class AdamUpdate:
    """Fused Adam; gradients are forgotten."""

    def __init__(self, network, learning_rate):
        self.adam = torch.optim.Adam(network.parameters(), lr=learning_rate, fused=True)

    def step(self):
        self.adam.step()
        self.adam.zero_grad()


def loss_of(network, compile, name="softmax_cross_entropy"):
    """The loss as a function of inputs and targets."""
    loss_of_outputs = LOSSES[name]

    def loss(x, y):
        return loss_of_outputs(network(x), y)

    return compiled(loss) if compile else loss


class Training(worker.Work):
    """Training steps."""

    def __init__(self, case, compile):
        self.network = make_network(case["network"]).train()
        self.batches = Batches(case)
        self.loss = loss_of(self.network, compile, case["network"]["loss"])
        if case.get("optimiser") == "adam":
            self.update = AdamUpdate(self.network, case["learning_rate"])
        else:
            self.update = (CompiledUpdate if compile else Update)(
                self.network, case["learning_rate"], case["momentum"], worker.bounds_of(case)
            )

    def call(self):
        loss = self.loss(*self.batches.next())
        loss.backward()
        self.update.step()
        return loss

    def losses(self, steps):
        return [self.call().item() for _ in range(steps)]

    def norms(self):
        weights = [p for p in self.network.parameters() if p.ndim == 2]
        return worker.norms_of([p.detach().numpy() for p in weights])


class Predicting(worker.Work):
    """Predictions: by weight scaling, or averaged over thinned networks with
    all samples of all rows as one batch."""

    def __init__(self, case, compile, samples=None):
        network = make_network(case["network"]).train(samples is not None)
        network.requires_grad_(False)
        self.batches = Batches(case)
        link = LINKS[case["network"]["loss"]]

        def scaled(x):
            return link(network(x))

        def averaged(x):
            many = link(network(x.repeat(samples, 1)))
            return many.view(samples, len(x), -1).mean(0)

        self.predict = scaled if samples is None else averaged
        if compile:
            self.predict = compiled(self.predict, freezing=True)
        # Not inference mode: compiled graphs with frozen weights ask for this.
        self.grad = torch.no_grad if compile else torch.inference_mode

    def call(self):
        with self.grad():
            return self.predict(self.batches.next()[0])

    def answer(self):
        self.batches.taken = 0
        return self.call().flatten().tolist()


class Dropping(worker.Work):
    """The dropout operation. Out of place it allocates its result in each call,
    as PyTorch's users get it."""

    def __init__(self, case, compile):
        x, drop, in_place = torch.ones(case["elements"]), 1 - case["keep"], case["in_place"]

        def drop_some(x):
            return F.dropout(x, drop, training=True, inplace=in_place)

        function = compiled(drop_some) if compile else drop_some
        self.call_ = lambda: function(x)

    def call(self):
        with torch.no_grad():
            self.call_()


class Noising(worker.Work):
    """x (1 + sigma z). PyTorch has no such layer; this is what its users write."""

    def __init__(self, case, compile):
        x, sigma = torch.ones(case["elements"]), case["sigma"]

        def noise(x):
            return torch.randn_like(x).mul_(sigma).add_(1).mul_(x)

        function = compiled(noise) if compile else noise
        self.call_ = lambda: function(x)

    def call(self):
        with torch.no_grad():
            self.call_()


class Engine:
    def hello(self, threads):
        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
        # Each case compiles the same functions anew.
        torch._dynamo.config.recompile_limit = 1000
        torch._dynamo.config.accumulated_recompile_limit = 1000
        return {
            "engine": "pytorch",
            "version": torch.__version__,
            "isa": torch.backends.cpu.get_cpu_capability(),
            "threads": torch.get_num_threads(),
        }

    def ready(self, case):
        compile = case.get("compile", False)
        match case["kind"]:
            case "step":
                return Training(case, compile)
            case "predict":
                return Predicting(case, compile)
            case "monte_carlo":
                return Predicting(case, compile, case["samples"])
            case "dropout":
                return Dropping(case, compile)
            case "gaussian":
                return Noising(case, compile)
            case kind:
                raise ValueError(f"{kind}: PyTorch's worker does not know it")

    def forget(self):
        torch._dynamo.reset()


if __name__ == "__main__":
    worker.serve(Engine())
