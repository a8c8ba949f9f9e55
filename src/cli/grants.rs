//! What a run may touch: the settings, and `--allow` of the command line.

use std::path::Path;

use super::context::Context;
use super::error::{CliError, Kind};
use crate::config::Settings;
use crate::model::grant::{Grant, Grants, asks_over_http};
use crate::model::id::RunId;
use crate::task::grants;
use crate::task::secret::Surroundings;

/// Grants of the command line.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Allow {
    /// Let every step touch one thing more; can be given many times
    ///
    /// `scratch=64MiB` is a directory `/tmp` in memory, `read:NAME=PATH` a directory of this machine
    /// as `/NAME`, `env:NAME` or `env:NAME=VALUE` a variable, `secret:NAME` a variable whose value
    /// is not recorded and may be elsewhere (`secret:NAME=file:PATH`, `=aws-sm:NAME`, `=aws-ssm:NAME`), `http=https://HOST` whom steps may ask over HTTP. What single steps may touch is said in `wrun.toml`.
    #[arg(long = "allow", value_name = "GRANT")]
    allow: Vec<Grant>,
}

impl Allow {
    /// All grants, as they are written: those of `settings`, and these. No value is looked for.
    ///
    /// # Errors
    /// When a path cannot be written down.
    pub(crate) fn named(&self, settings: &Settings, cx: &Context) -> Result<Grants, CliError> {
        let mut all = settings.grants.clone();
        for grant in &self.allow {
            let mut grant = grant.clone();
            if let Some(path) = grant.path_mut() {
                *path = absolute(&cx.directory, path)?;
            }
            all.all.push(grant);
        }
        Ok(all)
    }

    /// All grants of a run, with their values: those of `settings`, and these.
    ///
    /// # Errors
    /// When a directory, a variable or a secret is not there.
    pub(crate) async fn with(&self, settings: &Settings, cx: &Context) -> Result<Grants, CliError> {
        let mut all = self.named(settings, cx)?;
        let variable = |name: &str| std::env::var(name).ok();
        let around = Surroundings::new(&variable, cx.now()).holding(&cx.at_hand);
        let filled = grants::fill(&mut all, &around).await;
        filled.map_err(|error| no_value(&error))?;
        for grant in all.iter_mut() {
            if let Grant::Read { name, path } = grant
                && !Path::new(path).is_dir()
            {
                let message = format!("`{path}`, granted as `{name}`, is no directory");
                return Err(CliError::new(Kind::NotFound, message)
                    .hint("make it, or correct the path: `read:NAME=PATH`"));
            }
        }
        Ok(all)
    }
}

fn absolute(directory: &Path, path: &str) -> Result<String, CliError> {
    let path = directory.join(path);
    let text = path.into_os_string().into_string();
    text.map_err(|path| CliError::usage(format!("the path {path:?} is not UTF-8")))
}

fn no_value(error: &grants::NoValue) -> CliError {
    let said = CliError::usage(error.to_string());
    let source = std::error::Error::source(&error.why);
    let said = source
        .into_iter()
        .fold(said, |said, source| said.cause(source.to_string()));
    said.hint(error.why.hint())
}

/// Refuses to run a flow that asks over HTTP where no step was granted whom to ask.
///
/// # Errors
/// When one of `imports`, those of its module, is what asks.
pub(crate) fn check_http(imports: &[String], grants: &Grants) -> Result<(), CliError> {
    let Some(import) = asks_over_http(imports).filter(|_| !grants.has_http()) else {
        return Ok(());
    };
    let message = "the flow asks over HTTP, and no step was granted whom to ask";
    Err(CliError::usage(message)
        .cause(format!("its module imports `{import}`"))
        .hint("`--allow http=https://HOST` grants it to all steps, `grants = [\"http=https://HOST\"]` below `[steps.STEP]` in `wrun.toml` to one"))
}

/// Refuses to continue `run` when its flow asks over HTTP and somebody whom it was granted is not
/// granted now: its tasks would find out late, one by one.
///
/// # Errors
/// When an origin is missing, or nobody is granted at all.
pub(crate) fn check_http_again(
    imports: &[String],
    run: &RunId,
    before: &Grants,
    now: &Grants,
) -> Result<(), CliError> {
    let missing = missing(before, now).into_iter();
    let missing: Vec<_> = missing.filter(|line| line.contains("http=")).collect();
    if missing.is_empty() || asks_over_http(imports).is_none() {
        return check_http(imports, now);
    }
    let message = format!("`{run}` was granted whom to ask over HTTP, which is not granted here");
    let error = CliError::usage(message);
    let error = missing
        .iter()
        .fold(error, |error, line| error.cause(format!("`{line}`")));
    let again = missing.iter().map(|line| {
        let (_, origin) = line.split_once("http=").unwrap_or_default();
        format!("`--allow http={origin}`")
    });
    let again: std::collections::BTreeSet<_> = again.collect();
    let again = again
        .into_iter()
        .collect::<Vec<_>>()
        .join(" ")
        .replace("` `", " ");
    Err(error.hint(format!("{again} grants it again")))
}

/// What `before` granted and `now` does not, as it would be granted again. What all steps are granted, one is.
pub(crate) fn missing(before: &Grants, now: &Grants) -> Vec<String> {
    let opens = |grants: &[Grant], grant: &Grant| {
        let wanted = opened(grant);
        grants.iter().any(|it| opened(it) == wanted)
    };
    let all = before.all.iter().filter(|grant| !opens(&now.all, grant));
    let mut missing: Vec<_> = all.map(Grant::to_string).collect();
    for (step, grants) in &before.steps {
        let own = now.steps.get(step).map_or(&[][..], Vec::as_slice);
        let of_step = grants
            .iter()
            .filter(|grant| !opens(&now.all, grant) && !opens(own, grant));
        missing.extend(of_step.map(|grant| format!("{step}: {grant}")));
    }
    missing
}

/// What a grant opens: a secret is the same wherever its value is.
fn opened(grant: &Grant) -> String {
    match grant {
        Grant::Secret { name, .. } => format!("secret:{name}"),
        other => other.to_string(),
    }
}

/// Refuses to touch for `run` what this machine was not asked to let it touch: whoever takes over
/// somebody's run opens directories, secrets and the network of his own.
///
/// # Errors
/// When the run was granted a directory, a secret or an origin that `now` does not grant.
pub(crate) fn consent(run: &RunId, before: &Grants, now: &Grants) -> Result<(), CliError> {
    let kinds = ["read:", "secret:", "http="];
    let opens = |line: &String| kinds.iter().any(|kind| line.contains(kind));
    let missing: Vec<String> = missing(before, now).into_iter().filter(opens).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("`{run}` was granted what is not granted here");
    let error = missing
        .iter()
        .fold(CliError::usage(message), |error, line| {
            error.cause(format!("`{line}`"))
        });
    let hint =
        "`--allow` grants it to all steps, `grants` below `[steps.STEP]` in `wrun.toml` to one";
    Err(error.hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(all: &[&str], fit: &[&str]) -> Grants {
        let of = |texts: &[&str]| {
            texts
                .iter()
                .map(|it| it.parse().expect("a grant"))
                .collect()
        };
        let step = "fit".parse().expect("a name");
        Grants {
            all: of(all),
            steps: [(step, of(fit))].into(),
        }
    }

    #[test]
    fn what_all_steps_are_granted_one_is_and_not_the_reverse() {
        let (of_one, of_all) = (&["secret:TOKEN=file:/a"][..], &["secret:TOKEN=env:B"][..]);
        let none: Vec<String> = Vec::new();
        assert_eq!(missing(&grants(&[], of_one), &grants(of_all, &[])), none);
        assert_eq!(missing(&grants(of_one, &[]), &grants(of_all, &[])), none);
        let missed = missing(&grants(of_all, &[]), &grants(&[], of_one));
        assert_eq!(missed, ["secret:TOKEN=env:B"]);
        let missed = missing(&grants(&[], of_one), &grants(&[], &[]));
        assert_eq!(missed, ["fit: secret:TOKEN=file:/a"]);
    }

    #[test]
    fn a_path_that_reads_like_another_grant_is_a_path() {
        let other = "read:data=/etc: secret:TOKEN";
        let missed = missing(&grants(&[other], &[]), &grants(&["secret:TOKEN"], &[]));
        assert_eq!(missed, [other]);
        let longer = "read:data=/secret:a=/../etc";
        let missed = missing(
            &grants(&[longer], &[]),
            &grants(&["read:data=/secret:a"], &[]),
        );
        assert_eq!(missed, [longer]);
    }
}
