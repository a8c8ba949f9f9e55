//! Finds what is wrong with a flow as far as its module shows it.
//!
//! `wrun check` finds the rest: artifacts that nobody writes, splits without a join, and so on.

use syn::LitStr;

use crate::flow::Flow;
use crate::names::{self, Kind};
use crate::options::Next;
use crate::problems::Problems;
use crate::step::{Role, Step};

/// Adds everything that is wrong to `problems`.
pub(crate) fn check(flow: &Flow, problems: &mut Problems) {
    for (position, step) in flow.steps.iter().enumerate() {
        if flow.steps[..position]
            .iter()
            .any(|earlier| earlier.name == step.name)
        {
            problems.add(
                step.ident.span(),
                format!("there are two steps `{}`; rename one", step.name),
            );
        }
        check_foreach(step, problems);
        check_switch(step, problems);
        check_result(step, problems);
        check_targets(flow, step, problems);
        check_join(step, problems);
        check_item(flow, step, problems);
        check_catch(step, problems);
        check_artifact_names(step, problems);
    }
    check_parameters(flow, problems);
    check_loops(flow, problems);
}

/// The steps that may follow, with where each is named.
fn targets(step: &Step) -> Vec<&LitStr> {
    let mut all: Vec<&LitStr> = match &step.options.next {
        None => Vec::new(),
        Some(Next::One(next)) => vec![next],
        Some(Next::Split(_, all)) => all.iter().collect(),
    };
    if let Some((_, cases)) = &step.options.cases {
        all.extend(cases.iter().map(|case| &case.next));
    }
    all
}

fn check_foreach(step: &Step, problems: &mut Problems) {
    let options = &step.options;
    if let Some(foreach) = &options.foreach {
        match &options.next {
            None => problems.add(
                foreach.span(),
                format!(
                    "who takes the elements of `{0}`? write `foreach = \"{0}\", next = \"step\"`",
                    foreach.value()
                ),
            ),
            Some(Next::Split(span, _)) => problems.add(
                *span,
                "a foreach is followed by one step; let that step split",
            ),
            Some(Next::One(_)) => {}
        }
    }
}

fn check_switch(step: &Step, problems: &mut Problems) {
    let options = &step.options;
    match (&options.switch, &options.cases) {
        (Some(switch), None) => problems.add(
            switch.span(),
            "a switch needs its cases; write `cases(small = \"step\", large = \"other_step\")`",
        ),
        (None, Some((span, _))) => problems.add(
            *span,
            "which artifact decides? write `switch = \"route\"` before `cases`",
        ),
        _ => {}
    }
    if let Some(switch) = &options.switch {
        if options.next.is_some() {
            problems.add(
                switch.span(),
                "a switch goes on by its cases; remove `next`",
            );
        }
        if options.foreach.is_some() {
            problems.add(
                switch.span(),
                "a step ends with a foreach or a switch, not both; let the next step do the other",
            );
        }
    } else if let Some(turns) = &options.max_turns {
        problems.add(
            turns.span(),
            "only a switch closes a loop; remove `max_turns`, or add `switch` and `cases`",
        );
    }
}

/// What decides is a field of the result.
fn check_result(step: &Step, problems: &mut Problems) {
    let options = &step.options;
    if let Some(decides) = options.foreach.as_ref().or(options.switch.as_ref())
        && step.output.is_none()
    {
        problems.add(
            step.ident.span(),
            format!("step `{}` returns nothing, so there is no `{}`; return a struct with `#[derive(Artifacts)]` that has this field", step.name, decides.value()),
        );
    }
}

fn has_step(flow: &Flow, name: &str) -> bool {
    flow.steps.iter().any(|step| step.name == name)
}

fn check_targets(flow: &Flow, step: &Step, problems: &mut Problems) {
    let known = || flow.steps.iter().map(|step| step.name.as_str());
    for target in targets(step) {
        let name = target.value();
        if !has_step(flow, &name) {
            let hint = names::did_you_mean(&name, known());
            problems.add(target.span(), format!("there is no step `{name}`{hint}"));
        }
    }
    if let Some(Next::Split(_, all)) = &step.options.next {
        for (position, target) in all.iter().enumerate() {
            if all[..position]
                .iter()
                .any(|earlier| earlier.value() == target.value())
            {
                problems.add(
                    target.span(),
                    format!(
                        "the split goes to `{}` twice; use a foreach to run a step more than once",
                        target.value()
                    ),
                );
            }
        }
    }
}

fn check_join(step: &Step, problems: &mut Problems) {
    let mut inputs = step
        .arguments
        .iter()
        .filter(|a| matches!(a.role, Role::Inputs(_)));
    let first = inputs.next();
    if let Some(second) = inputs.next() {
        problems.add(
            second.span,
            "a join reads its branches once; put the fields of both into one struct",
        );
    }
    match (first, step.options.join) {
        (Some(first), None) => problems.add(
            first.span,
            "only a join has `Inputs`; write `#[step(join, …)]`, or read the artifacts by their names",
        ),
        (None, None) => {
            if let Some((span, _)) = &step.options.merge {
                problems.add(*span, "only a join merges; write `#[step(join, merge = …)]`");
            }
        }
        (_, Some(_)) => {}
    }
}

fn check_item(flow: &Flow, step: &Step, problems: &mut Problems) {
    let mut items = step
        .arguments
        .iter()
        .filter(|a| matches!(a.role, Role::Item));
    let Some(first) = items.next() else { return };
    if let Some(second) = items.next() {
        problems.add(
            second.span,
            "a task has one foreach element; remove one `#[item]`",
        );
    }
    // A foreach that leads to no step at all has been refused, and may have meant this one.
    let follows_foreach = flow.steps.iter().any(|before| {
        before.options.foreach.is_some()
            && (before.options.next.is_none()
                || targets(before)
                    .iter()
                    .any(|target| target.value() == step.name || !has_step(flow, &target.value())))
    });
    if !follows_foreach {
        problems.add(
            first.span,
            format!("no foreach leads to step `{0}`, so it has no element; write `foreach = \"items\", next = \"{0}\"` on the step before it, or remove `#[item]`", step.name),
        );
    }
}

fn check_catch(step: &Step, problems: &mut Problems) {
    let options = &step.options;
    let Some(catch) = &options.catch else { return };
    if options.foreach.is_some() || options.switch.is_some() {
        problems.add(
            catch.span(),
            "a step that fails decides nothing, so a foreach or a switch cannot catch; move the work that may fail to a step before it",
        );
    }
}

fn check_artifact_names(step: &Step, problems: &mut Problems) {
    let options = &step.options;
    let merged = options.merge.iter().flat_map(|(_, all)| all);
    for name in options
        .foreach
        .iter()
        .chain(&options.switch)
        .chain(&options.catch)
        .chain(merged)
    {
        if let Some(why) = names::refuse(Kind::Artifact, &name.value()) {
            problems.add(name.span(), why);
        }
    }
    for case in options.cases.iter().flat_map(|(_, cases)| cases) {
        if let Some(why) = names::refuse(Kind::Case, &case.name) {
            problems.add(case.span, why);
        }
    }
}

fn check_parameters(flow: &Flow, problems: &mut Problems) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for step in &flow.steps {
        let mut names: Vec<&str> = Vec::new();
        for argument in &step.arguments {
            if matches!(argument.role, Role::Param(_)) {
                if let Some((_, first)) = seen.iter().find(|(name, _)| *name == argument.name) {
                    problems.add(
                        argument.span,
                        format!("step `{first}` declares the parameter `{0}` already; read it here with a plain `{0}`, without `#[param]`", argument.name),
                    );
                }
                seen.push((&argument.name, &step.name));
            }
            names.push(&argument.name);
        }
    }
}

/// A case that leads back needs a bound, and a loop without a switch never ends.
fn check_loops(flow: &Flow, problems: &mut Problems) {
    for step in &flow.steps {
        for target in targets(step) {
            let back = reaches(flow, &target.value(), &step.name, |_| true);
            let bounded = step.options.max_turns.is_some();
            if step.options.switch.is_some() && back && !bounded {
                problems.add(
                    target.span(),
                    format!("this case leads back to `{}`, which makes a loop; say how often it may turn, e.g. `max_turns = 10`", target.value()),
                );
            }
            let without_switch = |step: &Step| step.options.switch.is_none();
            if without_switch(step) && reaches(flow, &target.value(), &step.name, without_switch) {
                problems.add(
                    target.span(),
                    format!("`{}` leads back to `{}`, and nothing ends the loop; let a switch decide whether it turns again", target.value(), step.name),
                );
            }
        }
    }
}

/// Whether a path from `from` leads to `to` over steps that `may` lie on it.
fn reaches(flow: &Flow, from: &str, to: &str, may: impl Fn(&Step) -> bool) -> bool {
    let mut open = vec![from.to_owned()];
    let mut seen: Vec<String> = Vec::new();
    while let Some(name) = open.pop() {
        if name == to {
            return true;
        }
        if seen.contains(&name) {
            continue;
        }
        if let Some(step) = flow.steps.iter().find(|step| step.name == name)
            && may(step)
        {
            open.extend(targets(step).iter().map(|target| target.value()));
        }
        seen.push(name);
    }
    false
}
