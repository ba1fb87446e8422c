//! How many messages a file holds, counted before any of them is decoded.
//!
//! An empty message takes 2 bytes in a file and some hundred in memory: a hostile file within its limit of bytes could
//! fill the memory. Numbers are no such problem, each takes at most 8 times its bytes.

/// Most messages of a program: steps, tables, nodes, ports, events.
pub(super) const MAX_MESSAGES: u64 = 1 << 20;

/// The fields of a message that are messages or strings themselves, by tag.
pub(super) struct Form(&'static [(u64, &'static Form)]);

const LEAF: Form = Form(&[]);
const TABLES: u64 = 1;
const LOOKUP: Form = Form(&[(TABLES, &LEAF)]);
const BOOTSTRAP: Form = Form(&[(3, &LEAF)]);
const COMPARE: Form = Form(&[(3, &LEAF)]);
const STEP: Form = Form(&[(1, &LEAF), (10, &LEAF), (11, &BOOTSTRAP), (12, &LEAF), (13, &COMPARE)]);
const PORT: Form = Form(&[(6, &LEAF)]);
const EVENT: Form = Form(&[(14, &LEAF)]);
const SERVER: Form = Form(&[(1, &LEAF), (2, &PORT), (3, &STEP), (4, &PORT)]);
const NODE: Form = Form(&[(1, &LEAF), (LOOKUP_OP, &LOOKUP)]);
const GRAPH: Form = Form(&[(1, &LEAF), (2, &NODE), (4, &LEAF)]);
/// Tag of a lookup among the ops of a node.
const LOOKUP_OP: u64 = 36;
pub(super) const CLIENT: Form =
    Form(&[(3, &LEAF), (4, &GRAPH), (5, &GRAPH), (6, &PORT), (7, &PORT), (8, &EVENT), (11, &LEAF)]);
pub(super) const PROGRAM: Form = Form(&[(1, &CLIENT), (2, &SERVER), (3, &GRAPH)]);

/// Number of messages and strings in an encoded message of this form, as far as it can be read: a decoder stops where
/// this does.
pub(super) fn count(mut bytes: &[u8], form: &Form) -> u64 {
    let mut total = 0;
    while let Some((tag, content)) = next_field(&mut bytes) {
        let inner = form.0.iter().find(|(known, _)| *known == tag);
        if let (Some((_, inner)), Some(content)) = (inner, content) {
            total += 1 + count(content, inner);
        }
    }
    total
}

/// Takes one field from the front: its tag, and its content where that is a list of bytes.
fn next_field<'a>(bytes: &mut &'a [u8]) -> Option<(u64, Option<&'a [u8]>)> {
    let key = varint(bytes)?;
    let length = match key & 7 {
        0 => varint(bytes).map(|_| 0)?,
        1 => 8,
        2 => usize::try_from(varint(bytes)?).ok()?,
        // The ends of groups, an old form that is skipped, have no content of their own.
        3 | 4 => 0,
        5 => 4,
        _ => return None,
    };
    let (content, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some((key >> 3, (key & 7 == 2).then_some(content)))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::check::tests::small_program;
    use super::*;
    use crate::program::message::{Action, Compare, Comparisons, Event, Program, Step};
    use crate::reference::message::{Graph, Lookup, Op, Table};
    use prost::Message;

    fn added(edit: impl FnOnce(&mut Program)) -> u64 {
        let mut program = small_program();
        let of = |program: &Program| count(&program.encode_to_vec(), &PROGRAM);
        let before = of(&program);
        edit(&mut program);
        of(&program) - before
    }

    #[test]
    fn every_kind_of_message_counts() {
        assert_eq!(added(|program| program.server.as_mut().unwrap().steps.push(Step::default())), 1);
        let table = |program: &mut Program| match &mut program.server.as_mut().unwrap().steps[1].action {
            Some(Action::Bootstrap(bootstrap)) => bootstrap.tables.push(Table::default()),
            _ => panic!("the second step looks up"),
        };
        assert_eq!(added(table), 1);
        // A step, its action and three elements.
        let compare = |program: &mut Program| {
            let elements = vec![Comparisons::default(); 3];
            let action = Some(Action::Compare(Compare { elements, ..Compare::default() }));
            program.server.as_mut().unwrap().steps.push(Step { action, ..Step::default() });
        };
        assert_eq!(added(compare), 5);
        let sets = |program: &mut Program| {
            let set = program.server.as_ref().unwrap().parameters[0].clone();
            program.server.as_mut().unwrap().parameters.push(set.clone());
            program.client.as_mut().unwrap().parameters.push(set);
        };
        assert_eq!(added(sets), 2);
        assert_eq!(added(|program| program.client.as_mut().unwrap().events.push(Event::default())), 1);
        let graph = |program: &mut Program| -> Graph { program.quantized.take().unwrap() };
        let named = |program: &mut Program| {
            program.quantized = Some(Graph { output_names: vec![String::new(); 3], ..graph(program) });
        };
        assert_eq!(added(named), 3);
        // A node, its name, its op and five tables.
        let lookup = |program: &mut Program| {
            let op = Op::Lookup(Lookup { tables: vec![Table::default(); 5], table_of: vec![] });
            program.quantized.as_mut().unwrap().push("x", op, []);
        };
        assert_eq!(added(lookup), 8);
    }

    #[test]
    fn damaged_fields_end_the_count() {
        assert_eq!(count(&[0x0a], &PROGRAM), 0);
        assert_eq!(count(&[0x0a, 0x05, 0x00], &PROGRAM), 0);
        assert_eq!(count(&[0x0f, 0x0a, 0x00], &PROGRAM), 0);
        assert_eq!(count(&[0xff; 20], &PROGRAM), 0);
        assert_eq!(count(&[0x0a, 0x00, 0x12, 0x02, 0x1a, 0x00], &PROGRAM), 3);
    }
}
