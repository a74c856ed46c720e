//! Correlations, compiled: what is counted or put in order, by which fields, within how long a time.
//!
//! Sigma's `event_count`, `value_count`, `temporal` and `temporal_ordered`, of rules and of other correlations
//! (specification, "Sigma correlation rules"); and `first_seen` and `alert_by`, extensions under the custom key
//! `kauditui` that other tools ignore. [`super::windows`] finds where their conditions hold, [`super::correlator`] keeps what they need.

use std::collections::BTreeMap;
use std::fmt;

use rsigma_parser::{
    ConditionExpr, ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType, Quantifier,
    WindowMode,
};
use serde_json::Value;

use super::compile::{Expr, Refusal};
use super::field::Source;
use super::rule::RuleIndex;
use crate::model::{Micros, SECOND, format_duration, parse_length};

/// A correlation of more rules than this is a mistake: each hit of a rule is looked at once for each time it is named.
const MOST_INPUTS: usize = 256;

/// How long something is remembered for `first_seen` when the rule does not say.
const USUAL_HISTORY: Micros = 7 * 24 * 3600 * SECOND;

/// How far apart two logs may tell of the same when the rule does not say.
const USUAL_DISTANCE: Micros = 60 * SECOND;

/// A correlation of rules.
#[derive(Clone, Debug)]
pub(super) struct Correlation {
    /// The correlation itself.
    pub(super) rule: RuleIndex,
    /// What it correlates, rules or other correlations, in the order in which it names them.
    pub(super) inputs: Vec<RuleIndex>,
    /// The fields of `group-by`: events that agree in them belong together.
    pub(super) group_by: Vec<GroupField>,
    /// `timespan`
    pub(super) span: Micros,
    pub(super) condition: Condition,
    /// Whether what it correlates stays an alert of its own.
    pub(super) generates: bool,
}

/// A field to group by, which may be called differently in each input.
#[derive(Clone, Debug)]
pub(super) struct GroupField {
    pub(super) name: String,
    /// By input.
    pub(super) sources: Vec<Source>,
}

/// What must hold within the time.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    /// Of how many events there are.
    EventCount(Limits),
    /// Of how many distinct values fields have.
    ValueCount { fields: Vec<GroupField>, limits: Limits },
    /// Of which inputs there are any events, as an expression over them.
    Together(Expr<usize>),
    /// There are events of all inputs, in their order.
    InOrder,
    /// Nothing alike happened within the time before.
    FirstSeen,
    /// Every event of the first input, but those near which, before or after, another input has one.
    Each,
}

/// Comparisons that a count must meet, all of them.
#[derive(Clone, Debug)]
pub(super) struct Limits(Vec<(ConditionOperator, u64)>);

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (operator, limit)) in self.0.iter().enumerate() {
            let word = match operator {
                ConditionOperator::Lt => "less than",
                ConditionOperator::Lte => "at most",
                ConditionOperator::Gt => "more than",
                ConditionOperator::Gte => "at least",
                ConditionOperator::Eq => "exactly",
                ConditionOperator::Neq => "other than",
            };
            write!(f, "{}{word} {limit}", if at > 0 { " and " } else { "" })?;
        }
        Ok(())
    }
}

impl Limits {
    pub(super) fn hold(&self, count: u64) -> bool {
        self.0.iter().all(|(operator, limit)| match operator {
            ConditionOperator::Lt => count < *limit,
            ConditionOperator::Lte => count <= *limit,
            ConditionOperator::Gt => count > *limit,
            ConditionOperator::Gte => count >= *limit,
            ConditionOperator::Eq => count == *limit,
            ConditionOperator::Neq => count != *limit,
        })
    }
}

/// Why a correlation cannot be used.
#[derive(Debug)]
pub(super) enum Refused {
    /// It names a rule that is not there, or not yet.
    Missing(String),
    Invalid(Refusal),
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        Refused::Invalid(refusal)
    }
}

impl Correlation {
    /// The inputs of which it reads more than columns hold.
    pub(super) fn inputs_by_text(&self) -> impl Iterator<Item = RuleIndex> + '_ {
        let counted = match &self.condition {
            Condition::ValueCount { fields, .. } => fields.as_slice(),
            _ => &[],
        };
        self.inputs.iter().enumerate().filter_map(move |(input, rule)| {
            let mut fields = self.group_by.iter().chain(counted);
            let is_by_text = |field: &GroupField| field.sources.get(input).is_some_and(Source::is_in_text);
            fields.any(is_by_text).then_some(*rule)
        })
    }

    /// Compiles a correlation. `called` finds rules by id or name; [`Self::rule`] is for the caller to set.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn compile(
        rule: &CorrelationRule,
        called: &dyn Fn(&str) -> Option<RuleIndex>,
    ) -> Result<Correlation, Refused> {
        if rule.window != WindowMode::Sliding {
            return Err(Refusal::new("window", "only sliding windows are supported").into());
        }
        if rule.rules.is_empty() {
            return Err(Refusal::new("rules", "it correlates no rules").into());
        }
        if rule.rules.len() > MOST_INPUTS {
            let reason = format!("it correlates more than {MOST_INPUTS} rules");
            return Err(Refusal::new("rules", reason).into());
        }
        let find = |name: &String| called(name).ok_or_else(|| Refused::Missing(name.clone()));
        let inputs: Vec<RuleIndex> = rule.rules.iter().map(find).collect::<Result<_, _>>()?;
        let named = |name: &String| GroupField {
            name: name.clone(),
            sources: rule.rules.iter().map(|input| Source::of(field_in(rule, name, input, called))).collect(),
        };
        let span = i64::try_from(rule.timespan.seconds).ok().and_then(|seconds| seconds.checked_mul(SECOND));
        Ok(Correlation {
            rule: RuleIndex(0),
            inputs,
            group_by: rule.group_by.iter().map(named).collect(),
            span: span.ok_or_else(|| Refusal::new("timespan", "the timespan is too long"))?,
            condition: condition(rule, &named)?,
            generates: rule.generate,
        })
    }

    /// The correlation behind `kauditui: {first_seen: {fields: [..], history: 7d}}` of a rule, if it has one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn first_seen(
        rule: RuleIndex,
        custom: &BTreeMap<String, Value>,
    ) -> Result<Option<Correlation>, String> {
        let Some(first_seen) = custom.get("kauditui").and_then(|own| own.get("first_seen")) else {
            return Ok(None);
        };
        let fields =
            first_seen.get("fields").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let names: Option<Vec<&str>> = fields.iter().map(Value::as_str).collect();
        let names = names.filter(|names| !names.is_empty()).ok_or("first_seen needs a list of fields")?;
        let span = match first_seen.get("history") {
            None => USUAL_HISTORY,
            Some(written) => written
                .as_str()
                .and_then(parse_length)
                .ok_or("first_seen: history takes a length of time such as 7d")?,
        };
        let named = |name: &&str| GroupField { name: (*name).to_owned(), sources: vec![Source::of(name)] };
        Ok(Some(Correlation {
            rule,
            inputs: vec![rule],
            group_by: names.iter().map(named).collect(),
            span,
            condition: Condition::FirstSeen,
            generates: false,
        }))
    }

    /// The correlation behind `kauditui: {alert_by: {fields: [..], unless: [..], aliases: {..}, within: 1m}}` of a rule, if
    /// it has one: one alert for each value of the fields, made of the events of which no rule of `unless` tells. Of
    /// those, the ones that are not loaded are passed over; `aliases` says what a field is called in their events.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn alert_by(
        rule: RuleIndex,
        custom: &BTreeMap<String, Value>,
        called: &dyn Fn(&str) -> Option<RuleIndex>,
    ) -> Result<Option<Correlation>, String> {
        let Some(alert_by) = custom.get("kauditui").and_then(|own| own.get("alert_by")) else {
            return Ok(None);
        };
        let list = |key: &str| -> Option<Vec<&str>> {
            alert_by
                .get(key)
                .map_or(Some(Vec::new()), |list| list.as_array()?.iter().map(Value::as_str).collect())
        };
        let fields = list("fields").filter(|fields| !fields.is_empty());
        let fields = fields.ok_or("alert_by needs a list of fields")?;
        let unless = list("unless").ok_or("alert_by: unless takes a list of rules")?;
        let span = match alert_by.get("within") {
            None => USUAL_DISTANCE,
            Some(written) => written
                .as_str()
                .and_then(parse_length)
                .ok_or("alert_by: within takes a length of time such as 1m")?,
        };
        let others = unless.into_iter().filter_map(called).filter(|other| *other != rule);
        let inputs: Vec<RuleIndex> = [rule].into_iter().chain(others).take(MOST_INPUTS).collect();
        let named = |name: &&str| {
            let there =
                alert_by.get("aliases").and_then(|aliases| aliases.get(*name)).and_then(Value::as_str);
            let mut sources = vec![Source::of(there.unwrap_or(name)); inputs.len()];
            sources[0] = Source::of(name);
            GroupField { name: (*name).to_owned(), sources }
        };
        let group_by = fields.iter().map(named).collect();
        Ok(Some(Correlation { rule, inputs, group_by, span, condition: Condition::Each, generates: false }))
    }

    /// What must hold, in words: `at least 10 events within 5m for each user.username`.
    pub(super) fn words(&self) -> String {
        let what = match &self.condition {
            Condition::EventCount(limits) => format!("{limits} events"),
            Condition::ValueCount { fields, limits } => {
                let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
                format!("{limits} different {}", names.join(", "))
            }
            Condition::Together(_) => "all of its parts".to_owned(),
            Condition::InOrder => "all of its parts, one after the other".to_owned(),
            Condition::FirstSeen => {
                let names: Vec<&str> = self.group_by.iter().map(|field| field.name.as_str()).collect();
                return format!(
                    "not seen within {} before: {}",
                    format_duration(self.span),
                    names.join(", ")
                );
            }
            Condition::Each => {
                let names: Vec<&str> = self.group_by.iter().map(|field| field.name.as_str()).collect();
                let one = format!("one alert for each {}", names.join(", "));
                return match self.inputs.len() {
                    1 => one,
                    _ => format!(
                        "{one}, unless another rule tells of it within {}",
                        format_duration(self.span)
                    ),
                };
            }
        };
        let names: Vec<&str> = self.group_by.iter().map(|field| field.name.as_str()).collect();
        let each = if names.is_empty() { String::new() } else { format!(" for each {}", names.join(", ")) };
        format!("{what} within {}{each}", format_duration(self.span))
    }

    /// The rules that what it finds is made of, without those that only keep it from finding something.
    pub(super) fn made_of(&self) -> &[RuleIndex] {
        match self.condition {
            Condition::Each => self.inputs.get(..1).unwrap_or_default(),
            _ => &self.inputs,
        }
    }

    /// Whether what it finds is made of `rule`.
    pub(super) fn feeds_on(&self, rule: RuleIndex) -> bool {
        self.made_of().contains(&rule)
    }
}

/// Tells a temporal correlation whose `text` says `gte: 1`, any of its rules, from one that says nothing, all of them:
/// the parser gives both the same condition.
pub(super) fn spell_out(rule: &mut CorrelationRule, text: &str) {
    let CorrelationCondition::Threshold { predicates, .. } = &rule.condition else { return };
    let is_usual = matches!(predicates.as_slice(), [(ConditionOperator::Gte, 1)]);
    if rule.correlation_type == CorrelationType::Temporal && is_usual && says_at_least_one(text) {
        let any = rule.rules.iter().cloned().map(ConditionExpr::Identifier).collect();
        rule.condition = CorrelationCondition::Extended(ConditionExpr::Or(any));
    }
}

fn says_at_least_one(text: &str) -> bool {
    let condition = text.rsplit_once("condition").map_or("", |(_, behind)| behind);
    condition.split("gte").skip(1).any(|rest| {
        let value = rest.trim_start_matches(['"', '\'']).trim_start().strip_prefix(':').map(str::trim_start);
        let number = value.and_then(|value| value.split(|c: char| !c.is_ascii_digit()).next());
        number == Some("1")
    })
}

/// What the field `name` is called in the events of `input` (`aliases`). Both may name the rule by id or by name.
fn field_in<'r>(
    rule: &'r CorrelationRule,
    name: &'r str,
    input: &str,
    called: &dyn Fn(&str) -> Option<RuleIndex>,
) -> &'r str {
    let alias = rule.aliases.iter().find(|alias| alias.alias == name);
    let of_input = alias.and_then(|alias| {
        let meant = called(input);
        let by_other_name = || alias.mapping.iter().find(|(rule, _)| called(rule) == meant);
        alias.mapping.get(input).or_else(|| by_other_name().map(|(_, field)| field))
    });
    of_input.map_or(name, String::as_str)
}

fn condition(rule: &CorrelationRule, named: &dyn Fn(&String) -> GroupField) -> Result<Condition, Refusal> {
    let limits = || match &rule.condition {
        CorrelationCondition::Threshold { predicates, .. } => Ok(Limits(predicates.clone())),
        CorrelationCondition::Extended(_) => {
            Err(Refusal::new("condition:", "a count is compared with a number"))
        }
    };
    match rule.correlation_type {
        CorrelationType::EventCount => Ok(Condition::EventCount(limits()?)),
        CorrelationType::ValueCount => {
            let fields = match &rule.condition {
                CorrelationCondition::Threshold { field: Some(fields), .. } => {
                    fields.iter().map(named).collect()
                }
                _ => {
                    return Err(Refusal::new(
                        "condition",
                        "value_count needs the field whose values it counts",
                    ));
                }
            };
            Ok(Condition::ValueCount { fields, limits: limits()? })
        }
        CorrelationType::Temporal => Ok(Condition::Together(match &rule.condition {
            CorrelationCondition::Extended(written) => over_inputs(written, &rule.rules)?,
            CorrelationCondition::Threshold { predicates, .. } => {
                let inputs: Vec<Expr<usize>> = (0..rule.rules.len()).map(Expr::Test).collect();
                match predicates.as_slice() {
                    // The parser's way of writing that there is no condition: all of them.
                    [(ConditionOperator::Gte, 0 | 1)] => Expr::All(inputs),
                    [(ConditionOperator::Gte, least)] => {
                        Expr::Some(usize::try_from(*least).unwrap_or(usize::MAX), inputs)
                    }
                    _ => return Err(Refusal::new("condition:", "temporal takes gte, or names of rules")),
                }
            }
        })),
        CorrelationType::TemporalOrdered => match &rule.condition {
            CorrelationCondition::Extended(_) => {
                Err(Refusal::new("condition:", "temporal_ordered takes all its rules, in their order"))
            }
            CorrelationCondition::Threshold { .. } => Ok(Condition::InOrder),
        },
        CorrelationType::ValueSum
        | CorrelationType::ValueAvg
        | CorrelationType::ValuePercentile
        | CorrelationType::ValueMedian => {
            let reason = format!("type {} is not supported", rule.correlation_type.as_str());
            Err(Refusal::new("type:", reason))
        }
    }
}

fn over_inputs(written: &ConditionExpr, inputs: &[String]) -> Result<Expr<usize>, Refusal> {
    let each = |parts: &[ConditionExpr]| -> Result<Vec<Expr<usize>>, Refusal> {
        parts.iter().map(|part| over_inputs(part, inputs)).collect()
    };
    Ok(match written {
        ConditionExpr::And(parts) => Expr::All(each(parts)?),
        ConditionExpr::Or(parts) => Expr::Any(each(parts)?),
        ConditionExpr::Not(part) => Expr::Not(Box::new(over_inputs(part, inputs)?)),
        ConditionExpr::Identifier(name) => {
            let at = inputs.iter().position(|input| input == name);
            let reason =
                || Refusal::new("condition:", format!("the condition names {name}, which is not in rules"));
            Expr::Test(at.ok_or_else(reason)?)
        }
        ConditionExpr::Selector { quantifier, pattern } => {
            let chosen = (0..inputs.len()).filter(|at| pattern.matches_detection_name(&inputs[*at]));
            let chosen: Vec<Expr<usize>> = chosen.map(Expr::Test).collect();
            if chosen.is_empty() {
                let reason = "the condition names what no rule in rules is";
                return Err(Refusal::new("condition:", reason));
            }
            match quantifier {
                Quantifier::Any => Expr::Any(chosen),
                Quantifier::All => Expr::All(chosen),
                Quantifier::Count(least) => Expr::Some(usize::try_from(*least).unwrap_or(usize::MAX), chosen),
            }
        }
    })
}
