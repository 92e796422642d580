"""What is measured: each function makes the contests of a group."""

from dataclasses import dataclass

from .contest import Contest
from .onnx_models import READERS, product_for
from .options import ENGINES, PREDICTING, Shape

# The recipe's network and batch, that most bars speak of.
RECIPE = Shape.of((1024, 1024, 1024))
RECIPE_BATCH = 128
KEEP_INPUT, KEEP_HIDDEN = 0.8, 0.5
# Of every step that is timed, with dropout and without.
LEARNING_RATE, MOMENTUM = 0.05, 0.9
# Of the steps with Adam, which has no max-norm here.
ADAM_LEARNING_RATE = 0.001
# candle's worker has only SGD, and only softmax.
ALL_BUT_CANDLE = tuple(engine for engine in ENGINES if engine != "candle")
# The paper's c: bounds the engines' weights at c times the keep rate below.
MAX_NORM = 1.5
ELEMENTS = (2**18, 2**24)
RATES = (0.5, 0.8)
PREDICT_BATCHES = (1, 8, 32, 256)
SAMPLES, SAMPLE_BATCHES = 50, (1, 32)
CURVE_KEEPS = tuple(n / 10 for n in range(1, 11))
CURVE_WIDTHS = (256, 512, 1024, 2048)
CURVE_DEPTHS = (1, 2, 3, 4, 5)
CURVE_ENGINES = ("thinnet", "pytorch", "pytorch-compiled")
# Networks for tables.
REGRESSION = Shape((13, 50, 1), "squared_error")
SMALL = (
    Shape((6, 64, 8, 4)),
    REGRESSION,
    Shape((30, 64, 64, 1), "binary_cross_entropy"),
    Shape((100, 128, 128, 10)),
)
SMALL_BATCHES = (1, 32)
SMALL_SAMPLES = 1000


@dataclass
class Setting:
    """What the cases are made of: the engines to run, their threads, and the
    files."""

    engines: list
    threads: int
    # Instruction sets of thinnet on this CPU, the fastest last.
    isas: list
    digits: dict
    # The digits for testing.
    tests: dict
    normals: dict
    # Further normal rows, for calibration.
    other_normals: dict
    # Small shape -> files of its rows.
    table: object
    # Shape -> file of random parameters.
    fresh: object
    # The networks' models for engines that read ONNX.
    models: object
    # Files of rows -> file of the first of them, for calibration.
    calibration: object
    # File of the trained network's parameters, or None.
    trained: str | None

    def network(self, shape, keeps, activation="relu", weights=None):
        return {
            "widths": list(shape.widths),
            "activation": activation,
            "loss": shape.loss,
            "keep_input": keeps[0],
            "keep_hidden": keeps[1],
            "weights": weights or self.fresh(shape),
        }

    def rows(self, shape):
        """The files of the rows that a shape usually gets."""
        return self.table(shape) if shape in SMALL else self.digits

    def step(
        self, shape, batch, keeps, activation="relu", data=None, weights=None, optimiser="sgd"
    ):
        """A case of training steps."""
        adam = optimiser == "adam"
        return {
            "kind": "step",
            "network": self.network(shape, keeps, activation, weights),
            "data": data or self.rows(shape),
            "batch": batch,
            "optimiser": optimiser,
            "learning_rate": ADAM_LEARNING_RATE if adam else LEARNING_RATE,
            "momentum": MOMENTUM,
            "max_norm": None if adam else MAX_NORM,
            "threads": self.threads,
        }

    def add(self, contest, row, case, engines=None):
        """Adds the case for each engine that runs and can do it."""
        for engine in self.engines:
            able = engine not in PREDICTING or case["kind"] == "predict"
            if able and (engines is None or engine in engines):
                contest.add(engine, self.case_for(engine, case), row)

    def case_for(self, engine, case):
        """The case with what this engine needs besides."""
        if engine == "pytorch-compiled":
            return {**case, "compile": True}
        if engine in READERS:
            network, batch = case["network"], case["batch"]
            model = self.models.path(network, batch, product_for(engine, batch))
            return {**case, "model": model}
        return case

    def add_ours(self, contest, row, case, column=None):
        if "thinnet" in self.engines:
            contest.add("thinnet", case, row, column)


def keeps_of(dropout):
    return (KEEP_INPUT, KEEP_HIDDEN) if dropout else (1.0, 1.0)


def step(setting, shapes, batches):
    """Training steps with dropout and without. The recipe's contest has more
    rows: another optimiser, other inputs and units, other instruction sets, the trained network."""
    for shape in shapes:
        for batch in batches:
            contest = Contest(f"step {shape}, batch {batch}")
            for dropout in (True, False):
                row = add_step(setting, contest, shape, batch, dropout=dropout)
                if dropout and (shape, batch) == (RECIPE, RECIPE_BATCH):
                    add_isas(setting, contest, row)
                if shape == RECIPE and batch > RECIPE_BATCH:
                    add_fresh(setting, contest, row, batch, dropout)
            if shape == RECIPE:
                # Nothing is zero.
                dense = {"activation": "tanh", "inputs": "normals"}
                add_step(setting, contest, shape, batch, dropout=False, **dense)
            if (shape, batch) == (RECIPE, RECIPE_BATCH):
                add_extras(setting, contest)
            yield contest


def add_step(setting, contest, shape, batch, dropout, **more):
    """A row of steps, with the FMA peak beside them."""
    what = {
        "activation": "relu",
        "inputs": "digits",
        "network": "fresh",
        "optimiser": "sgd",
        **more,
    }
    row = contest.row(group="step", shape=str(shape), batch=batch, dropout=dropout, **what)
    data = setting.normals if what["inputs"] == "normals" else setting.digits
    weights = setting.trained if what["network"] == "trained" else None
    keeps = keeps_of(dropout)
    optimiser = what["optimiser"]
    case = setting.step(shape, batch, keeps, what["activation"], data, weights, optimiser)
    setting.add(contest, row, case, ALL_BUT_CANDLE if optimiser == "adam" else None)
    setting.add_ours(contest, row, {"kind": "peak", "threads": setting.threads}, "peak")
    return row


def add_isas(setting, contest, row):
    case = setting.step(RECIPE, RECIPE_BATCH, keeps_of(True))
    for isa in setting.isas[:-1]:
        setting.add_ours(contest, row, {**case, "isa": isa}, f"thinnet-{isa}")


def add_fresh(setting, contest, row, batch, dropout):
    """The step beside that of the recipe's batch, to compare their times per row. With learning
    rate 0 both have the same weights: networks that learn become sparser, and smaller batches take
    more steps in a turn."""
    for column, size in (("fresh", batch), ("fresh-128", RECIPE_BATCH)):
        case = setting.step(RECIPE, size, keeps_of(dropout))
        setting.add_ours(contest, row, {**case, "learning_rate": 0.0}, column)


def add_extras(setting, contest):
    more = [{"activation": "tanh"}, {"inputs": "normals"}, {"optimiser": "adam"}]
    if setting.trained:
        more.insert(0, {"network": "trained"})
    for what in more:
        add_step(setting, contest, RECIPE, RECIPE_BATCH, dropout=True, **what)


def dropout(setting):
    """The dropout operation, beside copies."""
    for elements in ELEMENTS:
        contest = Contest(f"dropout of 2^{elements.bit_length() - 1} elements")
        for in_place in (False, True):
            for keep in RATES:
                row = contest.row(group="dropout", elements=elements, keep=keep, in_place=in_place)
                case = {"kind": "dropout", "elements": elements, "keep": keep, "in_place": in_place}
                setting.add(contest, row, {**case, "threads": setting.threads})
                if not in_place:
                    setting.add_ours(contest, row, {**case, "threads": 1}, "thinnet-1-thread")
                    add_copies(setting, contest, row, elements)
        yield contest


def gaussian(setting):
    """Gaussian noise with the variance of dropout at keep 0.5, beside the normal numbers
    alone and the dropout operation."""
    for elements in ELEMENTS:
        contest = Contest(f"Gaussian noise on 2^{elements.bit_length() - 1} elements")
        row = contest.row(group="gaussian", elements=elements)
        case = {"kind": "gaussian", "elements": elements, "sigma": 1.0, "threads": setting.threads}
        setting.add(contest, row, case, ALL_BUT_CANDLE)
        setting.add_ours(contest, row, {**case, "alone": True}, "thinnet-normals")
        bits = {"kind": "dropout", "elements": elements, "keep": 0.5, "in_place": False}
        setting.add_ours(contest, row, {**bits, "threads": setting.threads}, "thinnet-dropout")
        yield contest


def add_copies(setting, contest, row, elements):
    copy = {"kind": "copy", "elements": elements}
    for column, streaming, threads in (
        ("memcpy", False, setting.threads),
        ("streaming-copy", True, setting.threads),
        ("memcpy-1-thread", False, 1),
    ):
        case = {**copy, "streaming": streaming, "threads": threads}
        setting.add_ours(contest, row, case, column)


def predict(setting, shape):
    """Prediction by weight scaling; of a single row also with fresh weights, of
    which more units are active. Beside them what thinnet's moments cost, and a
    pass with nothing left out: identity units on dense inputs."""
    trained, state = trained_of(setting, shape), state_of(setting, shape)
    kinds = [(batch, trained, state) for batch in PREDICT_BATCHES]
    if trained:
        kinds.insert(1, (PREDICT_BATCHES[0], None, "fresh"))
    for batch, weights, state in kinds:
        contest = Contest(f"prediction {shape}, {state}, batch {batch}")
        case = prediction(setting, shape, batch, weights)
        row = contest.row(group="predict", shape=str(shape), batch=batch, network=state)
        setting.add(contest, row, {"kind": "predict", **case})
        bf16 = {"kind": "predict", "weights": "bf16", **case}
        setting.add_ours(contest, row, bf16, "thinnet-bf16")
        setting.add_ours(contest, row, {"kind": "moments", **case}, "thinnet-moments")
        dense = prediction(setting, shape, batch, weights, data=setting.normals)
        setting.add_ours(contest, row, {"kind": "moments", **dense}, "thinnet-moments-dense")
        full = prediction(setting, shape, batch, weights, "identity", setting.normals)
        setting.add_ours(contest, row, {"kind": "predict", **full}, "thinnet-full-lists")
        yield contest


def monte_carlo(setting, shape):
    """Predictions averaged over samples of thinned networks."""
    for batch in SAMPLE_BATCHES:
        contest = Contest(f"{SAMPLES} Monte-Carlo samples {shape}, batch {batch}")
        case = prediction(setting, shape, batch, trained_of(setting, shape))
        row = contest.row(
            group="mc",
            shape=str(shape),
            batch=batch,
            samples=SAMPLES,
            network=state_of(setting, shape),
        )
        setting.add(contest, row, {"kind": "monte_carlo", "samples": SAMPLES, **case})
        yield contest


def trained_of(setting, shape):
    """The trained parameters, if there are any for the shape."""
    return setting.trained if shape == RECIPE else None


def state_of(setting, shape):
    return "trained" if trained_of(setting, shape) else "fresh"


def prediction(setting, shape, batch, weights, activation="relu", data=None):
    """What the cases of predictions have in common."""
    return {
        "network": setting.network(shape, keeps_of(True), activation, weights),
        "data": data or setting.rows(shape),
        "batch": batch,
        "threads": setting.threads,
    }


def curve(setting):
    """Step time against keep rate, width and depth: each curve is a contest."""
    contest = Contest("curve over keep rates")
    for keep in CURVE_KEEPS:
        add_point(setting, contest, RECIPE, (keep, keep), "keep", keep)
    yield contest
    contest = Contest("curve over widths")
    for width in CURVE_WIDTHS:
        add_point(setting, contest, Shape.of((width,) * 3), keeps_of(True), "width", width)
    yield contest
    contest = Contest("curve over depths")
    for depth in CURVE_DEPTHS:
        add_point(setting, contest, Shape.of((1024,) * depth), keeps_of(True), "depth", depth)
    yield contest


def add_point(setting, contest, shape, keeps, over, at):
    row = contest.row(
        group="curve",
        over=over,
        at=at,
        shape=str(shape),
        batch=RECIPE_BATCH,
        keep_input=keeps[0],
        keep_hidden=keeps[1],
    )
    setting.add(contest, row, setting.step(shape, RECIPE_BATCH, keeps), CURVE_ENGINES)


def small(setting):
    """A step with dropout, predictions, and Monte-Carlo samples of the regression."""
    for shape in SMALL:
        cases = [("step", RECIPE_BATCH, setting.step(shape, RECIPE_BATCH, keeps_of(True)))]
        for batch in SMALL_BATCHES:
            case = {"kind": "predict", **prediction(setting, shape, batch, None)}
            cases.append(("prediction", batch, case))
        if shape == REGRESSION:
            case = {"kind": "monte_carlo", **prediction(setting, shape, 1, None)}
            cases.append(("monte_carlo", 1, {**case, "samples": SMALL_SAMPLES}))
        contest = Contest(f"small network {shape}")
        for work, batch, case in cases:
            what = {"shape": str(shape), "loss": shape.loss, "work": work, "batch": batch}
            row = contest.row(group="small", **what)
            setting.add(contest, row, case, ALL_BUT_CANDLE)
        yield contest
