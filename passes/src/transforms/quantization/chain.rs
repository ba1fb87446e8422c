//! Networks in which each product's result goes, element by element and in their order, into the next product only.

use super::Weights;
use cml_runtime::reference::message::{Graph, Node, Op};
use ndarray::{Array2, ArrayD};
use std::collections::BTreeMap;

/// A function of one number, with constants for each channel (or one for all).
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// `x + c`
    Add(Vec<f64>),
    /// `x * c`
    Mul(Vec<f64>),
    /// `max(x, 0)`
    Relu,
    /// `x`, below 0 times the slope
    LeakyRelu(f64),
    /// `1 / (1 + e^-x)`
    Sigmoid,
    /// The hyperbolic tangent
    Tanh,
    /// Between two bounds; the upper one wins
    Clip(f64, f64),
    /// `x`, below 0 the slope times `e^x - 1`
    Elu(f64),
    /// `ln(1 + e^x)`
    Softplus,
}

impl Step {
    /// The function at `x`.
    #[must_use]
    pub fn apply(&self, channel: usize, x: f64) -> f64 {
        let of = |constants: &[f64]| constants[if constants.len() == 1 { 0 } else { channel }];
        match self {
            Self::Add(constants) => x + of(constants),
            Self::Mul(constants) => x * of(constants),
            Self::Relu => x.max(0.0),
            Self::LeakyRelu(slope) => x.max(0.0) + slope * x.min(0.0),
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Self::Tanh => x.tanh(),
            Self::Clip(lo, hi) => x.max(*lo).min(*hi),
            Self::Elu(slope) => x.max(0.0) + slope * x.min(0.0).exp_m1(),
            Self::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        }
    }

    /// What a node does to one of its inputs, of this shape; `None` if that is not a function of one number for each element, in
    /// their order.
    fn of(graph: &Graph, node: &Node, value: u32, shape: &[u64]) -> Option<Vec<Self>> {
        let other = || {
            let other = node.inputs.iter().find(|input| **input != value)?;
            constants(graph, *other, shape)
        };
        let is_left = node.inputs.first() == Some(&value);
        let negated = |constants: Vec<f64>| constants.into_iter().map(|constant| -constant).collect();
        let bound = |bound: Option<f32>, infinite: f64| bound.map_or(infinite, f64::from);
        Some(vec![match node.op.as_ref()? {
            Op::Add(_) => Self::Add(other()?),
            Op::Sub(_) if is_left => Self::Add(negated(other()?)),
            Op::Sub(_) => return Some(vec![Self::Mul(vec![-1.0]), Self::Add(other()?)]),
            Op::Mul(_) => Self::Mul(other()?),
            Op::Div(_) if is_left => Self::Mul(other()?.into_iter().map(f64::recip).collect()),
            Op::Neg(_) => Self::Mul(vec![-1.0]),
            Op::Relu(_) => Self::Relu,
            Op::LeakyRelu(slope) => Self::LeakyRelu(slope.alpha.into()),
            Op::Sigmoid(_) => Self::Sigmoid,
            Op::Tanh(_) => Self::Tanh,
            Op::Clip(clip) => Self::Clip(bound(clip.min, f64::NEG_INFINITY), bound(clip.max, f64::INFINITY)),
            Op::Elu(slope) => Self::Elu(slope.alpha.into()),
            Op::Softplus(_) => Self::Softplus,
            Op::Reshape(_) => return Some(vec![]),
            _ => return None,
        }])
    }
}

/// A constant's number for each element of a tensor of this shape, or one for all; `None` where it broadcasts beyond the shape.
fn constants(graph: &Graph, number: u32, shape: &[u64]) -> Option<Vec<f64>> {
    let node = graph.nodes.get((number as usize).checked_sub(graph.inputs.len())?)?;
    let Some(Op::Constant(tensor)) = &node.op else { return None };
    let floats = || tensor.floats.iter().map(|value| f64::from(*value));
    let first = shape.len().checked_sub(tensor.shape.len());
    if tensor.floats.len() == 1 && (first.is_some() || shape.iter().product::<u64>() > 1) {
        return Some(floats().collect());
    }
    let extents = |shape: &[u64]| shape.iter().map(|extent| *extent as usize).collect::<Vec<_>>();
    let numbers = ArrayD::from_shape_vec(extents(&tensor.shape), floats().collect()).ok()?;
    first?;
    Some(numbers.broadcast(extents(shape))?.iter().copied().collect())
}

/// A product, and what happens to its result until the next one.
pub struct Layer {
    /// Of the product.
    pub weights: Weights,
    /// After the last product: additions of constants only.
    pub after: Vec<Step>,
}

impl Layer {
    /// [`Self::after`] on one number.
    #[must_use]
    pub fn activate(&self, channel: usize, sum: f64) -> f64 {
        self.after.iter().fold(sum, |x, step| step.apply(channel, x))
    }

    /// The product of rows of inputs with the weights.
    #[must_use]
    pub fn sums(&self, inputs: &Array2<f64>) -> Array2<f64> {
        let columns = self.weights.columns();
        let weights = Array2::from_shape_fn((self.weights.inputs(), columns), |(input, column)| {
            f64::from(self.weights.values[input * columns + column])
        });
        inputs.dot(&weights)
    }

    /// [`Self::activate`] on all sums.
    #[must_use]
    pub fn activations(&self, sums: &Array2<f64>) -> Array2<f64> {
        Array2::from_shape_fn(sums.dim(), |(row, column)| self.activate(column, sums[(row, column)]))
    }
}

/// What stands after each product, given the shapes of values, and the numbers of each product's input and result; `None` where
/// the products are no chain.
#[must_use]
pub fn steps_between(
    (graph, shapes): (&Graph, &BTreeMap<u32, Vec<u64>>),
    products: &[(u32, u32)],
) -> Option<Vec<Vec<Step>>> {
    let mut all = Vec::new();
    for (index, (_, result)) in products.iter().enumerate() {
        let next = products.get(index + 1).map(|(input, _)| *input);
        let (mut value, mut steps) = (*result, Vec::new());
        while next != Some(value) {
            let found = only_user(graph, value).and_then(|(node, number)| {
                Some((Step::of(graph, node, value, shapes.get(&value)?)?, number))
            });
            match (found, next) {
                (Some((found, number)), Some(_)) => {
                    steps.extend(found);
                    value = number;
                }
                // Additions after the last product are part of its outputs; whatever follows them is not looked at.
                (Some((found, number)), None) if matches!(found[..], [Step::Add(_)]) => {
                    steps.extend(found);
                    value = number;
                }
                (_, None) => break,
                (None, Some(_)) => return None,
            }
        }
        if next.is_some() {
            only_user(graph, value)?;
        }
        all.push(steps);
    }
    Some(all)
}

/// The node that alone reads a value, and the number of its result.
fn only_user(graph: &Graph, value: u32) -> Option<(&Node, u32)> {
    if graph.outputs.contains(&value) {
        return None;
    }
    let first = graph.inputs.len() as u32;
    let mut users = graph.nodes.iter().zip(first..).filter(|(node, _)| node.inputs.contains(&value));
    let user = users.next()?;
    users.next().is_none().then_some(user)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cml_runtime::reference::message::{Clip, Dims, Empty, Port, Slope, Tensor};

    fn node(op: Op, inputs: &[u32]) -> Node {
        Node { name: String::new(), inputs: inputs.to_vec(), op: Some(op) }
    }

    fn constant(floats: &[f32]) -> Node {
        let tensor = Tensor { shape: vec![floats.len() as u64], floats: floats.to_vec(), integers: vec![] };
        node(Op::Constant(tensor), &[])
    }

    /// Values: 0 input, 1 constant, 2 product, then the given nodes from 3 on.
    fn graph(nodes: Vec<Node>, outputs: Vec<u32>) -> Graph {
        let mut all = vec![constant(&[1.0, 2.0]), node(Op::MatMul(Empty {}), &[0, 1])];
        all.extend(nodes);
        Graph { inputs: vec![Port::default()], nodes: all, outputs, output_names: vec![] }
    }

    fn steps(graph: &Graph, products: &[(u32, u32)]) -> Option<Vec<Vec<Step>>> {
        let shapes = (0..graph.nodes.len() as u32 + 1).map(|number| (number, vec![1, 2])).collect();
        steps_between((graph, &shapes), products)
    }

    #[test]
    fn a_chain_is_the_functions_between_its_products() {
        let nodes = vec![
            node(Op::Sub(Empty {}), &[1, 2]),
            node(Op::Relu(Empty {}), &[3]),
            node(Op::MatMul(Empty {}), &[4, 1]),
            node(Op::Add(Empty {}), &[5, 1]),
            node(Op::Sigmoid(Empty {}), &[6]),
        ];
        let found = steps(&graph(nodes, vec![7]), &[(0, 2), (4, 5)]).unwrap();
        let subtract = [Step::Mul(vec![-1.0]), Step::Add(vec![1.0, 2.0]), Step::Relu];
        assert_eq!(found, [subtract.to_vec(), vec![Step::Add(vec![1.0, 2.0])]]);
    }

    #[test]
    fn images_are_rows_of_their_elements() {
        let image = |number: u32, extents: [u64; 4]| (number, extents.to_vec());
        let bias = Tensor { shape: vec![2, 1, 1], floats: vec![5.0, 7.0], integers: vec![] };
        let nodes = vec![
            node(Op::Reshape(Dims { dims: vec![1, 2, 1, 3] }), &[2]),
            node(Op::Constant(bias), &[]),
            node(Op::Add(Empty {}), &[3, 4]),
            node(Op::Reshape(Dims { dims: vec![1, 6] }), &[5]),
            node(Op::MatMul(Empty {}), &[6, 1]),
        ];
        let graph = graph(nodes, vec![7]);
        let shapes = [
            (2, vec![1, 6]),
            image(3, [1, 2, 1, 3]),
            image(5, [1, 2, 1, 3]),
            (6, vec![1, 6]),
            (7, vec![1, 2]),
        ];
        let found = steps_between((&graph, &shapes.into()), &[(0, 2), (6, 7)]).unwrap();
        assert_eq!(found, [vec![Step::Add(vec![5.0, 5.0, 5.0, 7.0, 7.0, 7.0])], vec![]]);
        // A constant that makes more elements of them is none for each.
        assert_eq!(constants(&graph, 4, &[6]), None);
    }

    #[test]
    fn what_branches_or_mixes_elements_is_no_chain() {
        let relu = || node(Op::Relu(Empty {}), &[2]);
        let product = |input| node(Op::MatMul(Empty {}), &[input, 1]);
        let twice = graph(vec![relu(), product(3), node(Op::Add(Empty {}), &[3, 4])], vec![5]);
        assert_eq!(steps(&twice, &[(0, 2), (3, 4)]), None);
        let itself = graph(vec![node(Op::Mul(Empty {}), &[2, 2]), product(3)], vec![4]);
        assert_eq!(steps(&itself, &[(0, 2), (3, 4)]), None);
        let seen = graph(vec![relu(), product(3)], vec![2, 4]);
        assert_eq!(steps(&seen, &[(0, 2), (3, 4)]), None);
    }

    #[test]
    fn steps_are_the_functions_that_the_interpreter_has() {
        use cml_runtime::reference::{Evaluator, Value};
        let ops = [
            Op::Relu(Empty {}),
            Op::LeakyRelu(Slope { alpha: 0.1 }),
            Op::Sigmoid(Empty {}),
            Op::Tanh(Empty {}),
            Op::Clip(Clip { min: Some(-0.5), max: Some(0.75) }),
            Op::Elu(Slope { alpha: 0.5 }),
            Op::Softplus(Empty {}),
            Op::Neg(Empty {}),
        ];
        let values = [-3.0f32, -0.7, 0.0, 0.4, 1.0, 5.0];
        for op in ops {
            let port = Port { name: "x".to_owned(), shape: vec![1, 6], element: 0 };
            let graph = Graph {
                inputs: vec![port],
                nodes: vec![node(op.clone(), &[0])],
                outputs: vec![1],
                output_names: vec!["y".to_owned()],
            };
            let steps = Step::of(&graph, &graph.nodes[0], 0, &[1, 6]).unwrap();
            let input = Value::floats(&[1, 6], values.to_vec()).unwrap();
            let output = Evaluator::new(&graph).unwrap().run(&[input]).unwrap().remove(0);
            for (x, y) in values.iter().zip(output.as_floats().unwrap()) {
                let found = steps.iter().fold(f64::from(*x), |x, step| step.apply(0, x));
                assert!((found - f64::from(*y)).abs() < 1e-5, "{op:?} {x}: {found} {y}");
            }
        }
    }
}
