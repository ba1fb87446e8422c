//! The chain of one group of lookups: nodes that are alike but for tables, centers and biases become one op.

use super::place;
use crate::analysis::linear_forms::Group;
use crate::analysis::measured::Measured;
use crate::framework::PassError;
use crate::lookups::{Input, Node, Role};
use cml_dialects::ir::{Make, NewOp};
use cml_dialects::tfhe::{Key, MEASURED_RANGE, MEASURED_WIDTH, PREDICTED_MILLISECONDS, list};
use cml_runtime::program::message::Stage;
use cml_runtime::reference::message::Table;
use cml_runtime::units::Spacing;
use melior::Context;
use melior::ir::{Block, Value};

/// What a chain begins with.
pub(super) struct Start<'c, 'b, 'g> {
    pub(super) context: &'c Context,
    pub(super) block: &'b Block<'c>,
    /// Of the group.
    pub(super) number: usize,
    pub(super) group: &'g Group,
    /// For each stage of a keyswitch and of a rotation; empty where nothing was predicted.
    pub(super) milliseconds: &'g [[f64; 2]],
    /// What is looked up.
    pub(super) value: (Value<'c, 'b>, Spacing),
}

/// The ops made so far.
pub(super) struct Chain<'c, 'b, 'g> {
    start: Start<'c, 'b, 'g>,
    /// The result of each node.
    nodes: Vec<(Value<'c, 'b>, Spacing)>,
    /// For each stage its keyswitch, with what it switches and the key set.
    switched: Vec<((Input, u32), Value<'c, 'b>)>,
}

impl<'c, 'b, 'g> Chain<'c, 'b, 'g> {
    pub(super) fn new(start: Start<'c, 'b, 'g>) -> Self {
        Self { start, nodes: Vec::new(), switched: Vec::new() }
    }

    /// The result of the last node; `chains` has the nodes of each lookup.
    ///
    /// # Errors
    /// [`PassError::Model`] where they are not alike.
    pub(super) fn lower(mut self, chains: &[Vec<Node>]) -> Result<Value<'c, 'b>, PassError> {
        for position in 0..chains.first().map_or(0, Vec::len) {
            let nodes: Option<Vec<&Node>> = chains.iter().map(|chain| chain.get(position)).collect();
            let nodes = nodes.ok_or_else(|| self.differ())?;
            let made = match nodes[0] {
                Node::Combine { terms, spacing, .. } => self.combine(&nodes, terms, *spacing)?,
                Node::Bootstrap { spacing, .. } => (self.bootstrap(&nodes)?, *spacing),
            };
            self.nodes.push(made);
        }
        self.nodes.last().map(|(result, _)| *result).ok_or_else(|| self.differ())
    }

    fn get(&self, input: Input) -> Result<(Value<'c, 'b>, Spacing), PassError> {
        match input {
            Input::Value => Some(self.start.value),
            Input::Node(node) => self.nodes.get(node).copied(),
        }
        .ok_or_else(|| self.differ())
    }

    fn differ(&self) -> PassError {
        let message = "the chains of its tables are not alike".to_owned();
        PassError::Model { node: self.start.group.node.clone(), message }
    }

    fn combine(
        &self,
        nodes: &[&Node],
        terms: &[(Input, i64)],
        spacing: Spacing,
    ) -> Result<(Value<'c, 'b>, Spacing), PassError> {
        let bias = |node: &&Node| match node {
            Node::Combine { terms: own, bias, spacing: at } if own == terms && *at == spacing => Ok(*bias),
            _ => Err(self.differ()),
        };
        let bias = nodes.iter().map(bias).collect::<Result<Vec<i64>, _>>()?;
        let inputs =
            terms.iter().map(|(input, _)| Ok(self.get(*input)?.0)).collect::<Result<Vec<_>, PassError>>()?;
        let weights: Vec<i64> = terms.iter().map(|(_, weight)| *weight).collect();
        let (make, place) = (Make(self.start.context), place(self.start.context, &self.start.group.node));
        let new = NewOp::new("tfhe.combine", place)
            .operands(&inputs)
            .attribute("weights", make.i64_array(&weights))
            .attribute("bias", make.i64_array(&bias))
            .result(list(place, nodes.len(), Key::Big, spacing)?);
        Ok((new.append(self.start.context, self.start.block)?, spacing))
    }

    /// The input under a small key, switched once for each stage; and the predicted milliseconds of a bootstrap of it: of a
    /// rotation, and of the keyswitch for the first of a stage.
    fn switched(&mut self, input: Input, key: u32) -> Result<(Value<'c, 'b>, Option<f64>), PassError> {
        let milliseconds = |stage: usize| self.start.milliseconds.get(stage);
        if let Some(stage) = self.switched.iter().position(|(known, _)| *known == (input, key)) {
            return Ok((self.switched[stage].1, milliseconds(stage).map(|[_, rotation]| *rotation)));
        }
        let first = milliseconds(self.switched.len()).map(|[keyswitch, rotation]| keyswitch + rotation);
        let (value, spacing) = self.get(input)?;
        let place = place(self.start.context, &self.start.group.node);
        let count = self.start.group.forms.len();
        let value = NewOp::new("tfhe.keyswitch", place)
            .operands(&[value])
            .result(list(place, count, Key::Small(key), spacing)?)
            .append(self.start.context, self.start.block)?;
        self.switched.push(((input, key), value));
        Ok((value, first))
    }

    fn bootstrap(&mut self, nodes: &[&Node]) -> Result<Value<'c, 'b>, PassError> {
        let (mut tables, mut table_of): (Vec<(&Table, i64)>, Vec<i64>) = (Vec::new(), Vec::new());
        let shape = Reading::of(nodes[0]);
        for node in nodes {
            let Node::Bootstrap { table, center, .. } = node else { return Err(self.differ()) };
            if Reading::of(node) != shape {
                return Err(self.differ());
            }
            let known = tables.iter().position(|known| *known == (table, *center));
            table_of.push(known.unwrap_or(tables.len()) as i64);
            if known.is_none() {
                tables.push((table, *center));
            }
        }
        let Some(Reading { input, tolerance, key, extension, spacing, role }) = shape else {
            return Err(self.differ());
        };
        let (switched, milliseconds) = self.switched(input, key)?;
        let (make, place) = (Make(self.start.context), place(self.start.context, &self.start.group.node));
        let values: Vec<&[i64]> = tables.iter().map(|(table, _)| table.values.as_slice()).collect();
        let firsts: Vec<i64> = tables.iter().map(|(table, _)| table.lo).collect();
        let seen = Measured::of_all(&self.start.group.measured);
        let centers: Vec<i64> = tables.iter().map(|(_, center)| *center).collect();
        let new = NewOp::new("tfhe.bootstrap", place)
            .operands(&[switched])
            .attribute("lookup", make.i64(self.start.number as i64))
            .attribute("stage", make.i64(stage(role) as i64))
            .attribute("extension", make.i64(i64::from(extension)))
            .attribute("tolerance", make.i64(i64::try_from(tolerance).unwrap_or(i64::MAX)))
            .attribute("tables", make.i64_arrays(&values))
            .attribute("firsts", make.i64_array(&firsts))
            .attribute("table_of", make.i64_array(&table_of))
            .optional("centers", centers.iter().any(|center| *center != 0).then(|| make.i64_array(&centers)))
            .optional(MEASURED_WIDTH, seen.map(|seen| make.i64(i64::from(seen.width))))
            .optional(MEASURED_RANGE, seen.map(|seen| make.i64_array(&[seen.low, seen.high])))
            .optional(PREDICTED_MILLISECONDS, milliseconds.map(|milliseconds| make.f64(milliseconds)))
            .result(list(place, nodes.len(), Key::Big, spacing)?);
        Ok(new.append(self.start.context, self.start.block)?)
    }
}

/// What the bootstraps of all lookups of a group have in common.
#[derive(Clone, Copy, PartialEq)]
struct Reading {
    input: Input,
    tolerance: u64,
    key: u32,
    extension: i32,
    spacing: Spacing,
    role: Role,
}

impl Reading {
    fn of(node: &Node) -> Option<Self> {
        match *node {
            Node::Bootstrap { input, tolerance, key, extension, spacing, role, .. } => {
                Some(Self { input, tolerance, key, extension, spacing, role })
            }
            Node::Combine { .. } => None,
        }
    }
}

/// The dialect numbers the stages as the program does.
fn stage(role: Role) -> Stage {
    match role {
        Role::Table => Stage::Table,
        Role::Approximate => Stage::Approximate,
        Role::Fold => Stage::Fold,
        Role::Nearest => Stage::Nearest,
        Role::Count => Stage::Count,
        Role::Sign => Stage::Sign,
    }
}
