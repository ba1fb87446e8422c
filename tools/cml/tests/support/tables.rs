//! Networks of lookups alone: integers that the client sends, and tables of them that it gets back.

use std::fmt::Display;
use std::iter::repeat_n;

/// Integers that all are looked up in the same tables: from 0 to the last that these have.
#[derive(Clone)]
pub(crate) struct Lookup {
    /// How many integers.
    pub(crate) count: usize,
    /// The tables of each of them, as long as one another.
    pub(crate) tables: Vec<Vec<i64>>,
}

impl Lookup {
    pub(crate) fn new(count: usize, tables: Vec<Vec<i64>>) -> Self {
        Self { count, tables }
    }

    fn last(&self) -> usize {
        self.tables[0].len() - 1
    }

    fn results(&self) -> usize {
        self.count * self.tables.len()
    }

    /// For each table the results of all integers.
    pub(crate) fn at(&self, arguments: &[i64]) -> Vec<i64> {
        let entries = |table: &Vec<i64>| arguments.iter().map(|x| table[*x as usize]).collect::<Vec<_>>();
        self.tables.iter().flat_map(entries).collect()
    }

    fn stored(&self) -> String {
        let bits = self.last().max(1).ilog2() + 1;
        format!("tensor<1x{}x!quant.uniform<u{bits}:f32, 1.0>>", self.count)
    }

    fn sent(&self, count: usize) -> String {
        format!("tensor<1x{count}x!fhe.eint<0:{}>>", self.last())
    }

    fn found(&self) -> String {
        let entries = || self.tables.iter().flatten();
        let (lo, hi) = (entries().min().expect("a value"), entries().max().expect("a value"));
        format!("tensor<1x{}x!fhe.eint<{lo}:{hi}>>", self.results())
    }

    fn returned(&self) -> String {
        format!("tensor<1x{}x!quant.uniform<i32:f32, 1.0>>", self.results())
    }

    /// Lines of the server that look up `%x{number}`.
    fn lines(&self, number: usize) -> String {
        let (count, tables) = (self.count, self.tables.len());
        let (sent, wide) = (self.sent(count), self.sent(self.results()));
        let copies = |of: &str| join(repeat_n(of, tables));
        let entries = join(self.tables.iter().map(|table| format!("array<i64: {}>", join(table))));
        let of = join((0..tables).flat_map(|table| repeat_n(table, count)));
        let firsts = copies("0");
        let operand = format!("%x{number}");
        format!(
            "    %c{number} = fhe.concat {} axis 1 : {} -> {wide}\n    \
             %y{number} = fhe.lookup %c{number} tables [{entries}] firsts [{firsts}] of [{of}] : {wide} -> {} \
             loc(\"lookup{number}\")\n",
            copies(&operand),
            copies(&sent),
            self.found(),
        )
    }
}

/// What `cml` compiles: input `x0` is looked up to output `y0`, and so on.
pub(crate) fn network(lookups: &[Lookup]) -> String {
    let each = |text: &dyn Fn(usize, &Lookup) -> String| {
        join(lookups.iter().enumerate().map(|(number, lookup)| text(number, lookup)))
    };
    let floats = |count: usize| format!("tensor<1x{count}xf32>");
    let values = |letter: &str| each(&|number, _| format!("%{letter}{number}"));
    let names = |letter: &str| each(&|number, _| format!("\"{letter}{number}\""));
    let (x, y) = (names("x"), names("y"));
    let quantize = |number: usize, lookup: &Lookup| {
        let stored = lookup.stored();
        format!("    %q{number} = qnn.quantize %x{number} : {} -> {stored}\n", floats(lookup.count))
    };
    let dequantize = |number: usize, lookup: &Lookup| {
        let (returned, floats) = (lookup.returned(), floats(lookup.results()));
        format!("    %d{number} = qnn.dequantize %y{number} : {returned} -> {floats}\n")
    };
    let all = |text: &dyn Fn(usize, &Lookup) -> String| {
        lookups.iter().enumerate().map(|(number, lookup)| text(number, lookup)).collect::<String>()
    };
    let stored = each(&|_, lookup| lookup.stored());
    let found = each(&|_, lookup| lookup.found());
    let returned = each(&|_, lookup| floats(lookup.results()));
    let bounds = |bound: &dyn Fn(&Lookup) -> usize| {
        each(&|_, lookup| format!("array<i64: {}>", join(repeat_n(bound(lookup), lookup.count))))
    };
    format!(
        "module attributes {{cml.model = \"tables\"}} {{\n\
         func.func @client_in({}) -> ({stored}) attributes {{cml.inputs = [{x}], cml.outputs = [{x}]}} {{\n{}    \
         return {} : {stored}\n}}\n\
         func.func @server({}) -> ({found}) attributes {{cml.input_lows = [{}], cml.input_highs = [{}], \
         cml.inputs = [{x}], cml.outputs = [{y}]}} {{\n{}    return {} : {found}\n}}\n\
         func.func @client_out({}) -> ({returned}) attributes {{cml.inputs = [{y}], cml.outputs = [{y}]}} {{\n{}    \
         return {} : {returned}\n}}\n}}\n",
        each(&|number, lookup| format!("%x{number}: {}", floats(lookup.count))),
        all(&quantize),
        values("q"),
        each(&|number, lookup| format!("%x{number}: {}", lookup.sent(lookup.count))),
        bounds(&|_| 0),
        bounds(&|lookup| lookup.last()),
        all(&|number, lookup| lookup.lines(number)),
        values("y"),
        each(&|number, lookup| format!("%y{number}: {}", lookup.returned())),
        all(&dequantize),
        values("d"),
    )
}

/// Rises by 1 at each jump.
pub(crate) fn staircase(entries: usize, jumps: &[usize]) -> Vec<i64> {
    (0..entries).map(|x| jumps.iter().filter(|jump| **jump <= x).count() as i64).collect()
}

fn join<T: Display>(parts: impl IntoIterator<Item = T>) -> String {
    parts.into_iter().map(|part| part.to_string()).collect::<Vec<_>>().join(", ")
}
