//! Sharing one failure budget among many groups: the cheapest choice of extensions whose probabilities add up to it.

/// Parts that the budget is cut into; a probability takes whole parts, rounded up.
const PARTS: usize = 4096;

/// A little more than [`PARTS`], so that rounding errors of sums and neglected probabilities stay within the budget.
const SCALE: f64 = PARTS as f64 + 1.0;

/// A share of the budget below this is none: even a million of them stay within what [`SCALE`] leaves.
const NEGLIGIBLE_LOG2: f64 = -40.0;

/// One way to read a group of phases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Way {
    /// log2 of the number of accumulators.
    pub(super) extension: i32,
    /// What all its lookups cost.
    pub(super) cost: f64,
    /// Parts of the budget that it takes.
    pub(super) parts: usize,
}

/// Parts of the budget that a probability takes, both as log2; `None` where it is more than all.
pub(super) fn parts(probability: f64, budget: f64) -> Option<usize> {
    let share = probability - budget;
    if share < NEGLIGIBLE_LOG2 {
        return Some(0);
    }
    let parts = (share.exp2() * SCALE).ceil();
    // A NaN takes more than all.
    (parts <= PARTS as f64).then_some(parts as usize)
}

/// For each group the index of its way, so that the parts fit and the sum of the costs is least; `None` where none fit.
///
/// Exact: a table over all numbers of parts. Among equals, the first way of the first group.
pub(super) fn cheapest(groups: &[Vec<Way>]) -> Option<Vec<usize>> {
    if groups.iter().any(Vec::is_empty) {
        return None;
    }
    // Costs rise and parts fall along a group's ways; where the first ones fit together, nothing is cheaper.
    if groups.iter().map(|ways| ways[0].parts).sum::<usize>() <= PARTS {
        return Some(vec![0; groups.len()]);
    }
    if groups.iter().map(|ways| ways[ways.len() - 1].parts).sum::<usize>() > PARTS {
        return None;
    }
    let mut costs = vec![0.0; PARTS + 1];
    let mut choices = Vec::with_capacity(groups.len());
    for ways in groups {
        let (next, choice) = add_group(&costs, ways);
        costs = next;
        choices.push(choice);
    }
    let mut left = PARTS;
    let mut found = vec![0; groups.len()];
    for (index, ways) in groups.iter().enumerate().rev() {
        found[index] = usize::from(choices[index][left]);
        left -= ways[found[index]].parts;
    }
    Some(found)
}

/// From the least costs of some groups at each number of parts to those with one more group, and its way at each.
fn add_group(costs: &[f64], ways: &[Way]) -> (Vec<f64>, Vec<u8>) {
    let mut next = vec![f64::INFINITY; costs.len()];
    let mut choice = vec![0; costs.len()];
    for (index, way) in ways.iter().enumerate() {
        for (before, after) in costs.iter().zip(way.parts..costs.len()) {
            if before + way.cost < next[after] {
                next[after] = before + way.cost;
                choice[after] = index as u8;
            }
        }
    }
    (next, choice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Ways with falling parts and rising costs, as the solver makes them.
    fn groups() -> impl Strategy<Value = Vec<Vec<Way>>> {
        let group = proptest::collection::vec((1u32..40, 1usize..3000), 1..4).prop_map(|steps| {
            let total: usize = steps.iter().map(|step| step.1).sum();
            let (mut cost, mut parts) = (0.0, total.min(PARTS));
            let mut ways = Vec::new();
            for (extension, (dearer, fewer)) in steps.into_iter().enumerate() {
                cost += f64::from(dearer);
                ways.push(Way { extension: extension as i32, cost, parts });
                parts = parts.saturating_sub(fewer);
            }
            ways
        });
        proptest::collection::vec(group, 1..5)
    }

    fn by_trying_all(groups: &[Vec<Way>], left: usize) -> Option<f64> {
        let Some((first, rest)) = groups.split_first() else { return Some(0.0) };
        let fitting = first.iter().filter(|way| way.parts <= left);
        let costs = fitting.filter_map(|way| Some(way.cost + by_trying_all(rest, left - way.parts)?));
        costs.min_by(f64::total_cmp)
    }

    proptest! {
        #[test]
        fn the_choice_is_the_cheapest(groups in groups()) {
            let found = cheapest(&groups);
            let cost = found.as_ref().map(|found| {
                groups.iter().zip(found).map(|(ways, index)| ways[*index].cost).sum::<f64>()
            });
            prop_assert_eq!(cost, by_trying_all(&groups, PARTS));
            if let Some(found) = found {
                let parts: usize = groups.iter().zip(&found).map(|(ways, index)| ways[*index].parts).sum();
                prop_assert!(parts <= PARTS);
            }
        }
    }

    #[test]
    fn probabilities_round_up_to_parts() {
        assert_eq!(parts(-40.0, -40.0), None);
        assert_eq!(parts(-41.0, -40.0), Some(2049));
        assert_eq!(parts(-60.0, -40.0), Some(1));
        assert_eq!(parts(-81.0, -40.0), Some(0));
        assert_eq!(parts(f64::NEG_INFINITY, -40.0), Some(0));
        assert_eq!(parts(f64::NAN, -40.0), None);
        assert_eq!(parts(0.0, -1000.0), None);
    }
}
