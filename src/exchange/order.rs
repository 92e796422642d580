//! The order of layers whose names and shapes alone are known.

/// A linear layer of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// What stands before `weight` and `bias`, with its dot.
    pub name: String,
    pub inputs: usize,
    pub outputs: usize,
}

/// The most steps of the search: more than a thousand layers take.
const MOST_STEPS: usize = 10_000;

impl Found {
    /// The text and the number that the name consists of, `net.` and 4.
    fn numbered(&self) -> Option<(&str, u64)> {
        let name = self.name.strip_suffix('.').unwrap_or(&self.name);
        let text = name.trim_end_matches(|c: char| c.is_ascii_digit());
        Some((text, name[text.len()..].parse().ok()?))
    }

    fn shape(&self) -> (usize, usize) {
        (self.inputs, self.outputs)
    }
}

/// Sorts the layers: by their numbers where their names differ in nothing else
/// (`0`, `2`, `4`; `fc1`, `fc2`), else in the one order in which each takes as
/// many inputs as the one before has outputs. Layers of one shape have to be
/// numbered among themselves.
pub(super) fn sort(layers: &mut [Found]) -> Result<(), String> {
    if by_number(layers) {
        return Ok(());
    }
    layers.sort_by_key(Found::shape);
    let mut groups: Vec<_> = layers.chunk_by_mut(|a, b| a.shape() == b.shape()).collect();
    if !groups.iter_mut().all(|group| by_number(group)) {
        return Err(ambiguous(layers));
    }
    let shapes: Vec<_> =
        groups.iter().map(|group| (group[0].inputs, group[0].outputs, group.len())).collect();
    let Some(order) = only_chain(&shapes) else { return Err(ambiguous(layers)) };
    let mut groups: Vec<_> = groups.into_iter().map(|group| group.iter().cloned()).collect();
    let sorted: Vec<_> = order.into_iter().filter_map(|group| groups[group].next()).collect();
    layers.clone_from_slice(&sorted);
    Ok(())
}

/// Sorts layers whose names differ in a number only, or says that they do not.
fn by_number(layers: &mut [Found]) -> bool {
    if layers.len() < 2 {
        return true;
    }
    let text = layers[0].numbered().map(|(text, _)| text.to_owned());
    let alike = |layer: &Found| layer.numbered().map(|(text, _)| text) == text.as_deref();
    if text.is_none() || !layers.iter().all(alike) {
        return false;
    }
    layers.sort_by(|a, b| a.numbered().cmp(&b.numbered()));
    layers.windows(2).all(|pair| pair[0].numbered() != pair[1].numbered())
}

/// The only order of these (inputs, outputs, times) in which they fit on each
/// other, if there is just one.
fn only_chain(shapes: &[(usize, usize, usize)]) -> Option<Vec<usize>> {
    let mut left: Vec<usize> = shapes.iter().map(|(.., times)| *times).collect();
    let all = left.iter().sum();
    let mut chain: Vec<usize> = Vec::with_capacity(all);
    let mut only = None;
    let mut next = 0;
    for _ in 0..MOST_STEPS {
        if chain.len() == all {
            if only.is_some() {
                return None;
            }
            only = Some(chain.clone());
            next = shapes.len();
        }
        let outputs = chain.last().map(|&last| shapes[last].1);
        let fits = |&i: &usize| left[i] > 0 && outputs.is_none_or(|n| shapes[i].0 == n);
        if let Some(fitting) = (next..shapes.len()).find(fits) {
            left[fitting] -= 1;
            chain.push(fitting);
            next = 0;
        } else {
            let Some(last) = chain.pop() else { return only };
            left[last] += 1;
            next = last + 1;
        }
    }
    None
}

fn ambiguous(layers: &[Found]) -> String {
    let all: Vec<_> = layers
        .iter()
        .map(|layer| format!("{}weight [{}, {}]", layer.name, layer.outputs, layer.inputs))
        .collect();
    format!("{}: expected names or shapes that leave one order, or the layers' names", list(&all))
}

/// The first few of the texts.
pub(super) fn list(all: &[String]) -> String {
    const MOST: usize = 8;
    let mut text = all[..all.len().min(MOST)].join(", ");
    if all.len() > MOST {
        text += &format!(" and {} more", all.len() - MOST);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(layers: &[(&str, usize, usize)]) -> Result<Vec<String>, String> {
        let mut layers: Vec<_> = layers
            .iter()
            .map(|&(name, inputs, outputs)| Found { name: format!("{name}."), inputs, outputs })
            .collect();
        sort(&mut layers)?;
        Ok(layers.into_iter().map(|layer| layer.name).collect())
    }

    #[test]
    fn numbers_order_and_else_shapes() {
        let numbers = [("10", 3, 3), ("2", 3, 3), ("0", 3, 3)];
        assert_eq!(sorted(&numbers).unwrap(), ["0.", "2.", "10."]);
        let named = [("net.fc10", 8, 2), ("net.fc9", 4, 8)];
        assert_eq!(sorted(&named).unwrap(), ["net.fc9.", "net.fc10."]);
        let mixed = [("fc1", 784, 32), ("fc2", 32, 32), ("fc3", 32, 32), ("out", 32, 10)];
        assert_eq!(sorted(&mixed).unwrap(), ["fc1.", "fc2.", "fc3.", "out."]);
        let words = [("tail", 7, 3), ("body", 5, 7), ("head", 9, 5)];
        assert_eq!(sorted(&words).unwrap(), ["head.", "body.", "tail."]);
        assert_eq!(sorted(&[("any", 1, 1)]).unwrap(), ["any."]);
        assert!(sorted(&[]).unwrap().is_empty());
    }

    #[test]
    fn what_leaves_more_than_one_order_is_refused() {
        // A circle, which could start at either; two of one shape without numbers;
        // two ways round; shapes that do not fit at all.
        let circle = [("encode", 784, 32), ("decode", 32, 784)];
        let twins = [("left", 4, 4), ("right", 4, 4)];
        let ways = [("a", 1, 2), ("b", 2, 1), ("c", 1, 3), ("d", 3, 1)];
        let apart = [("a", 1, 2), ("b", 3, 4)];
        for layers in [&circle[..], &twins, &ways, &apart] {
            let reason = sorted(layers).unwrap_err();
            assert!(reason.contains("expected names or shapes that leave one order"), "{reason}");
            assert!(reason.contains(&format!("{}.weight", layers[0].0)), "{reason}");
        }
        assert!(sorted(&[("fc1", 2, 2), ("fc01", 2, 2)]).is_err());
    }

    #[test]
    fn the_search_ends() {
        let names: Vec<String> = (0..3000).map(|i| format!("{i}x")).collect();
        let layers: Vec<_> =
            names.iter().enumerate().map(|(i, name)| (name.as_str(), i % 60, i / 60)).collect();
        assert!(sorted(&layers).is_err());
    }
}
