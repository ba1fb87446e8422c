//! What a stage can be bootstrapped with: given key sets, or any set at all.

use super::plan::Read;
use super::ring::{KeySet, Ring, Room, allowance};
use super::space;
use std::cell::{OnceCell, RefCell};

/// One way to bootstrap a stage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Way {
    /// Number of the key set; of the head where any set may be used.
    pub(super) key: usize,
    /// log2 of the number of accumulators for each table.
    pub(super) extension: i32,
    /// Nanoseconds of one phase.
    pub(super) cost: f64,
    /// Variance of the result.
    pub(super) variance: f64,
}

/// Where stages get their bootstraps from.
pub(super) trait Supply {
    /// Variance of a fresh encryption.
    fn fresh(&self) -> f64;

    /// Bounds on the variance of a result that are worth a choice, the most quiet first.
    fn levels(&self) -> Vec<f64>;

    /// A variance at the input of a lookup, as exactly as makes a difference.
    fn rounded(&self, arriving: f64) -> f64 {
        arriving
    }

    /// Finds the ways to read with this variance arriving, with results of at most `quiet` variance: by rising cost and falling
    /// variance of the result.
    fn ways(&self, read: &Read, arriving: f64, quiet: f64, found: &mut Vec<Way>);
}

/// Keeps the ways that no other beats in cost and variance.
fn keep_undominated(ways: &mut Vec<Way>) {
    ways.sort_by(|one, other| one.cost.total_cmp(&other.cost).then(one.variance.total_cmp(&other.variance)));
    keep_falling(ways, |way| way.variance);
}

/// Keeps what is below all that stands before it.
fn keep_falling<T>(all: &mut Vec<T>, of: impl Fn(&T) -> f64) {
    let mut least = f64::INFINITY;
    all.retain(|one| {
        let better = of(one) < least;
        least = least.min(of(one));
        better
    });
}

/// Given key sets.
pub(super) struct Given<'a> {
    pub(super) ring: &'a Ring<'a>,
    pub(super) sets: &'a [KeySet],
    /// Deviations that every reading must keep.
    pub(super) kappa: f64,
}

impl Supply for Given<'_> {
    fn fresh(&self) -> f64 {
        self.ring.fresh
    }

    fn levels(&self) -> Vec<f64> {
        let mut levels: Vec<f64> = self.sets.iter().map(|set| set.variance(self.ring)).collect();
        levels.sort_by(f64::total_cmp);
        levels.dedup();
        levels
    }

    fn ways(&self, read: &Read, arriving: f64, quiet: f64, found: &mut Vec<Way>) {
        let way = |(key, set): (usize, &KeySet)| {
            let variance = set.variance(self.ring);
            if variance > quiet {
                return None;
            }
            let extension = set.least_extension(self.ring, read.room, self.kappa, arriving)?;
            let cost = set.nanoseconds(self.ring, read.room.tables, extension);
            Some(Way { key, extension, cost, variance })
        };
        found.clear();
        found.extend(self.sets.iter().enumerate().filter_map(way));
        keep_undominated(found);
    }
}

/// Steps of the small dimension in a wish.
const STRIDE: usize = 16;

/// 2^-80: less variance than any key set adds.
const LEAST_VARIANCE: f64 = 8.3e-25;

/// Most tables at one phase.
const MAX_TABLES: usize = 2;

/// What keyswitch and modulus switch add, against what a phase costs with them.
struct Trade {
    added: f64,
    cost: f64,
    small: u32,
}

/// For each variance on a grid a way for each head, by cost, where somebody asked.
type ByVariance = Vec<Option<Box<[Way]>>>;

/// Any key set of a ring: each stage gets what it would wish for, about.
pub(super) struct Wishes<'a> {
    ring: &'a Ring<'a>,
    kappa: f64,
    /// For each head, extension and number of tables the trades, by falling cost.
    trades: Vec<OnceCell<Vec<Trade>>>,
    /// For each room, for each number of tables, for tables and for comparisons: by the variance that arrives. Empty where nobody
    /// asked.
    known: RefCell<Vec<ByVariance>>,
}

impl<'a> Wishes<'a> {
    /// Steps of a factor of two: rooms are rounded down, variances up.
    const ROOM_STEPS: f64 = 16.0;
    const VARIANCE_STEPS: f64 = 4.0;
    const INPUT_STEPS: f64 = 8.0;
    /// From one over this, log2, to 1.
    const ROOMS: usize = 28 * 16;
    const VARIANCES: usize = 80 * 4 + 1;

    pub(super) fn new(ring: &'a Ring, kappa: f64) -> Self {
        let extensions: usize = ring.heads.iter().map(|head| head.extensions(0).len()).sum();
        let trades = (0..extensions * MAX_TABLES).map(|_| OnceCell::new()).collect();
        let known = RefCell::new(vec![Vec::new(); Self::ROOMS * MAX_TABLES * 2]);
        Self { ring, kappa, trades, known }
    }

    fn trades(&self, place: usize, head: usize, extension: i32, tables: f64) -> &[Trade] {
        self.trades[place].get_or_init(|| {
            let accumulators = self.ring.heads[head].with(extension);
            let mut all = Vec::new();
            for small in space::small_dimensions(STRIDE) {
                let dimension = f64::from(small);
                for keyswitch in self.ring.keyswitches(small) {
                    let added = keyswitch.variance + dimension * accumulators.switch;
                    let cost = keyswitch.cost + tables * dimension * accumulators.element;
                    all.push(Trade { added, cost, small });
                }
            }
            all.sort_by(|one, other| one.added.total_cmp(&other.added));
            keep_falling(&mut all, |trade| trade.cost);
            all
        })
    }

    /// The cheapest way of each head, by cost.
    fn of_heads(&self, room: Room, arriving: f64) -> Vec<Way> {
        let mut ways = Vec::new();
        let (mut place, tables) = (room.tables as usize - 1, f64::from(room.tables));
        let smallest = f64::from(space::small_dimensions(1).next().unwrap_or(0));
        for (key, head) in self.ring.heads.iter().enumerate() {
            let mut best: Option<Way> = None;
            for extension in head.extensions(room.tables) {
                let least = tables * smallest * head.with(extension).element;
                if best.is_some_and(|best| best.cost <= least) {
                    break;
                }
                let left = allowance(room.at(head, extension), self.kappa, arriving);
                if left <= 0.0 {
                    continue;
                }
                let trades = self.trades(
                    place + (extension - head.extensions(0).start) as usize * MAX_TABLES,
                    key,
                    extension,
                    tables,
                );
                let fitting = trades.partition_point(|trade| trade.added <= left);
                let Some(trade) = fitting.checked_sub(1).map(|last| &trades[last]) else { continue };
                if best.is_none_or(|best| trade.cost < best.cost) {
                    let variance = f64::from(trade.small) * head.variance;
                    best = Some(Way { key, extension, cost: trade.cost, variance });
                }
            }
            ways.extend(best);
            place += head.extensions(0).len() * MAX_TABLES;
        }
        ways.sort_by(|one, other| one.cost.total_cmp(&other.cost).then(one.key.cmp(&other.key)));
        ways
    }
}

impl Supply for Wishes<'_> {
    fn fresh(&self) -> f64 {
        self.ring.fresh
    }

    fn levels(&self) -> Vec<f64> {
        let mut levels: Vec<f64> = Vec::new();
        for head in &self.ring.heads {
            let (level, variance) = (head.bootstrap.level as usize, head.variance);
            levels.resize(levels.len().max(level), 0.0);
            levels[level - 1] = variance.max(levels[level - 1]);
        }
        let largest = f64::from(space::small_dimensions(1).last().unwrap_or(0));
        levels.reverse();
        levels.iter().map(|variance| variance * largest).filter(|variance| *variance > 0.0).collect()
    }

    /// Up: readings round as much.
    fn rounded(&self, arriving: f64) -> f64 {
        if arriving > LEAST_VARIANCE {
            ((arriving.log2() * Self::INPUT_STEPS).ceil() / Self::INPUT_STEPS).exp2()
        } else {
            arriving
        }
    }

    fn ways(&self, read: &Read, arriving: f64, quiet: f64, found: &mut Vec<Way>) {
        let tables = read.room.tables.clamp(1, MAX_TABLES as u32);
        let room = (read.log2_half_room * Self::ROOM_STEPS).floor();
        // Below what any key set adds, less makes no difference; no phase has more variance than 1.
        let variance = (arriving.clamp(LEAST_VARIANCE, 1.0).log2() * Self::VARIANCE_STEPS).ceil();
        found.clear();
        // No key set reads as little as that.
        if room <= -(Self::ROOMS as f64) {
            return;
        }
        let place = |steps: f64, all: usize| (-steps).clamp(0.0, (all - 1) as f64) as usize;
        let row = (place(room, Self::ROOMS) * MAX_TABLES + tables as usize - 1) * 2;
        let mut known = self.known.borrow_mut();
        let row = &mut known[row + usize::from(read.room.compares)];
        if row.is_empty() {
            row.resize(Self::VARIANCES, None);
        }
        let all = row[place(variance, Self::VARIANCES)].get_or_insert_with(|| {
            let room = Room { half: (room / Self::ROOM_STEPS).exp2(), tables, ..read.room };
            self.of_heads(room, (variance / Self::VARIANCE_STEPS).exp2()).into()
        });
        let mut least = f64::INFINITY;
        let quieter = |way: &&Way| {
            let better = way.variance <= quiet && way.variance < least;
            least = if better { way.variance } else { least };
            better
        };
        found.extend(all.iter().filter(quieter).copied());
    }
}
