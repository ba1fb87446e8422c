//! What a test polynomial may read near a phase.

use cml_runtime::reference::message::Table;
use cml_runtime::units::Spacing;

/// A place on the torus where entries stand, or their mirrors half a turn further. What is read is that of the nearest.
#[derive(Clone, Debug)]
struct Site {
    /// From the first entry of the table, in 2^-64 of the torus; not reduced.
    phase: i128,
    /// What each table reads there.
    values: Vec<i64>,
}

/// All sites that values can come near, and the straight lines that they form.
#[derive(Clone, Debug)]
pub(super) struct Sites {
    sites: Vec<Site>,
    /// First site of each line.
    lines: Vec<usize>,
    lo: i64,
    hi: i64,
    spacing: i128,
    /// Half the width of what a reading may come near, twice.
    reach: i128,
}

const HALF_TURN: i128 = 1 << 63;

impl Sites {
    /// Of tables that begin alike and are equally long, each with its center. The spacing is not 0.
    pub(super) fn new(tables: &[(&Table, i64)], spacing: Spacing, tolerance: u64) -> Self {
        let spacing = i128::from(spacing.0);
        let (lo, entries) = tables.first().map_or((0, 0), |(table, _)| (table.lo, table.values.len()));
        let reach = (2 * i128::from(tolerance) + 1) * spacing;
        let (from, to) = (-reach, entries as i128 * spacing + reach);
        let mut sites = Vec::new();
        for turns in from / HALF_TURN - 1..=to / HALF_TURN + 1 {
            let origin = turns * HALF_TURN;
            let first = ((from - origin) / spacing - 1).clamp(0, entries as i128);
            let last = ((to - origin) / spacing + 1).clamp(0, entries as i128);
            for entry in first..last {
                let value = |(table, center): &(&Table, i64)| {
                    let value = table.values[entry as usize];
                    if turns % 2 == 0 { value } else { center.wrapping_sub(value) }
                };
                sites.push(Site {
                    phase: origin + entry * spacing,
                    values: tables.iter().map(value).collect(),
                });
            }
        }
        sites.sort_by_key(|site| site.phase);
        let lines = lines(&sites);
        Self { sites, lines, lo, hi: lo.saturating_add(entries as i64 - 1), spacing, reach }
    }

    /// One of these values that is no entry, if any.
    pub(super) fn missing(&self, lo: i64, hi: i64) -> Option<i64> {
        [lo, hi].into_iter().find(|value| !(self.lo..=self.hi).contains(value))
    }

    /// Calls `found` with each line, or part of one, that readings of an entry may come from: its length, and the first
    /// value and the slope for each table.
    pub(super) fn read<E>(
        &self,
        value: i64,
        mut found: impl FnMut(i64, &[(i64, i64)]) -> Result<(), E>,
    ) -> Result<(), E> {
        let phase = (i128::from(value) - i128::from(self.lo)) * self.spacing;
        let (from, to) = (2 * phase - self.reach, 2 * phase + self.reach);
        // The border between two sites is in the middle; all is doubled.
        let border = |site: usize| self.sites[site].phase + self.sites[site + 1].phase;
        let borders = self.sites.len() - 1;
        let first = partition_point(borders, |site| border(site) <= from);
        let last = partition_point(borders, |site| border(site) < to);
        let mut line = self.lines.partition_point(|start| *start <= first) - 1;
        let mut site = first;
        while site <= last {
            let end = self.lines.get(line + 1).map_or(self.sites.len(), |next| *next).min(last + 1);
            let values = &self.sites[site].values;
            let slope = |(index, start): (usize, &i64)| {
                let next = self.sites[(site + 1).min(end - 1)].values[index];
                (*start, next.wrapping_sub(*start))
            };
            let tables: Vec<(i64, i64)> = values.iter().enumerate().map(slope).collect();
            found((end - site) as i64, &tables)?;
            (site, line) = (end, line + 1);
        }
        Ok(())
    }
}

/// First of `0..length` that is not `before`.
fn partition_point(length: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, length);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// Where straight lines begin.
fn lines(sites: &[Site]) -> Vec<usize> {
    let step = |site: usize| -> Vec<i64> {
        let pairs = sites[site].values.iter().zip(&sites[site + 1].values);
        pairs.map(|(one, next)| next.wrapping_sub(*one)).collect()
    };
    let mut lines = vec![0];
    let mut slope: Option<Vec<i64>> = None;
    for site in 1..sites.len() {
        let own = step(site - 1);
        match &slope {
            Some(slope) if *slope != own => lines.push(site),
            Some(_) => continue,
            None => {
                slope = Some(own);
                continue;
            }
        }
        slope = None;
    }
    lines
}
