"""JAX's worker: a jitted step with donated buffers.

The random bits come from the fastest of JAX's generators on this machine,
which a short race chooses when the worker starts.
"""

import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np

import worker

GENERATORS = ("threefry2x32", "rbg", "unsafe_rbg")
ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh}


def cross_entropy(z, y):
    return -jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=1).mean()


def binary_cross_entropy(z, y):
    return (jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z)))).mean()


def squared_error(z, y):
    return jnp.square(z - y).mean()


LOSSES = {
    "softmax_cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "squared_error": squared_error,
}
# From outputs to predictions.
LINKS = {
    "softmax_cross_entropy": jax.nn.softmax,
    "binary_cross_entropy": jax.nn.sigmoid,
    "squared_error": lambda z: z,
}


def drop(key, x, keep):
    """Dropout; the identity at keep rate 1."""
    if keep == 1:
        return x
    return jnp.where(jax.random.bernoulli(key, keep, x.shape), x / keep, 0)


def race():
    """The generator whose dropout takes the least time."""
    x = jnp.ones((128, 1024))
    dropped = jax.jit(lambda seed, n: drop(jax.random.fold_in(seed, n), x, 0.5))
    times = {name: [] for name in GENERATORS}
    for _ in range(5):
        for name, taken in times.items():
            seed = jax.random.key(0, impl=name)
            dropped(seed, 0).block_until_ready()
            started = time.perf_counter()
            for n in range(10):
                last = dropped(seed, n)
            last.block_until_ready()
            taken.append(time.perf_counter() - started)
    return min(times, key=lambda name: statistics.median(times[name]))


def read_parameters(network):
    """Weights [inputs][outputs] and biases as JAX's arrays."""
    layers = worker.read_parameters(network)
    return [(jnp.array(weights.T), jnp.array(bias)) for weights, bias in layers]


def forward(network, parameters, x, key=None):
    """The outputs before the link, under masks where there is a key."""
    activation = ACTIVATIONS[network["activation"]]
    keeps = worker.keeps_of(network)
    for layer, (weights, bias) in enumerate(parameters):
        if layer > 0:
            x = activation(x)
        if key is not None:
            x = drop(jax.random.fold_in(key, layer), x, keeps[layer])
        x = x @ weights + bias
    return x


class Batches:
    """Batches in turn, made JAX's arrays before anything is timed."""

    def __init__(self, case):
        inputs, targets, self.count = worker.read_batches(case)
        if targets.dtype == np.int64:
            targets = targets.astype(np.int32)
        self.inputs = [jnp.array(x) for x in np.split(inputs, self.count)]
        self.targets = [jnp.array(y) for y in np.split(targets, self.count)]
        self.taken = 0

    def next(self):
        at = self.taken % self.count
        self.taken += 1
        return self.inputs[at], self.targets[at]


def sgd(case):
    """SGD with momentum, then max-norm: its first state, and the function from parameters, state
    and gradients to new parameters and state."""
    rate, momentum = case["learning_rate"], case["momentum"]
    bounds = worker.bounds_of(case)

    def project(weights, bound):
        squares = jnp.square(weights).sum(0, keepdims=True)
        return weights * jnp.minimum(1, bound * jax.lax.rsqrt(squares))

    def update(parameters, velocities, gradients):
        velocities = jax.tree.map(lambda v, g: momentum * v + g, velocities, gradients)
        parameters = jax.tree.map(lambda p, v: p - rate * v, parameters, velocities)
        if bounds:
            parameters = [(project(w, c), b) for (w, b), c in zip(parameters, bounds)]
        return parameters, velocities

    return lambda parameters: jax.tree.map(jnp.zeros_like, parameters), update


def adam(case):
    """The same of optax's Adam."""
    import optax  # Nothing else needs it.

    optimiser = optax.adam(case["learning_rate"])

    def update(parameters, state, gradients):
        updates, state = optimiser.update(gradients, state, parameters)
        return optax.apply_updates(parameters, updates), state

    return optimiser.init, update


def make_step(case, update):
    """The step of an optimiser."""
    network = case["network"]
    loss_of_outputs = LOSSES[network["loss"]]

    def loss(parameters, x, y, key):
        return loss_of_outputs(forward(network, parameters, x, key), y)

    def step(parameters, state, x, y, seed, n):
        key = jax.random.fold_in(seed, n)
        value, gradients = jax.value_and_grad(loss)(parameters, x, y, key)
        parameters, state = update(parameters, state, gradients)
        return parameters, state, value

    return jax.jit(step, donate_argnums=(0, 1))


class Training(worker.Work):
    """Training steps. A run waits for its last step only."""

    def __init__(self, case, generator):
        self.parameters = read_parameters(case["network"])
        initial, update = (adam if case.get("optimiser") == "adam" else sgd)(case)
        self.state = initial(self.parameters)
        self.batches = Batches(case)
        self.seed = jax.random.key(1, impl=generator)
        self.step = make_step(case, update)

    def call(self):
        n = np.uint32(self.batches.taken)
        x, y = self.batches.next()
        self.parameters, self.state, loss = self.step(
            self.parameters, self.state, x, y, self.seed, n
        )
        return loss

    def finish(self):
        jax.block_until_ready((self.parameters, self.state))

    def losses(self, steps):
        return [float(self.call()) for _ in range(steps)]

    def norms(self):
        return worker.norms_of([np.asarray(weights).T for weights, _ in self.parameters])


class Predicting(worker.Work):
    """Predictions: by weight scaling, or averaged over thinned networks with
    all samples of all rows as one batch. Each call waits for its answer."""

    def __init__(self, case, generator=None):
        network = case["network"]
        self.parameters = read_parameters(network)
        self.batches = Batches(case)
        self.seed = jax.random.key(1, impl=generator)
        samples = case.get("samples")
        link = LINKS[network["loss"]]

        def scaled(parameters, x, seed, n):
            return link(forward(network, parameters, x))

        def averaged(parameters, x, seed, n):
            key = jax.random.fold_in(seed, n)
            many = link(forward(network, parameters, jnp.tile(x, (samples, 1)), key))
            return many.reshape(samples, len(x), -1).mean(0)

        self.predict = jax.jit(scaled if samples is None else averaged)

    def call(self):
        n = np.uint32(self.batches.taken)
        x, _ = self.batches.next()
        return self.predict(self.parameters, x, self.seed, n).block_until_ready()

    def answer(self):
        self.batches.taken = 0
        return self.call().flatten().tolist()


class Dropping(worker.Work):
    """The dropout operation; in place, the argument's buffer is donated."""

    def __init__(self, case, generator):
        keep, self.in_place = case["keep"], case["in_place"]
        self.x = jnp.ones(case["elements"])
        self.seed, self.n = jax.random.key(1, impl=generator), 0

        def drop_some(x, seed, n):
            return drop(jax.random.fold_in(seed, n), x, keep)

        self.drop = jax.jit(drop_some, donate_argnums=(0,) if self.in_place else ())

    def call(self):
        self.n += 1
        y = self.drop(self.x, self.seed, np.uint32(self.n)).block_until_ready()
        if self.in_place:
            self.x = y


class Noising(worker.Work):
    """x (1 + sigma z)"""

    def __init__(self, case, generator):
        sigma = case["sigma"]
        self.x = jnp.ones(case["elements"])
        self.seed, self.n = jax.random.key(1, impl=generator), 0

        def noise(x, seed, n):
            z = jax.random.normal(jax.random.fold_in(seed, n), x.shape)
            return x * (1 + sigma * z)

        self.noise = jax.jit(noise)

    def call(self):
        self.n += 1
        self.noise(self.x, self.seed, np.uint32(self.n)).block_until_ready()


class Engine:
    generator = None

    def hello(self, threads):
        self.generator = race()
        return {
            "engine": "jax",
            "version": jax.__version__,
            "isa": "chosen by XLA at run time",
            "generator": self.generator,
            "threads": threads,
        }

    def ready(self, case):
        match case["kind"]:
            case "step":
                return Training(case, self.generator)
            case "predict" | "monte_carlo":
                return Predicting(case, self.generator)
            case "dropout":
                return Dropping(case, self.generator)
            case "gaussian":
                return Noising(case, self.generator)
            case kind:
                raise ValueError(f"{kind}: JAX's worker does not know it")

    def forget(self):
        jax.clear_caches()


if __name__ == "__main__":
    worker.serve(Engine())
