//! The order of the server's steps: what no result needs is left out, and steps that do not wait for each other stand together.
//!
//! The server runs all bootstraps of one depth as a wave, and the next wave after it: branches overlap within a depth, and never
//! across depths.

use cml_runtime::program::message::Server;
use petgraph::Direction;
use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{Dfs, Reversed};

/// An order of steps, by their positions in the server that it was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The steps of one level wait only for those of earlier levels; ascending within a level.
    pub levels: Vec<Vec<usize>>,
}

impl Schedule {
    /// The schedule of a server that [`Server::check`] accepts.
    #[must_use]
    pub fn of(server: &Server) -> Self {
        let graph = dependencies(server);
        let inputs = server.inputs.len();
        let needed = needed(server, &graph);
        // An order from petgraph's depth-first search; it decides nothing, as the depths are the same in every order.
        let order = toposort(&graph, None).unwrap_or_else(|_| graph.node_indices().collect());
        let mut depth = vec![0usize; graph.node_count()];
        for node in order.into_iter().filter(|node| node.index() >= inputs) {
            let before = graph.neighbors_directed(node, Direction::Incoming).map(|from| depth[from.index()]);
            depth[node.index()] = before.max().unwrap_or(0) + 1;
        }
        let mut levels: Vec<Vec<usize>> = Vec::new();
        for value in inputs..graph.node_count() {
            if needed[value] {
                levels.resize(levels.len().max(depth[value]), Vec::new());
                levels[depth[value] - 1].push(value - inputs);
            }
        }
        // Where all of a level is dead, what follows it is dead too: no level in between is empty.
        Self { levels }
    }

    /// The steps in order.
    pub fn order(&self) -> impl Iterator<Item = usize> + '_ {
        self.levels.iter().flatten().copied()
    }

    /// The server with its steps in this order, without those that are left out, and its values numbered anew.
    #[must_use]
    pub fn apply(&self, server: &Server) -> Server {
        let inputs = server.inputs.len();
        let mut numbers: Vec<u32> = (0..(inputs + server.steps.len()) as u32).collect();
        for (position, step) in self.order().enumerate() {
            numbers[inputs + step] = (inputs + position) as u32;
        }
        let renumber = |value: &mut u32| *value = numbers[*value as usize];
        let mut scheduled = server.clone();
        scheduled.steps = self.order().map(|step| server.steps[step].clone()).collect();
        for step in &mut scheduled.steps {
            step.inputs_mut().iter_mut().for_each(renumber);
        }
        scheduled.output_values.iter_mut().for_each(renumber);
        scheduled
    }
}

/// One node for each value, an edge to each that is computed from it.
fn dependencies(server: &Server) -> DiGraph<(), ()> {
    let mut graph = DiGraph::new();
    for _ in 0..server.inputs.len() + server.steps.len() {
        graph.add_node(());
    }
    for (index, step) in server.steps.iter().enumerate() {
        let to = NodeIndex::new(server.inputs.len() + index);
        for value in step.inputs() {
            graph.update_edge(NodeIndex::new(*value as usize), to, ());
        }
    }
    graph
}

fn needed(server: &Server, graph: &DiGraph<(), ()>) -> Vec<bool> {
    let mut needed = vec![false; graph.node_count()];
    for output in &server.output_values {
        let mut search = Dfs::new(Reversed(graph), NodeIndex::new(*output as usize));
        while let Some(node) = search.next(Reversed(graph)) {
            needed[node.index()] = true;
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;
    use cml_runtime::program::message::{Action, EncryptedPort, Linear, Step};

    /// Two inputs; each step adds the values given.
    fn sums(steps: &[&[u32]], outputs: &[u32]) -> Server {
        let sum = |(index, inputs): (usize, &&[u32])| Step {
            node: format!("step{index}"),
            action: Some(Action::Linear(Linear { inputs: inputs.to_vec(), ..Linear::default() })),
        };
        Server {
            inputs: vec![EncryptedPort::default(); 2],
            steps: steps.iter().enumerate().map(sum).collect(),
            output_values: outputs.to_vec(),
            ..Server::default()
        }
    }

    fn listing(server: &Server) -> Vec<(String, Vec<u32>)> {
        let step = |step: &Step| match &step.action {
            Some(Action::Linear(linear)) => (step.node.clone(), linear.inputs.clone()),
            _ => (step.node.clone(), vec![]),
        };
        server.steps.iter().map(step).collect()
    }

    #[test]
    fn independent_steps_share_a_level() {
        // %2 = %0; %3 = %2; %4 = %1; %5 = %3 + %4
        let server = sums(&[&[0], &[2], &[1], &[3, 4]], &[5]);
        let schedule = Schedule::of(&server);
        assert_eq!(schedule.levels, [vec![0, 2], vec![1], vec![3]]);
        let scheduled = schedule.apply(&server);
        let expected = [("step0", vec![0]), ("step2", vec![1]), ("step1", vec![2]), ("step3", vec![4, 3])];
        assert_eq!(listing(&scheduled), expected.map(|(name, inputs)| (name.to_owned(), inputs)));
        assert_eq!(scheduled.output_values, [5]);
    }

    #[test]
    fn dead_steps_are_left_out() {
        let server = sums(&[&[0], &[2], &[1], &[2, 2]], &[5, 1]);
        let scheduled = Schedule::of(&server).apply(&server);
        let expected = [("step0", vec![0]), ("step3", vec![2, 2])];
        assert_eq!(listing(&scheduled), expected.map(|(name, inputs)| (name.to_owned(), inputs)));
        assert_eq!(scheduled.output_values, [3, 1]);
    }

    #[test]
    fn a_server_that_returns_its_input_has_no_steps() {
        let server = sums(&[&[0]], &[1]);
        assert!(Schedule::of(&server).levels.is_empty());
        assert!(Schedule::of(&server).apply(&server).steps.is_empty());
    }

    #[test]
    fn scheduling_twice_changes_nothing() {
        let server = sums(&[&[1], &[0], &[2, 3], &[3], &[4, 5]], &[6]);
        let once = Schedule::of(&server).apply(&server);
        assert_eq!(Schedule::of(&once).apply(&once), once);
    }
}
