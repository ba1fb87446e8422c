//! The search for the bits of each layer: what its choices decide on validation samples, and what they cost.

use super::configuration::{Configuration, products};
use super::options::{Effort, Granularity, NodeBits, Options, Steps};
use super::source::Level;
use super::stages::{Compiler, Settings};
use super::with_announced;
use crate::arguments::SearchArguments;
use crate::predict::{classes, labels};
use crate::progress;
use anyhow::{Result, anyhow, bail};
use cml_dialects::ir::{Function, key, module_op, node_name, operand};
use cml_dialects::nn::MAIN;
use cml_passes::analysis::samples::samples as read_samples;
use cml_passes::bits::{
    self, Evaluator, Goal, Kind, MARGIN, MARGIN_OF_ONE, Outcome, Point, Score, Space, Target, Trial, front,
};
use cml_passes::framework::semantics::Meaning;
use cml_passes::transforms::calibrate::is_chain;
use cml_passes::transforms::quantization::{Weights, values_after_products};
use cml_runtime::output::print;
use cml_runtime::reference::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// What is asked for; `None` where no search is.
pub(super) fn asked(arguments: &SearchArguments) -> Option<Goal> {
    match (arguments.accuracy_target, arguments.max_loss) {
        (Some(accuracy), _) => Some(Goal::Accuracy(accuracy.0)),
        (None, loss) => loss.map(|loss| Goal::Loss(loss.0)),
    }
}

/// The settings with the bits of the fastest configuration that keeps the target; prints what there was to choose from.
pub(super) fn search(
    model: &Path,
    settings: Settings,
    arguments: &SearchArguments,
    goal: Goal,
) -> Result<Settings> {
    let stages = progress::Stages::start();
    // One note for each candidate would be many.
    cml_passes::set_observer(|_| ());
    stages.announce("searching bits: reading the network");
    super::stages::machine(&settings)?;
    let (layers, validation) = read(model, &settings, arguments)?;
    // Where there is nothing to choose, there is one network, and no luck of the best.
    let margin = if layers.space.kinds.is_empty() { MARGIN_OF_ONE } else { MARGIN };
    let target = Target { goal, margin: arguments.margin.unwrap_or(margin) };
    let (count, others) = (validation.float.len(), validation.others.float.len());
    let fewest = target.fewest_samples(others);
    if fewest.is_none_or(|fewest| count < fewest) {
        let fewest = fewest.map_or("more".to_owned(), |fewest| fewest.to_string());
        let beside =
            if others == 0 { String::new() } else { format!(" beside {others} calibration samples") };
        bail!(
            "{count} validation samples{beside} are too few for {}: it takes {fewest}, or a smaller --margin",
            described_goal(target)
        );
    }
    if layers.space.kinds.is_empty() {
        return unsearched(model, settings, &validation, target);
    }
    if settings.calibration.is_empty() {
        bail!("a search for bits needs --calibration, to find the scales of each choice");
    }
    let evaluator = Candidates {
        model,
        settings: &settings,
        layers: &layers,
        validation: &validation,
        found: Mutex::default(),
    };
    let outcome = bits::search(&layers.space, &target, &evaluator, &|text| stages.announce(text))?;
    drop(stages);
    let Some(best) = &outcome.best else { return Err(nothing_keeps(&layers, &outcome, target)) };
    print(&table(&layers, &outcome, best, target))?;
    let options = evaluator.options(&best.point);
    Ok(Settings { configuration: Configuration { options, ..settings.configuration.clone() }, ..settings })
}

/// What a network has to choose.
struct Layers {
    /// Its products, in order: the node, and where the bits of its inputs and of its weights are in a point. The weights of a mean
    /// have none.
    products: Vec<(String, usize, Option<usize>)>,
    /// Ways to look for scales.
    variants: Vec<(Effort, Steps)>,
    space: Space,
}

/// What decisions are held against.
struct Validation {
    samples: Vec<Vec<Value>>,
    float: Vec<i64>,
    labels: Option<Vec<i64>>,
    /// Calibration samples tell how often decisions differ, without labels.
    others: Others,
}

#[derive(Default)]
struct Others {
    samples: Vec<Vec<Value>>,
    float: Vec<i64>,
}

fn read(model: &Path, settings: &Settings, arguments: &SearchArguments) -> Result<(Layers, Validation)> {
    // The network as it was trained is what the loss is against.
    let mut trained = settings.clone();
    trained.configuration.options.prune = None;
    with_announced(model, trained, &|_| (), |mut compiler| {
        if compiler.level() != Level::Nn {
            bail!(
                "a search for bits needs the network in floats: give the ONNX file, or a module at level nn"
            );
        }
        compiler.lower_to(Level::Nn)?;
        let meaning = Meaning::of(module_op(compiler.module()))?;
        let spec = arguments.validation.join(";");
        let samples = read_samples("validation data", meaning.inputs(), &spec)?;
        let float = decided(&meaning, &samples)?;
        let labels = arguments.labels.as_ref().map(|source| labels(source, None)).transpose()?;
        if let Some(labels) = &labels
            && labels.len() != samples.len()
        {
            bail!("there are {} labels for {} validation samples", labels.len(), samples.len());
        }
        let mut others = Others::default();
        if !settings.calibration.is_empty() {
            let spec = settings.calibration.join(";");
            others.samples = read_samples("calibration data", meaning.inputs(), &spec)?;
            others.float = decided(&meaning, &others.samples)?;
        }
        let is_chain = is_chain(Function::named(module_op(compiler.module()), MAIN)?)?;
        Ok((
            layers(&compiler, variants(&settings.configuration.options, is_chain))?,
            Validation { samples, float, labels, others },
        ))
    })
}

/// What is given is not searched, nor what finds the same: layers with one quantizer per tensor have one way, and steps follow
/// in chains.
fn variants(given: &Options, is_chain: bool) -> Vec<(Effort, Steps)> {
    let per_channel = given.granularity != Some(Granularity::Tensor);
    let efforts = if per_channel { vec![Effort::Normal, Effort::Thorough] } else { vec![Effort::Normal] };
    let efforts = given.effort.map_or(efforts, |effort| vec![effort]);
    let either = if is_chain && per_channel && efforts != [Effort::Fast] {
        vec![Steps::Free, Steps::PowerOfTwo]
    } else {
        vec![Steps::Free]
    };
    let steps = given.steps.filter(|steps| *steps != Steps::Cheapest).map_or(either, |steps| vec![steps]);
    steps.iter().flat_map(|steps| efforts.iter().map(|effort| (*effort, *steps))).collect()
}

fn layers(compiler: &Compiler<'_>, variants: Vec<(Effort, Steps)>) -> Result<Layers> {
    let hidden = values_after_products(Function::named(module_op(compiler.module()), MAIN)?)?;
    let mut kinds = Vec::new();
    let mut place_of_value = BTreeMap::new();
    let mut found: Vec<(String, usize, Option<usize>)> = Vec::new();
    for product in products(compiler.module())? {
        let (name, value) = (node_name(product), key(operand(product, 0)?));
        // Configurations name nodes: those of one name have the same bits.
        let same =
            found.iter().find(|(other, ..)| *other == name).map(|(_, inputs, weights)| (*inputs, *weights));
        let inputs = same.map(|(inputs, _)| inputs).or_else(|| place_of_value.get(&value).copied());
        let inputs = inputs.unwrap_or_else(|| {
            kinds.push(if hidden.contains(&value) { Kind::Activations } else { Kind::Inputs });
            kinds.len() - 1
        });
        place_of_value.insert(value, inputs);
        let is_mean = Weights::of(product).is_ok_and(|weights| weights.is_mean());
        let weights = same.and_then(|(_, weights)| weights).or_else(|| {
            (!is_mean).then(|| {
                kinds.push(Kind::Weights);
                kinds.len() - 1
            })
        });
        found.push((name, inputs, weights));
    }
    let space = Space { kinds, variants: variants.len() };
    Ok(Layers { products: found, variants, space })
}

/// The class of each sample.
fn decided(meaning: &Meaning, samples: &[Vec<Value>]) -> Result<Vec<i64>> {
    let mut found = Vec::new();
    for outputs in meaning.run(samples)? {
        let first = outputs.first().ok_or_else(|| anyhow!("the network has no output"))?;
        found.extend(classes(first)?);
    }
    if found.len() != samples.len() {
        bail!(
            "the network decides {} times for {} samples, expected once for each",
            found.len(),
            samples.len()
        );
    }
    Ok(found)
}

/// Choices, and the configurations with the quantizers that were found for those that have a score.
struct Candidates<'a> {
    model: &'a Path,
    settings: &'a Settings,
    layers: &'a Layers,
    validation: &'a Validation,
    found: Mutex<BTreeMap<Point, Configuration>>,
}

impl Candidates<'_> {
    fn options(&self, point: &Point) -> Options {
        let of = |(node, inputs, weights): &(String, usize, Option<usize>)| {
            let bits = |at: usize| point.bits[at];
            (node.clone(), NodeBits { inputs: Some(bits(*inputs)), weights: weights.map(bits), steps: None })
        };
        let (effort, steps) = self.layers.variants[point.variant];
        Options {
            bits: None,
            node_bits: self.layers.products.iter().map(of).collect(),
            effort: Some(effort),
            steps: (steps != Steps::Free).then_some(steps),
            ..self.settings.configuration.options.clone()
        }
    }
}

impl Evaluator for Candidates<'_> {
    type Error = anyhow::Error;

    fn score(&self, point: &Point) -> Result<Score> {
        let configuration = Configuration { options: self.options(point), ..Configuration::default() };
        let settings = Settings { configuration, rough: true, ..self.settings.clone() };
        let (score, configuration) = with_announced(self.model, settings, &|_| (), |mut compiler| {
            let score = self.validation.score(&mut compiler)?;
            Ok((score, compiler.configuration().clone()))
        })?;
        self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(point.clone(), configuration);
        Ok(score)
    }

    fn seconds(&self, point: &Point) -> Result<Option<f64>> {
        let configuration = self.found.lock().unwrap_or_else(PoisonError::into_inner).get(point).cloned();
        let configuration = configuration.unwrap_or_default();
        let settings =
            Settings { configuration, calibration: Vec::new(), rough: true, ..self.settings.clone() };
        with_announced(self.model, settings, &|_| (), |compiler| compiler.predicted_seconds())
    }
}

impl Validation {
    /// What the integers of a network decide.
    fn score(&self, compiler: &mut Compiler<'_>) -> Result<Score> {
        compiler.lower_to(Level::Qnn)?;
        let meaning = Meaning::of(module_op(compiler.module()))?;
        let found = decided(&meaning, &self.samples)?;
        let score = Score::of(&found, &self.float, self.labels.as_deref());
        if self.others.samples.is_empty() {
            return Ok(score);
        }
        Ok(score.compared_with(&decided(&meaning, &self.others.samples)?, &self.others.float))
    }
}

/// A network that brings all of its quantizers has nothing to choose: it keeps the target or does not.
fn unsearched(model: &Path, settings: Settings, validation: &Validation, target: Target) -> Result<Settings> {
    let score =
        with_announced(model, settings.clone(), &|_| (), |mut compiler| validation.score(&mut compiler))?;
    let seconds = with_announced(model, settings.clone(), &|_| (), |compiler| compiler.predicted_seconds())?;
    let found = described(&Trial { point: Point { bits: Vec::new(), variant: 0 }, score, seconds });
    if !target.keeps(&score) {
        bail!(
            "the network brings its own quantizers, there is nothing to search, and it misses {}: {found}",
            described_goal(target)
        );
    }
    print(&format!(
        "the network brings its own quantizers, there is nothing to search; it keeps {}: {found}\n",
        described_goal(target)
    ))?;
    Ok(settings)
}

fn described_goal(target: Target) -> String {
    let goal = match target.goal {
        Goal::Accuracy(least) => format!("an accuracy of at least {:.1} %", 100.0 * least),
        Goal::Loss(most) => format!("a loss of at most {:.1} %", 100.0 * most),
    };
    format!("{goal}, {} standard errors away", target.margin)
}

fn described(trial: &Trial) -> String {
    let Trial { score, seconds, .. } = trial;
    let seconds =
        seconds.map_or("no parameters serve it".to_owned(), |seconds| format!("predicted {seconds:.2} s"));
    format!(
        "accuracy {:.1} %, loss {:.1} +- {:.1} %, {seconds}",
        100.0 * score.accuracy(),
        100.0 * score.loss(),
        100.0 * score.standard_error()
    )
}

impl Layers {
    /// Bits of inputs and weights of each product.
    fn bits(&self, point: &Point) -> String {
        let of = |(_, inputs, weights): &(String, usize, Option<usize>)| {
            let weights = weights.map_or("-".to_owned(), |weights| point.bits[weights].to_string());
            format!("{}/{weights}", point.bits[*inputs])
        };
        let (effort, steps) = self.variants[point.variant];
        let steps = (steps != Steps::Free).then(|| steps.name().to_owned());
        self.products
            .iter()
            .map(of)
            .chain([effort.name().to_owned()])
            .chain(steps)
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn names(&self) -> String {
        self.products.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

fn nothing_keeps(layers: &Layers, outcome: &Outcome, target: Target) -> anyhow::Error {
    let kept = outcome.trials.iter().filter(|trial| target.keeps(&trial.score)).count();
    let best = outcome.nearest(&target).map_or(String::new(), |trial| {
        let (bits, names) = (layers.bits(&trial.point), layers.names());
        format!("; the best one: {}, with bits {bits} for inputs/weights of {names}", described(trial))
    });
    let help = if kept == 0 {
        "allow more loss, a smaller --margin, or give more samples for calibration and validation"
    } else {
        "those that do have sums too wide for any parameters: allow more loss, or a larger failure probability"
    };
    anyhow!(
        "of {} configurations that were tried none keeps {} with parameters that serve it{best}. {help}",
        outcome.trials.len(),
        described_goal(target)
    )
}

/// The configurations that no other beats, and which one is taken.
fn table(layers: &Layers, outcome: &Outcome, best: &Trial, target: Target) -> String {
    let kept = outcome.trials.iter().filter(|trial| target.keeps(&trial.score)).count();
    let mut text = format!(
        "{} configurations tried, {kept} keep {}\n  seconds  accuracy             loss  bits of inputs/weights: {}\n",
        outcome.trials.len(),
        described_goal(target),
        layers.names()
    );
    for trial in front(&outcome.trials, &target) {
        let score = &trial.score;
        text += &format!(
            "{:>9.3} {:>7.1} % {:>6.1} +- {:>4.1} %  {}{}\n",
            trial.seconds.unwrap_or(f64::NAN),
            100.0 * score.accuracy(),
            100.0 * score.loss(),
            100.0 * score.standard_error(),
            layers.bits(&trial.point),
            if trial.point == best.point { "  <- taken" } else { "" }
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_the_same_is_looked_at_once() {
        let given = Options::default();
        assert_eq!(variants(&given, true).len(), 4);
        let cheapest = Options { steps: Some(Steps::Cheapest), ..Options::default() };
        assert_eq!(variants(&cheapest, true), variants(&given, true));
        let either = [(Effort::Normal, Steps::Free), (Effort::Thorough, Steps::Free)];
        assert_eq!(variants(&given, false), either);
        let tensor = Options { granularity: Some(Granularity::Tensor), ..Options::default() };
        assert_eq!(variants(&tensor, true), [(Effort::Normal, Steps::Free)]);
        let fast = Options { effort: Some(Effort::Fast), ..Options::default() };
        assert_eq!(variants(&fast, true), [(Effort::Fast, Steps::Free)]);
        let integer = Options { steps: Some(Steps::Integer), ..Options::default() };
        assert_eq!(
            variants(&integer, true),
            [(Effort::Normal, Steps::Integer), (Effort::Thorough, Steps::Integer)]
        );
    }
}
