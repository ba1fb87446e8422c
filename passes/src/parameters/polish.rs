//! Last steps with the true sums of the ledger: what is left of the budget goes where it saves most.

use super::Budget;
use super::account::Account;
use super::design::keys_price;
use super::ring::{KeySet, Ring};

/// Small dimensions below the present one that are looked at.
const BELOW: u32 = 40;
/// And above it, for the sake of a cheaper keyswitch.
const ABOVE: u32 = 12;

/// Cheaper sets that are tried before a set stays as it is.
const TRIALS: usize = 120;

/// Rounds over all sets and stages.
const ROUNDS: usize = 4;

/// Lowers dimensions, levels and extensions one by one while the budget is kept.
pub(super) fn polish(account: &mut Account, sets: &mut [KeySet], ring: &Ring, budget: Budget) {
    for _ in 0..ROUNDS {
        let mut changed = false;
        for set in 0..sets.len() {
            changed |= cheaper_set(account, sets, set, ring, budget);
        }
        for event in 0..account.events.len() {
            changed |= fewer_accumulators(account, sets, event, ring, budget);
        }
        if !changed {
            return;
        }
    }
}

fn price(account: &Account, sets: &[KeySet], ring: &Ring) -> f64 {
    account.nanoseconds(ring, sets) * keys_price(sets.iter().map(|set| set.key_bytes(ring)))
}

/// The cheapest set near the present one with which the sums keep the budget.
fn cheaper_set(account: &Account, sets: &mut [KeySet], set: usize, ring: &Ring, budget: Budget) -> bool {
    let present = sets[set];
    let before = price(account, sets, ring);
    let mut cheaper: Vec<(f64, KeySet)> = Vec::new();
    for small in present.small.saturating_sub(BELOW)..=present.small + ABOVE {
        for keyswitch in ring.keyswitches(small) {
            sets[set] = KeySet { small, keyswitch: *keyswitch, ..present };
            let price = price(account, sets, ring);
            if price < before {
                cheaper.push((price, sets[set]));
            }
        }
    }
    // Least savings first: the more a set saves, the less likely it keeps the budget.
    cheaper.sort_by(|one, other| other.0.total_cmp(&one.0));
    let mut best = present;
    let mut trials = 0;
    for (_, next) in cheaper {
        sets[set] = next;
        if account.keeps(budget, ring, sets) {
            (best, trials) = (next, 0);
        } else {
            trials += 1;
            if trials >= TRIALS {
                break;
            }
        }
    }
    sets[set] = best;
    best != present
}

fn fewer_accumulators(
    account: &mut Account,
    sets: &[KeySet],
    event: usize,
    ring: &Ring,
    budget: Budget,
) -> bool {
    let read = &account.events[event];
    if read.group.is_none()
        || read.extension <= ring.heads[sets[read.set].head].extensions(read.room.tables).start
    {
        return false;
    }
    account.events[event].extension -= 1;
    let kept = account.keeps(budget, ring, sets);
    if !kept {
        account.events[event].extension += 1;
    }
    kept
}
