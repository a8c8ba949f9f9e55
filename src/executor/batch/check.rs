//! Looks at Batch before anything is spent: is there a queue, and does it take jobs?

use std::collections::BTreeSet;

use aws_sdk_batch::types::{
    CeState, CeStatus, ComputeEnvironmentDetail, CrType, JqState, JqStatus,
};

use super::client::Client;
use crate::aws::Trouble;
use crate::config::batch::{Batch, Platform};
use crate::image::ImageName;
use crate::model::job::Sent;

/// Why no job can be executed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// A setting is missing.
    #[error("steps are to be executed by Batch, and `{key}` is not set")]
    NotSet {
        /// The setting.
        key: &'static str,
    },
    /// The datastore is a directory of this machine.
    #[error("the datastore `{place}` is a directory of this machine, which containers do not see")]
    Directory {
        /// The directory.
        place: String,
    },
    /// A step may touch what is not in a container.
    #[error("step `{step}` is granted `{grant}`, which is not there in a container of Batch")]
    Grant {
        /// The step.
        step: String,
        /// The grant.
        grant: String,
        /// What can be done.
        hint: String,
    },
    /// A step asks for GPUs where there are none.
    #[error("step `{step}` asks for GPUs, which Fargate does not have")]
    Gpus {
        /// The step.
        step: String,
    },
    /// The image is called what no image can be called.
    #[error("`{image}` is not the name of an image")]
    ImageName {
        /// What it is called.
        image: String,
    },
    /// The image has another wrun in it.
    #[error(
        "the image `{image}` has wrun {theirs} in it, and this is wrun {ours}: a worker must be of the version of its driver"
    )]
    Image {
        /// What it is called.
        image: String,
        /// Its repository, with the registry.
        repository: String,
        /// The version in the image.
        theirs: String,
        /// The version that asks.
        ours: &'static str,
    },
    /// There is no such queue.
    #[error("there is no job queue `{queue}` in this region")]
    NoQueue {
        /// The queue.
        queue: String,
    },
    /// The queue takes no jobs.
    #[error("the job queue `{queue}` takes no jobs: {why}")]
    Queue {
        /// The queue.
        queue: String,
        /// Why.
        why: String,
    },
    /// No compute environment of the queue executes jobs.
    #[error("the job queue `{queue}` has no compute environment that executes jobs: {why}")]
    Environment {
        /// The queue.
        queue: String,
        /// Of each one, why.
        why: String,
    },
    /// Jobs are in flight where this machine does not look.
    #[error("jobs of the run are in flight in the queue `{}` of the region `{}`, and this is {}", sent.queue, sent.region.as_deref().unwrap_or("?"), here.as_deref().map_or("no region".to_owned(), |it| format!("`{it}`")))]
    Region {
        /// Where they are.
        sent: Sent,
        /// Where this machine looks.
        here: Option<String>,
    },
    /// A request had no success.
    #[error("Batch could not be asked about the job queue `{queue}`")]
    Request {
        /// The queue.
        queue: String,
        /// What happened.
        source: Trouble,
    },
}

/// Looks at the image's name, at the queue and at what executes its jobs.
///
/// # Errors
/// [`CheckError`] names what stands in the way.
pub async fn queue(client: &Client, settings: &Batch) -> Result<(), CheckError> {
    let name = required(&settings.queue, "batch.queue")?;
    image(required(&settings.image, "batch.image")?)?;
    let failed = |source| CheckError::Request {
        queue: name.to_owned(),
        source,
    };
    let queue = client.queue(name).await.map_err(failed)?;
    let queue = queue.ok_or_else(|| CheckError::NoQueue {
        queue: name.to_owned(),
    })?;
    let closed = |why: String| CheckError::Queue {
        queue: name.to_owned(),
        why,
    };
    if queue.state() == Some(&JqState::Disabled) {
        return Err(closed("it is disabled".to_owned()));
    }
    if let Some(status @ (JqStatus::Invalid | JqStatus::Deleting | JqStatus::Deleted)) =
        queue.status()
    {
        let reason = queue.status_reason().unwrap_or_default();
        let why = format!("it is {} {reason}", status.as_str());
        return Err(closed(why.trim_end().to_owned()));
    }
    let order = queue.compute_environment_order().iter();
    let names: Vec<String> = order
        .filter_map(|it| it.compute_environment().map(str::to_owned))
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let found = client.environments(&names).await.map_err(failed)?;
    let against = found.iter().map(|it| against(it, settings.platform));
    let against: Option<Vec<String>> = against.collect();
    match against {
        None => Ok(()),
        Some(why) => Err(CheckError::Environment {
            queue: name.to_owned(),
            why: match why.is_empty() {
                true => "it has none".to_owned(),
                false => why.join(", "),
            },
        }),
    }
}

/// Compares the version that the name of an image says, if it says one, with this one.
fn image(name: &str) -> Result<(), CheckError> {
    let ours = env!("CARGO_PKG_VERSION");
    // What `RegisterJobDefinition` takes, by the reference of the API.
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_:./#@".contains(c);
    if name.is_empty() || name.len() > 255 || !name.chars().all(fits) {
        let image = name.to_owned();
        return Err(CheckError::ImageName { image });
    }
    // A name that somebody has chosen, with a tag of his own or a digest, says nothing.
    let Ok(image) = name.parse::<ImageName>() else {
        return Ok(());
    };
    match image.version() {
        Some(theirs) if theirs != ours => Err(CheckError::Image {
            image: name.to_owned(),
            repository: image.repository().to_owned(),
            theirs,
            ours,
        }),
        _ => Ok(()),
    }
}

/// Looks whether Batch can be asked about jobs in flight: what cannot be seen must not be submitted again.
///
/// # Errors
/// [`CheckError::Region`] when jobs were sent to another region, [`CheckError::Request`] when their
/// queue does not say what is in it.
pub async fn in_flight(client: &Client, sent: &BTreeSet<Sent>) -> Result<(), CheckError> {
    let here = client.region();
    for sent in sent {
        if sent.region.is_some() && sent.region != here {
            let sent = sent.clone();
            return Err(CheckError::Region { sent, here });
        }
        let failed = |source| CheckError::Request {
            queue: sent.queue.clone(),
            source,
        };
        // A queue that was deleted has taken its jobs along.
        if client.queue(&sent.queue).await.map_err(failed)?.is_some() {
            let nobody = "wrun-nobody-has-this-name";
            client.named(&sent.queue, nobody).await.map_err(failed)?;
        }
    }
    Ok(())
}

fn required<'a>(value: &'a Option<String>, key: &'static str) -> Result<&'a str, CheckError> {
    value.as_deref().ok_or(CheckError::NotSet { key })
}

/// Why an environment executes no jobs for `platform`; none when it does.
fn against(it: &ComputeEnvironmentDetail, platform: Platform) -> Option<String> {
    let name = it.compute_environment_name().unwrap_or("?");
    if it.state() == Some(&CeState::Disabled) {
        return Some(format!("`{name}` is disabled"));
    }
    if it.status() == Some(&CeStatus::Invalid) {
        let reason = it.status_reason().unwrap_or_default();
        return Some(
            format!("`{name}` is invalid {reason}")
                .trim_end()
                .to_owned(),
        );
    }
    let kind = it.compute_resources().and_then(|of| of.r#type().cloned());
    let fargate = matches!(kind, Some(CrType::Fargate | CrType::FargateSpot));
    match (kind.is_some(), fargate == (platform == Platform::Fargate)) {
        (true, false) => Some(format!(
            "`{name}` is of another kind than `{}`",
            platform.word()
        )),
        _ => None,
    }
}
