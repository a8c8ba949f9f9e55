//! `wrun runs`.

use serde_json::json;

use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::exit;
use crate::cli::select;
use crate::cli::store::{RunFacts, RunState, Store};
use crate::model::id::RunId;
use crate::model::name::{FlowName, Tag};
use crate::model::pathspec::{RunSelector, WhichRun};
use crate::report::human;
use crate::report::json;
use crate::report::table::{Align, Cell, Table};

/// List runs, newest first
#[derive(Debug, clap::Args)]
pub(crate) struct RunsArgs {
    /// Only runs of this flow
    #[arg(value_name = "FLOW", add = crate::cli::complete::flows())]
    flow: Option<FlowName>,
    /// List at most this many
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    limit: usize,
    /// Only runs with this tag; with all of them when given many times
    #[arg(long, value_name = "TAG")]
    tag: Vec<Tag>,
    /// Only runs that stand like this
    #[arg(long, value_name = "STATUS", value_enum)]
    status: Option<RunState>,
}

impl RunsArgs {
    fn accepts(&self, facts: &RunFacts) -> bool {
        let tagged = self.tag.iter().all(|tag| facts.tags.contains(tag));
        tagged && self.status.is_none_or(|status| status == facts.state)
    }

    fn filters(&self) -> bool {
        self.status.is_some() || !self.tag.is_empty()
    }
}

/// The runs that a list shows, and why others cannot be shown.
#[derive(Default)]
struct Found {
    runs: Vec<RunFacts>,
    damaged: Vec<CliError>,
}

/// Lists runs; those that are damaged are named after the others have been listed.
pub(crate) fn run(cx: &Context, args: &RunsArgs) -> Result<u8, CliError> {
    let store = cx.store()?;
    let Found { runs, mut damaged } = find(cx, &store, args)?;
    if cx.out.json {
        for facts in &runs {
            cx.out.json(&to_json(facts))?;
        }
    } else if runs.is_empty() && damaged.is_empty() {
        cx.out.say("no runs");
    } else if !runs.is_empty() {
        cx.out.text(&table(cx, &runs))?;
    }
    match damaged.len() {
        0 => Ok(exit::OK),
        1 => Err(damaged.remove(0)),
        many => {
            let all = CliError::new(Kind::Damaged, format!("{many} runs cannot be listed"));
            Err(damaged.iter().fold(all, |all, it| all.cause(it.message())))
        }
    }
}

fn find(cx: &Context, store: &Store, args: &RunsArgs) -> Result<Found, CliError> {
    let flows = match &args.flow {
        Some(flow) => {
            let newest = RunSelector {
                flow: Some(flow.clone()),
                run: WhichRun::Latest,
            };
            select::run(store, &newest)?;
            vec![flow.clone()]
        }
        None => store.flows()?,
    };
    let most = if args.filters() {
        usize::MAX
    } else {
        args.limit
    };
    let mut found = Found::default();
    for flow in &flows {
        let mut accepted = 0;
        for id in store.runs(flow, most)? {
            match store.facts(&id, cx.now()) {
                Ok(facts) if args.accepts(&facts) => {
                    found.runs.push(facts);
                    accepted += 1;
                }
                Ok(_) => {}
                Err(error) if error.kind() == Kind::Damaged => found.damaged.push(error),
                Err(error) => return Err(error),
            }
            if accepted == args.limit {
                break;
            }
        }
    }
    found
        .runs
        .sort_by(|a, b| (b.created_at, &b.run).cmp(&(a.created_at, &a.run)));
    found.runs.truncate(args.limit);
    Ok(found)
}

fn table(cx: &Context, runs: &[RunFacts]) -> String {
    let mut table = Table::new(&[
        ("run", Align::Left),
        ("status", Align::Left),
        ("started (UTC)", Align::Left),
        ("took", Align::Right),
        ("tasks", Align::Right),
        ("tags", Align::Left),
    ]);
    let style = &cx.out.style;
    for facts in runs {
        let tags: Vec<_> = facts.tags.iter().map(Tag::as_str).collect();
        table.row([
            named(&facts.run, cx),
            Cell::painted(facts.state.word(), facts.state.paint(style)),
            human::time(facts.created_at).into(),
            human::duration(facts.took_us).into(),
            facts.tasks.to_string().into(),
            tags.join(", ").into(),
        ]);
    }
    table.render(style, 0)
}

fn named(run: &RunId, cx: &Context) -> Cell {
    let text = run.to_string();
    Cell::painted(&text, cx.out.style.name(&text))
}

/// A run: `run`, `status`, `created_at`, `took_us`, `tasks`, `failed`, `tags`.
fn to_json(facts: &RunFacts) -> serde_json::Value {
    json::object([
        ("run", json!(facts.run)),
        ("status", facts.state.word().into()),
        ("created_at", json!(facts.created_at)),
        ("took_us", facts.took_us.into()),
        ("tasks", facts.tasks.into()),
        ("failed", facts.failed.into()),
        ("tags", json!(facts.tags)),
    ])
    .into()
}
