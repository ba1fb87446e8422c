//! The report as tables for people, 80 columns wide.

use super::{Lookup, Neurons, Node, Parameters, Pruned, Report};
use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use std::fmt::{Display, Formatter};

const COLUMNS: u16 = 80;

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write_table(f, &self.overview())?;
        if self.lookups.is_empty() {
            writeln!(f, "\nlookups\n  none")?;
        } else {
            writeln!(f, "\nnodes, what to change first")?;
            write_table(f, &nodes(&self.nodes))?;
            if self.nodes.iter().any(|node| !node.hints.is_empty()) {
                writeln!(f, "\nwhat would help")?;
                write_table(f, &hints(&self.nodes))?;
            }
            writeln!(f, "\nlookups")?;
            write_table(f, &lookups(&self.lookups))?;
            for note in shared(&self.lookups) {
                writeln!(f, "  {note}")?;
            }
            writeln!(f, "\nstages of each lookup")?;
            write_table(f, &stages(&self.lookups))?;
        }
        writeln!(f, "\nkey sets")?;
        write_table(f, &parameters(&self.parameter_sets))
    }
}

impl Report {
    fn overview(&self) -> Table {
        let mut table = table();
        let mut row = |name: &str, text: String| {
            table.add_row([format!("  {name}"), text]);
        };
        row("model", self.model.clone());
        row("security", format!("{:.0} bits", self.security_bits));
        let budget = budget(self.p_error_budget_log2, "inference");
        row("failure of an inference", format!("{}{budget}", probability(self.p_error_log2)));
        let budget = self::budget(self.p_error_per_lookup_budget_log2, "lookup");
        row("failure of the worst lookup", format!("{}{budget}", probability(self.p_error_per_lookup_log2)));
        row("failure of the outputs", probability(self.outputs_p_error_log2));
        row("lookups", format!("{} an inference", self.lookups_per_inference));
        row("bootstraps", format!("{} an inference", self.bootstraps_per_inference));
        let rounded = self.lookups.iter().filter(|lookup| lookup.form == "approximate");
        let rounded = rounded.map(|lookup| u64::from(lookup.count)).sum::<u64>();
        if rounded > 0 {
            let differ = "results may differ, see cml predict --mode simulate";
            row("approximate", format!("{rounded} lookups: {differ}"));
        }
        row("widest accumulator", format!("{} bits", self.max_accumulator_bits));
        row("widest output", format!("{} bits", self.max_output_bits));
        if !self.neurons.is_empty() {
            let sum = |count: fn(&Neurons) -> u64| self.neurons.iter().map(count).sum::<u64>();
            let (proved, observed) = (sum(|neurons| neurons.proved), sum(|neurons| neurons.observed));
            let all = sum(|neurons| neurons.count);
            let of = format!("{} of {all}: {proved} proved, {observed} on calibration", proved + observed);
            row("neurons that never fire", of);
        }
        if !self.pruned.is_empty() {
            let sum = |count: fn(&Pruned) -> u64| self.pruned.iter().map(count).sum::<u64>();
            let (before, after) = (sum(|pruned| pruned.before), sum(|pruned| pruned.after));
            row(
                "pruned",
                format!("{} of {before} weights went, {after} are left", before.saturating_sub(after)),
            );
        }
        if let Some(bound) = &self.accumulator_bound {
            let share = |agree: u64| 100.0 * agree as f64 / bound.samples.max(1) as f64;
            let (found, free) = (share(bound.agree), share(bound.agree_unbounded));
            let text = format!("{} bits: as float on {found:.1} %, without on {free:.1} %", bound.bits);
            row("bound on accumulators", text);
        }
        row("evaluation key", bytes(self.eval_key_bytes));
        row("encrypted input", format!("{} a sample", bytes(self.input_bytes)));
        row("encrypted output", format!("{} a sample", bytes(self.output_bytes)));
        let together = self.samples_together;
        row("server memory", format!("{}, up to {together} samples together", bytes(self.server_bytes)));
        let predicted = self.predicted_seconds.map(|seconds| format!("{seconds:.2} s an inference"));
        row("predicted time", predicted.unwrap_or_else(|| "unknown (no cost table)".to_owned()));
        table
    }
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(COLUMNS);
    table
}

/// Without the spaces that fill the last column.
fn write_table(f: &mut Formatter<'_>, table: &Table) -> std::fmt::Result {
    table.lines().try_for_each(|line| writeln!(f, "{}", line.trim_end()))
}

/// A table with these titles; columns that hold numbers stand to the right.
fn titled<const N: usize>(
    titles: [&str; N],
    text: &[&str],
    rows: impl Iterator<Item = [String; N]>,
) -> Table {
    let mut table = table();
    table.set_header(titles.map(Cell::new));
    rows.for_each(|row| {
        table.add_row(row);
    });
    for (title, column) in titles.iter().zip(table.column_iter_mut()) {
        if !text.contains(title) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Those that take most of the time first, where it is known; else in the order of the program.
fn by_time(lookups: &[Lookup]) -> Vec<&Lookup> {
    let mut sorted: Vec<&Lookup> = lookups.iter().collect();
    let time = |lookup: &Lookup| lookup.share_of_time.unwrap_or_default();
    sorted.sort_by(|one, other| time(other).total_cmp(&time(one)));
    sorted
}

fn nodes(nodes: &[Node]) -> Table {
    let titles = ["  node", "lookups", "proved", "bits", "measured", "bits", "ms", "of time", "of failure"];
    let rows = nodes.iter().map(|node| {
        [
            format!("  {}", node.node),
            node.lookups.to_string(),
            format!("{}:{}", node.low, node.high),
            node.width.to_string(),
            node.measured_range.map_or_else(|| "-".to_owned(), |(low, high)| format!("{low}:{high}")),
            node.measured_width.map_or_else(|| "-".to_owned(), |width| width.to_string()),
            milliseconds(node.milliseconds),
            node.share_of_time.map_or_else(|| "-".to_owned(), percent),
            percent(node.share_of_p_error),
        ]
    });
    titled(titles, &["  node"], rows)
}

fn lookups(lookups: &[Lookup]) -> Table {
    let titles = ["  node", "count", "bits", "seen", "form", "ms", "of time", "failure", "of failure"];
    let rows = by_time(lookups).into_iter().map(|lookup| {
        [
            format!("  {}", lookup.node),
            lookup.count.to_string(),
            lookup.width.to_string(),
            lookup.measured_width.map_or_else(|| "-".to_owned(), |width| width.to_string()),
            form(&lookup.form),
            milliseconds(lookup.milliseconds),
            lookup.share_of_time.map_or_else(|| "-".to_owned(), percent),
            probability(lookup.p_error_log2),
            percent(lookup.share_of_p_error),
        ]
    });
    titled(titles, &["  node", "form"], rows)
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// Where several tables are read out of one rotation.
fn shared(lookups: &[Lookup]) -> impl Iterator<Item = String> + '_ {
    let shared = by_time(lookups).into_iter().filter(|lookup| lookup.values < lookup.count);
    shared
        .map(|lookup| format!("{}: {} tables out of {} rotations", lookup.node, lookup.count, lookup.values))
}

/// What would help each node, wrapped.
fn hints(nodes: &[Node]) -> Table {
    let mut table = table();
    for node in nodes {
        for (at, hint) in node.hints.iter().enumerate() {
            let name = if at == 0 { format!("  {}", node.node) } else { String::new() };
            table.add_row([name, hint.clone()]);
        }
    }
    table
}

/// The name of a form as people read it.
fn form(name: &str) -> String {
    match name {
        "bootstrap" => "plain".to_owned(),
        "extended_bootstrap" => "extended".to_owned(),
        chain => chain.replace('_', " "),
    }
}

fn stages(lookups: &[Lookup]) -> Table {
    let titles = ["  node", "stage", "set", "accs", "slots", "off", "noise", "room", "ms", "failure"];
    let power = |log2: f64| format!("2^{log2:.1}");
    let rows = lookups.iter().flat_map(|lookup| {
        lookup.stages.iter().enumerate().map(move |(position, stage)| {
            [
                if position == 0 { format!("  {}", lookup.node) } else { String::new() },
                stage.role.clone(),
                stage.parameter_set.to_string(),
                accumulators(stage.extension),
                stage.slots.to_string(),
                stage.tolerance_slots.to_string(),
                power(stage.noise_std_log2),
                power(stage.tolerance_log2),
                milliseconds(stage.milliseconds),
                if stage.shares_phase { "same".to_owned() } else { probability(stage.p_error_log2) },
            ]
        })
    });
    titled(titles, &["  node", "stage"], rows)
}

/// Of one table.
fn accumulators(extension: i32) -> String {
    let count = 1u64 << extension.unsigned_abs().min(63);
    if extension < 0 { format!("1/{count}") } else { count.to_string() }
}

fn milliseconds(predicted: Option<f64>) -> String {
    predicted.map_or_else(|| "-".to_owned(), |milliseconds| format!("{milliseconds:.1}"))
}

fn parameters(sets: &[Parameters]) -> Table {
    let rows = sets.iter().enumerate().map(|(index, set)| {
        [
            format!("  {index}"),
            set.lwe_dimension.to_string(),
            set.glwe_dimension.to_string(),
            set.polynomial_size.to_string(),
            digits(set.pbs_level, set.pbs_base_log),
            digits(set.ks_level, set.ks_base_log),
            bytes(set.eval_key_bytes),
        ]
    });
    let titles = ["  set", "n", "k", "N", "bootstrap", "keyswitch", "key"];
    titled(titles, &["  set", "bootstrap", "keyswitch"], rows)
}

fn digits(level: u32, base_log: u32) -> String {
    format!("{level} x {base_log} bits")
}

fn probability(log2: Option<f64>) -> String {
    log2.map_or_else(|| "0".to_owned(), |log2| format!("2^{log2:.1}"))
}

fn budget(log2: Option<f64>, of: &str) -> String {
    log2.map_or_else(String::new, |log2| format!(" (at most 2^{log2} for each {of})"))
}

fn bytes(count: u64) -> String {
    let count = count as f64;
    let units = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let unit = units.into_iter().find(|(size, _)| count >= *size);
    unit.map_or_else(|| format!("{count} B"), |(size, name)| format!("{:.1} {name}", count / size))
}
