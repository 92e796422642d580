"""What is checked and measured, in order."""

from . import groups, integers
from .check import Task
from .options import INTEGER

# Groups that time the trained network.
TRAINED = {"step", "predict", "integers", "mc"}
# Groups before which the engines are compared on the recipe: all their work, or the answers only.
TRAINING = {"step", "curve"}
CHECKED = {*TRAINING, "predict"}


def tasks(options):
    """What the engines have to agree on before the groups are timed."""
    recipe, sizes = groups.RECIPE, groups.PREDICT_BATCHES
    if CHECKED & set(options.only):
        shape = recipe if recipe in options.shapes else options.shapes[0]
        batch = groups.RECIPE_BATCH if groups.RECIPE_BATCH in options.batch else options.batch[0]
        yield Task(shape, batch, bool(TRAINING & set(options.only)), sizes)
    elif "integers" in options.only:
        yield Task(recipe, groups.RECIPE_BATCH, False, sizes, INTEGER)
    if "small" in options.only:
        for shape in groups.SMALL:
            sizes, engines = groups.SMALL_BATCHES, groups.ALL_BUT_CANDLE
            yield Task(shape, groups.RECIPE_BATCH, True, sizes, engines)


def contests(setting, options):
    """All contests of the groups that were asked for."""
    shape = groups.RECIPE if groups.RECIPE in options.shapes else options.shapes[0]
    makers = {
        "dropout": lambda: groups.dropout(setting),
        "gaussian": lambda: groups.gaussian(setting),
        "step": lambda: groups.step(setting, options.shapes, options.batch),
        "predict": lambda: groups.predict(setting, shape),
        "integers": lambda: integers.contests(setting),
        "mc": lambda: groups.monte_carlo(setting, shape),
        "curve": lambda: groups.curve(setting),
        "small": lambda: groups.small(setting),
    }
    for group, make in makers.items():
        if group in options.only:
            yield from make()
