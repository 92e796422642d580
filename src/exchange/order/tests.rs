use super::*;

/// Name, inputs, outputs, bias.
type Layer<'a> = (&'a str, usize, usize, bool);

/// The names in the order that is found, for layers that fit together.
fn sorted(layers: &[Layer<'_>]) -> Result<Vec<String>, String> {
    let mut layers: Vec<_> = layers
        .iter()
        .map(|&(name, inputs, outputs, bias)| Found {
            name: format!("{name}."),
            inputs,
            outputs,
            bias,
        })
        .collect();
    sort(&mut layers)?;
    check(&layers)?;
    Ok(layers.into_iter().map(|layer| layer.name.trim_end_matches('.').to_owned()).collect())
}

/// Checks that layers given in their order are sorted into it.
fn keeps_order(layers: &[Layer<'_>]) {
    let order: Vec<_> = layers.iter().map(|layer| layer.0).collect();
    let mut turned = layers.to_vec();
    turned.reverse();
    assert_eq!(sorted(&turned).unwrap(), order);
    turned.rotate_left(1);
    assert_eq!(sorted(&turned).unwrap(), order);
}

fn refuses(layers: &[Layer<'_>], words: &str) {
    let reason = sorted(layers).unwrap_err();
    assert!(reason.contains(words), "{reason}");
    assert!(reason.contains(&format!("{}.weight", layers[0].0)), "{reason}");
}

const WAYS: &str = "no bias says whether these are [outputs, inputs] or [inputs, outputs]";
const MANY: &str = "names and shapes allow more than one order: list the layers";
const TURNED: &str = "they fit together only as [inputs, outputs]: list the layers";

#[test]
fn numbers_anywhere_in_the_names_determine_the_order() {
    keeps_order(&[("0", 3, 3, false), ("2", 3, 3, false), ("10", 3, 3, false)]);
    keeps_order(&[("net.fc9", 4, 8, false), ("net.fc10", 8, 2, false)]);
    let one_shape = ["layers.0.linear", "layers.1.linear", "layers.2.linear"];
    keeps_order(&one_shape.map(|name| (name, 32, 32, true)));
    keeps_order(&one_shape.map(|name| (name, 32, 32, false)));
    let blocks = ["blocks.0.fc1", "blocks.0.fc2", "blocks.1.fc1", "blocks.10.fc0"];
    keeps_order(&blocks.map(|name| (name, 4, 4, true)));
    // More digits than any integer has; leading zeros are ignored.
    let nines = "9".repeat(300);
    let (large, larger) = (format!("fc{nines}"), format!("fc001{nines}"));
    keeps_order(&[("fc007", 2, 2, true), (&large, 2, 2, true), (&larger, 2, 2, true)]);
    // Among layers with other names.
    let some = [
        ("fc1", 784, 32, false),
        ("fc2", 32, 32, false),
        ("fc3", 32, 32, false),
        ("out", 32, 10, false),
    ];
    keeps_order(&some);
    keeps_order(&[("fc1", 2, 2, true), ("fc2", 2, 2, true), ("out", 2, 3, true)]);
    keeps_order(&[("any", 1, 2, false)]);
    assert!(sorted(&[]).unwrap().is_empty());
}

#[test]
fn names_without_numbers_are_ordered_by_shapes_if_a_bias_shows_the_orientation() {
    keeps_order(&[("head", 9, 5, true), ("body", 5, 7, true), ("tail", 7, 3, true)]);
    keeps_order(&[("head", 9, 5, false), ("body", 5, 7, true), ("tail", 7, 3, false)]);
    keeps_order(&[("head", 9, 9, true), ("body", 9, 7, true), ("tail", 7, 7, true)]);
    let words = [("head", 3, 8, false), ("tail", 8, 6, false)];
    refuses(&words, WAYS);
    refuses(&[("head", 8, 3, false), ("tail", 6, 8, false)], WAYS);
    // The bias of a square layer does not show it.
    refuses(&[("head", 8, 8, true), ("tail", 8, 6, false)], WAYS);
    refuses(&[("weights", 3, 8, false), ("weights2", 8, 6, false)], WAYS);
}

#[test]
fn more_than_one_order_is_refused() {
    // A cycle, which could start at either layer; two layers of one shape without numbers; two
    // cycles; equal numbers.
    refuses(&[("encode", 784, 32, true), ("decode", 32, 784, true)], MANY);
    refuses(&[("left", 4, 4, true), ("right", 4, 4, true)], MANY);
    refuses(&[("a", 1, 2, true), ("b", 2, 1, true), ("c", 1, 3, true), ("d", 3, 1, true)], MANY);
    refuses(&[("fc1", 2, 2, true), ("fc01", 2, 2, true)], MANY);
    // Two series of numbers, of which either could come first.
    let rows = [("enc.0", 9, 4, true), ("enc.2", 4, 2, true), ("dec.0", 2, 4, true)];
    keeps_order(&rows);
    refuses(&[&rows[..], &[("dec.2", 4, 9, true)]].concat(), MANY);
    refuses(&[("a", 1, 2, true), ("b", 3, 4, true)], "no order fits both");
}

#[test]
fn transposed_files_are_refused() {
    refuses(&[("0", 8, 3, false), ("2", 6, 8, false)], TURNED);
    refuses(&[("fc1", 8, 3, false), ("fc2", 9, 8, false), ("out", 2, 9, false)], TURNED);
    refuses(&[("fc1", 8, 8, false), ("fc2", 8, 8, false), ("out", 3, 8, false)], WAYS);
    // Numbers that ascend both ways do not show it: 3-8-3 is 8-3-8 transposed.
    refuses(&[("0", 3, 8, false), ("2", 8, 3, false)], WAYS);
    keeps_order(&[("0", 3, 8, true), ("2", 8, 3, false)]);
    // Numbers that are widths are ignored.
    refuses(&[("fc256", 9, 256, false), ("fc512", 256, 512, false), ("out", 512, 3, false)], WAYS);
    keeps_order(&[("fc512", 9, 512, true), ("fc256", 512, 256, false), ("out", 256, 3, false)]);
    keeps_order(&[("l9x8", 9, 8, true), ("l8x7", 8, 7, true), ("l7x6", 7, 6, true)]);
    refuses(&[("fc_512_1", 512, 784, false), ("fc_256_2", 256, 512, false)], TURNED);
    // Shapes and a bias determine the order, even against descending numbers.
    keeps_order(&[("up3", 9, 8, true), ("up2", 8, 7, true), ("up1", 7, 6, true)]);
}

#[test]
fn layers_that_do_not_fit_are_named() {
    let reason = sorted(&[("1", 8, 70, true), ("4", 60, 24, true)]).unwrap_err();
    assert_eq!(reason, "4.weight is [24, 60]: expected 70 inputs, the outputs of 1");
    let turned = [("a", 8, 3), ("b", 6, 8)].map(|(name, inputs, outputs)| Found {
        name: format!("{name}."),
        inputs,
        outputs,
        bias: false,
    });
    assert_eq!(
        check(&turned).unwrap_err(),
        "b.weight is [8, 6]: expected 3 inputs, the outputs of a; all weights would fit \
         transposed, as [inputs, outputs]"
    );
}

#[test]
fn the_search_ends() {
    let names: Vec<String> = (0..3000).map(|i| format!("{}x{i}", "y".repeat(i % 60))).collect();
    let layers: Vec<_> =
        names.iter().enumerate().map(|(i, name)| (name.as_str(), i % 60, i / 60, false)).collect();
    assert!(sorted(&layers).is_err());
    // Names without numbers, and numbered ones.
    for names in [|i| "x".repeat(i + 1), |i: usize| format!("net.{i}.linear")] {
        let names: Vec<String> = (0..200).map(names).collect();
        let layers: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(i, name)| (name.as_str(), i + 1, i + 2, i == 7))
            .collect();
        keeps_order(&layers);
    }
}

/// Draws below a bound: PCG's multiplier and increment.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// The ways in which people name layers. The numbers of `widths` are not those of
/// layers, and all others count them.
const STYLES: [&str; 7] = ["sequential", "inside", "blocks", "some", "words", "widths", "two"];

fn name(style: &str, index: usize, depth: usize, inputs: usize, outputs: usize) -> String {
    const WORDS: [&str; 5] = ["zeta", "mid", "alpha", "tail", "beta"];
    let word = WORDS[index];
    match style {
        "sequential" => format!("net.{}", 3 * index + 7),
        "inside" => format!("layers.{index}.linear"),
        "blocks" => format!("blocks.{}.fc{}", index / 2, index % 2 + 1),
        "some" if index + 1 < depth => format!("fc{}", index + 9),
        "widths" if index + 1 < depth => format!("fc_{outputs}_{word}_{inputs}"),
        "two" => format!("{}.{}", ["enc", "dec"][usize::from(2 * index >= depth)], 3 * index + 10),
        _ => word.to_owned(),
    }
}

/// The orders of the indices `0..depth`.
fn permutations(depth: usize) -> Vec<Vec<usize>> {
    (0..depth).fold(vec![vec![]], |all, new| {
        let with = |at: usize| {
            all.iter().map(move |one: &Vec<usize>| {
                let mut one = one.clone();
                one.insert(at, new);
                one
            })
        };
        (0..=new).flat_map(with).collect()
    })
}

/// The naive twin, for layers in the true order: the numbers of all of `style`
/// ascend along it. Whether every order of shapes and numbers, stored either way,
/// is the true one.
fn one_order(layers: &[Found], style: &str) -> bool {
    let depth = layers.len();
    let numbered = |i: usize, j: usize| match style {
        "sequential" | "inside" | "blocks" => true,
        "some" => i + 1 < depth && j + 1 < depth,
        "two" => (2 * i >= depth) == (2 * j >= depth),
        _ => false,
    };
    let settled = layers.iter().any(|layer| layer.bias && layer.inputs != layer.outputs);
    let square = layers.iter().all(|layer| layer.inputs == layer.outputs);
    let mut orders = [0, 0];
    for order in permutations(depth) {
        let ascends = (0..depth)
            .all(|i| (0..i).all(|j| !numbered(order[j], order[i]) || order[j] < order[i]));
        let pairs = || order.windows(2).map(|pair| (&layers[pair[0]], &layers[pair[1]]));
        orders[0] += usize::from(ascends && pairs().all(|(a, b)| a.outputs == b.inputs));
        orders[1] += usize::from(ascends && pairs().all(|(a, b)| a.inputs == b.outputs));
    }
    orders[0] == 1 && (settled || square || orders[1] == 0)
}

/// Chains come back in their order or are refused, just as the naive twin says; a
/// transposed file is refused, but for one whose layers are numbered and square.
#[test]
fn chains_come_back_in_their_order_or_are_refused() {
    let mut draws = Draws(17);
    let mut accepted = STYLES.map(|_| [0; 2]);
    for case in 0..8000 {
        let style = draws.below(STYLES.len());
        let depth = 2 + draws.below(4);
        // Of few widths, so that many are equal.
        let kinds = 1 + draws.below(6);
        let widths: Vec<_> = (0..=depth).map(|_| 2 + draws.below(kinds)).collect();
        let biases = draws.below(4);
        let one = draws.below(depth);
        let mut layers: Vec<_> = (0..depth)
            .map(|i| {
                let (inputs, outputs) = (widths[i], widths[i + 1]);
                let name = name(STYLES[style], i, depth, inputs, outputs) + ".";
                let bias = match biases {
                    0 => true,
                    1 => i == one,
                    2 => inputs == outputs,
                    _ => false,
                };
                Found { name, inputs, outputs, bias }
            })
            .collect();
        let known = one_order(&layers, STYLES[style]);
        accepted[style][usize::from(known)] += 1;
        let truth = layers.clone();
        for i in (1..depth).rev() {
            layers.swap(i, draws.below(i + 1));
        }
        let mut transposed = layers.clone();
        let read = sort(&mut layers).and_then(|()| check(&layers));
        assert_eq!(read.is_ok(), known, "{case}, {truth:?}: {read:?}");
        if known {
            assert_eq!(layers, truth, "{case}");
        }

        // With a bias that settles it, the shape of the bias is refused before.
        if truth.iter().any(|layer| layer.bias && layer.inputs != layer.outputs) {
            continue;
        }
        for Found { inputs, outputs, .. } in &mut transposed {
            std::mem::swap(inputs, outputs);
        }
        if sort(&mut transposed).and_then(|()| check(&transposed)).is_ok() {
            assert!(widths.iter().all(|&width| width == widths[0]), "{case}: {transposed:?}");
            assert_eq!(transposed, truth);
        }
    }
    for (style, [refused, known]) in STYLES.iter().zip(accepted) {
        assert!(refused > 20 && known > 20, "{style}: {refused} refused, {known} known");
    }
}
