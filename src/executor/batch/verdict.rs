//! What it means that a job has ended and has left no record.
//!
//! A step's own failures are in records. What is judged here is the machinery's: Batch says it in
//! texts, which are those of its user guide ("Automated job retries", "Troubleshooting").

use crate::model::failure::{Failure, FailureKind};

/// What this executor gives as the reason when it ends a job.
pub const ENDED_BY_US: &str = "wrun: ";
/// What can be said to somebody whose machines are taken away.
pub const RECLAIMED: &str = "`limits.reclaims` says how often a task is made again; a queue of machines on demand loses none";

/// What Batch says of a job that has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The identifier of the job.
    pub job: String,
    /// Whether it is said to have succeeded.
    pub succeeded: bool,
    /// Whether somebody asked for its end.
    pub ended: bool,
    /// Why it is in its state.
    pub status_reason: Option<String>,
    /// What happened to the container.
    pub reason: Option<String>,
    /// With what the worker ended.
    pub exit_code: Option<i32>,
    /// The image that was to be executed.
    pub image: String,
    /// Where the log of the container is.
    pub log_stream: Option<String>,
}

/// What registries, and those who ask them, say of an image that will not be there the next time either; a
/// registry that does not answer in time says nothing of the kind.
const NO_IMAGE: [&str; 7] = [
    "not found",
    "manifest unknown",
    "does not exist",
    "denied",
    "not authorized",
    "no basic auth credentials",
    "matching platform",
];

/// What is said where a person ended the job.
const BY_SOMEBODY: &str = "somebody ended the job";

fn is_reclaim(text: &str) -> bool {
    text.contains("Host EC2") || text.contains("Spot Task was interrupted")
}

fn ended_by_us() -> Failure {
    Failure::new(FailureKind::Cancelled, "the job was ended by its driver")
}

/// Why a worker was asked to end, which cannot know more than that it was: where its host was
/// reclaimed, or Batch says nothing, its record says what there is to say, and this is none.
pub fn stopped(said: &Said) -> Option<Failure> {
    let text = |it: &Option<String>| it.clone().unwrap_or_default();
    let both = format!("{} {}", text(&said.status_reason), text(&said.reason));
    let mut failure = match () {
        () if both.contains(ENDED_BY_US) => return Some(ended_by_us()),
        () if is_reclaim(&both) => return None,
        () if said.ended => Failure::new(FailureKind::Infrastructure, BY_SOMEBODY),
        () => return None,
    };
    failure.causes.extend(said.status_reason.clone());
    failure.causes.push(format!("job `{}`", said.job));
    Some(failure)
}

/// Why there is no record.
pub fn failure(said: &Said) -> Failure {
    let text = |it: &Option<String>| it.clone().unwrap_or_default();
    let (status, reason) = (text(&said.status_reason), text(&said.reason));
    let both = format!("{status} {reason}");
    let has = |part: &str| both.contains(part);
    let of = |message: String| Failure::new(FailureKind::Infrastructure, message);
    let mut failure = if has(ENDED_BY_US) {
        return ended_by_us();
    } else if is_reclaim(&both) {
        let message = "the host of the job was reclaimed";
        Failure::new(FailureKind::Reclaimed, message).with_hint(RECLAIMED)
    } else if has("CannotPull") {
        let message = format!("the image `{}` cannot be pulled", said.image);
        let kind = match NO_IMAGE.iter().any(|part| has(part)) {
            true => FailureKind::Misconfigured,
            false => FailureKind::Infrastructure,
        };
        Failure::new(kind, message).with_hint(
            "`batch.image` names the image, which `wrun batch image --push` brings into its registry; the execution role, or that of the instances, must be allowed to pull it",
        )
    } else if has("OutOfMemory") || said.exit_code == Some(137) {
        of("the container was ended, most likely for want of memory".to_owned()).with_hint(
            "raise `memory` of the step, or `batch.memory-overhead`, by which a container has more than its task",
        )
    } else if has("attempt duration exceeded") {
        of("the worker did not end in its time".to_owned())
    } else if has("ResourceInitializationError") || has("Cannot") || has("DockerTimeout") {
        of("the container could not be started".to_owned())
    } else if has("Terminat") || has("Cancel") || has("cancel") {
        of(BY_SOMEBODY.to_owned())
    } else if said.succeeded {
        of("the worker has ended and has left no record".to_owned()).with_hint(
            "the datastore of the workers may be another: `wrun doctor` shows what they are told",
        )
    } else if said.exit_code.is_none() && said.log_stream.is_none() {
        let image = &said.image;
        of("the container has left neither an exit code nor a log".to_owned()).with_hint(format!(
            "most likely it was never started: is there an image `{image}`, and may it be pulled?"
        ))
    } else {
        of("the worker ended before it could keep a record".to_owned()).with_hint(
            "the log of the container says why; an image with another wrun is one reason: `wrun batch image` makes one of this wrun",
        )
    };
    for cause in [&status, &reason] {
        if !cause.is_empty() {
            failure.causes.push(cause.clone());
        }
    }
    if let Some(code) = said.exit_code {
        failure.causes.push(format!("exit code {code}"));
    }
    failure.causes.push(match &said.log_stream {
        Some(stream) => format!("job `{}`, log stream `{stream}`", said.job),
        None => format!("job `{}`", said.job),
    });
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: &str, reason: &str, exit_code: Option<i32>) -> (FailureKind, String) {
        let said = Said {
            job: "1-2".into(),
            status_reason: Some(status.into()),
            reason: Some(reason.into()),
            exit_code,
            image: "team/wrun:1".into(),
            ..Said::default()
        };
        let failure = failure(&said);
        (failure.kind, failure.message)
    }

    #[test]
    fn every_text_of_batch_is_understood() {
        let reclaimed = "the host of the job was reclaimed";
        let kind = |message: &str| match message == reclaimed {
            true => FailureKind::Reclaimed,
            false => FailureKind::Infrastructure,
        };
        let texts = [
            (
                "Host EC2 (instance i-0abc) terminated.",
                "",
                None,
                reclaimed,
            ),
            ("Your Spot Task was interrupted.", "", None, reclaimed),
            (
                "Task failed to start",
                "CannotPullContainerError: ref pull has been retried 5 time(s): i/o timeout",
                None,
                "the image `team/wrun:1` cannot be pulled",
            ),
            (
                "Essential container in task exited",
                "OutOfMemoryError: Container killed due to memory usage",
                Some(137),
                "the container was ended, most likely for want of memory",
            ),
            (
                "Job attempt duration exceeded timeout",
                "",
                None,
                "the worker did not end in its time",
            ),
            (
                "Task failed to start",
                "ResourceInitializationError: failed to configure ENI",
                None,
                "the container could not be started",
            ),
            ("Terminated by ada", "", None, "somebody ended the job"),
            (
                "Task failed to start",
                "",
                None,
                "the container has left neither an exit code nor a log",
            ),
            (
                "Essential container in task exited",
                "",
                Some(6),
                "the worker ended before it could keep a record",
            ),
        ];
        for (status, reason, code, expected) in texts {
            let (found, message) = judged(status, reason, code);
            assert_eq!((found, message.as_str()), (kind(expected), expected));
        }
    }

    #[test]
    fn an_image_that_is_not_there_will_not_be_there_the_next_time() {
        for reason in [
            "failed to resolve ref registry.example/wrun:2: registry.example/wrun:2: not found",
            "pull access denied for wrun, repository does not exist or may require 'docker login'",
            "User: ecs is not authorized to perform: ecr:BatchGetImage",
            "image Manifest does not contain descriptor matching platform 'linux/amd64'",
        ] {
            let reason = format!("CannotPullContainerError: {reason}");
            let (kind, message) = judged("Task failed to start", &reason, None);
            assert_eq!(kind, FailureKind::Misconfigured, "{reason}");
            assert_eq!(message, "the image `team/wrun:1` cannot be pulled");
        }
    }

    #[test]
    fn what_we_ended_was_cancelled() {
        let (kind, _) = judged("wrun: the run was cancelled", "", Some(143));
        assert_eq!(kind, FailureKind::Cancelled);
    }

    #[test]
    fn a_worker_that_was_asked_to_end_is_told_by_whom() {
        let kind = |status: &str, ended| {
            let said = Said {
                status_reason: Some(status.into()),
                ended,
                ..Said::default()
            };
            stopped(&said).map(|failure| failure.kind)
        };
        let cancelled = Some(FailureKind::Cancelled);
        assert_eq!(kind("wrun: ended by `wrun batch kill`", true), cancelled);
        assert_eq!(kind("too slow", true), Some(FailureKind::Infrastructure));
        assert_eq!(kind("Host EC2 (instance i-0abc) terminated.", false), None);
        assert_eq!(kind("Essential container in task exited", false), None);
        assert_eq!(stopped(&Said::default()), None);
    }
}
