//! Why no job can be executed by Batch, and what to do about it.

use crate::cli::error::{CliError, Kind};
use crate::config::keys::variable_of;
use crate::executor::batch::check::CheckError;

impl From<CheckError> for CliError {
    fn from(error: CheckError) -> Self {
        let (kind, hint) = match &error {
            CheckError::NotSet { key } => (
                Kind::Usage,
                format!(
                    "name it in `wrun.toml`, `{key} = \"…\"`, or in the variable `{}`",
                    variable_of(key)
                ),
            ),
            CheckError::Directory { .. } => (
                Kind::Usage,
                "`--datastore s3://bucket/prefix` is seen by all; `batch.shared-directory = true` says that the directory is mounted in the containers under the same path".to_owned(),
            ),
            CheckError::Grant { hint, .. } => (Kind::Usage, hint.clone()),
            CheckError::Gpus { .. } => (
                Kind::Usage,
                "`batch.platform = \"ec2\"` has GPUs, with a queue of instances".to_owned(),
            ),
            CheckError::ImageName { .. } => (
                Kind::Usage,
                "`batch.image` takes `registry/repository:tag`, as `wrun batch image` prints it".to_owned(),
            ),
            CheckError::Image { repository, .. } => (
                Kind::Usage,
                format!(
                    "`wrun batch image --tag {repository}` makes an image of this wrun, with `--push` in its registry, and prints the name for `batch.image`"
                ),
            ),
            CheckError::NoQueue { .. } => (
                Kind::NotFound,
                "`batch.queue` names the queue, `AWS_REGION` the region".to_owned(),
            ),
            CheckError::Queue { queue, .. } => (
                Kind::Unavailable,
                format!("enable it: `aws batch update-job-queue --job-queue {queue} --state ENABLED`"),
            ),
            CheckError::Environment { .. } => (
                Kind::Unavailable,
                "enable or mend one of them; `batch.platform` says of which kind it must be".to_owned(),
            ),
            CheckError::Region { sent, .. } => (
                Kind::Usage,
                format!(
                    "`AWS_REGION={} wrun attach` finds them",
                    sent.region.as_deref().unwrap_or_default()
                ),
            ),
            CheckError::Request { source, .. } => (Kind::Unavailable, source.hint()),
        };
        Self::from_error(kind, &error).hint(hint)
    }
}
