//! A group of lookups whose tables are read as comparisons, all of one value out of one rotation.

use super::{Chosen, Lowering, place};
use crate::analysis::comparisons::slots;
use crate::analysis::linear_forms::Group;
use crate::analysis::measured::Measured;
use crate::framework::PassError;
use cml_dialects::ir::{Make, NewOp};
use cml_dialects::tfhe::{Key, MEASURED_RANGE, MEASURED_WIDTH, PREDICTED_MILLISECONDS, list};

impl Lowering<'_, '_, '_> {
    /// The comparisons of a group: a keyswitch and a `tfhe.compare`. Its results are the list that stands for the tables.
    pub(super) fn compare(&mut self, number: usize, group: &Group, chosen: &Chosen) -> Result<(), PassError> {
        let refuse = |message: String| PassError::Model { node: group.node.clone(), message };
        let [stage] = chosen.form.stages[..] else {
            return Err(refuse(format!("form `{}`: comparisons have one stage", chosen.form)));
        };
        let (needed, found) = (slots(&group.comparisons), chosen.spacing.slots());
        if needed > found {
            let form = &chosen.form;
            return Err(refuse(format!(
                "form `{form}`: its comparisons need {needed} slots, its spacing leaves {found}"
            )));
        }
        let place = place(self.context, &group.node);
        let make = Make(self.context);
        let value = self.linear(place, &group.forms, chosen.spacing)?;
        let switched = NewOp::new("tfhe.keyswitch", place)
            .operands(&[value])
            .result(list(place, group.forms.len(), Key::Small(stage.key), chosen.spacing)?)
            .append(self.context, self.block)?;
        let thresholds: Vec<&[i64]> =
            group.comparisons.iter().map(|element| element.thresholds.as_slice()).collect();
        let lows: Vec<i64> = group.comparisons.iter().map(|element| element.lo).collect();
        let highs: Vec<i64> = group.comparisons.iter().map(|element| element.hi).collect();
        let seen = Measured::of_all(&group.measured);
        let milliseconds = chosen.milliseconds.first().map(|[keyswitch, rotation]| keyswitch + rotation);
        let result = list(place, group.results(), Key::Big, self.spacings[self.lists.len()])?;
        let new = NewOp::new("tfhe.compare", place)
            .operands(&[switched])
            .attribute("lookup", make.i64(number as i64))
            .attribute("tables", make.i64(group.tables.len() as i64))
            .attribute("extension", make.i64(i64::from(stage.extension)))
            .attribute("thresholds", make.i64_arrays(&thresholds))
            .attribute("lows", make.i64_array(&lows))
            .attribute("highs", make.i64_array(&highs))
            .optional(MEASURED_WIDTH, seen.map(|seen| make.i64(i64::from(seen.width))))
            .optional(MEASURED_RANGE, seen.map(|seen| make.i64_array(&[seen.low, seen.high])))
            .optional(PREDICTED_MILLISECONDS, milliseconds.map(|milliseconds| make.f64(milliseconds)))
            .result(result);
        self.lists.push(new.append(self.context, self.block)?);
        Ok(())
    }
}
