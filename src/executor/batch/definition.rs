//! Job definitions: registered once for each content, and named after it.

use aws_sdk_batch::operation::register_job_definition::builders::RegisterJobDefinitionInputBuilder;
use aws_sdk_batch::types::{
    AssignPublicIp, ContainerProperties, EphemeralStorage, EvaluateOnExit, Host, JobDefinitionType,
    JobTimeout, KeyValuePair, MountPoint, NetworkConfiguration, PlatformCapability,
    ResourceRequirement, ResourceType, RetryAction, RetryStrategy, Secret, Volume,
};

use super::shape::Shape;
use crate::config::batch::{Batch, OUR_VARIABLES, Platform};
use crate::model::digest::Digest;

/// How often Batch itself starts a worker whose host was lost.
const ATTEMPTS: i32 = 5;
/// After what Batch starts a worker again without asking: what the user guide, "Automated job
/// retries", says of hosts that were reclaimed and of containers that did not start. An image that
/// cannot be pulled is not among them: the driver is to know of it soon.
const AGAIN: [(&str, bool); 4] = [
    ("Host EC2*", true),
    ("Your Spot Task was interrupted*", true),
    ("ResourceInitializationError*", false),
    ("CannotStartContainerError*", false),
];

/// All that a job definition depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition<'a> {
    /// What a container gets.
    pub shape: Shape,
    /// What Batch is told of every job.
    pub settings: &'a Batch,
    /// Where the datastore is, as workers reach it.
    pub datastore: &'a str,
    /// The directory that is mounted under the same path, if one is.
    pub mounted: Option<&'a str>,
}

impl Definition<'_> {
    /// The name: equal contents have equal names, and others have others.
    pub fn name(&self) -> String {
        let settings = self.settings;
        // In the order of the text: of what does not enter the definition, nothing.
        let content = format!(
            "2026-11 {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            self.shape,
            self.datastore,
            self.mounted,
            settings.image,
            settings.job_role,
            settings.execution_role,
            settings.platform,
            settings.log_level,
            settings.environment,
            settings.secrets,
            settings.public_ip,
            AGAIN,
        );
        format!("wrun-{}", &Digest::of(content.as_bytes()).to_string()[..32])
    }

    /// What is registered under the name.
    pub fn request(&self) -> RegisterJobDefinitionInputBuilder {
        let timeout = i32::try_from(self.shape.timeout_s).unwrap_or(i32::MAX);
        let platform = match self.settings.platform {
            Platform::Ec2 => PlatformCapability::Ec2,
            Platform::Fargate => PlatformCapability::Fargate,
        };
        RegisterJobDefinitionInputBuilder::default()
            .job_definition_name(self.name())
            .r#type(JobDefinitionType::Container)
            .platform_capabilities(platform)
            .container_properties(self.container())
            .retry_strategy(retry())
            .timeout(
                JobTimeout::builder()
                    .attempt_duration_seconds(timeout)
                    .build(),
            )
    }

    fn container(&self) -> ContainerProperties {
        let settings = self.settings;
        let mut it = ContainerProperties::builder()
            .image(settings.image.clone().unwrap_or_default())
            .command("worker")
            .set_job_role_arn(settings.job_role.clone())
            .set_execution_role_arn(settings.execution_role.clone())
            .resource_requirements(requires(ResourceType::Vcpu, self.shape.vcpus()))
            .resource_requirements(requires(
                ResourceType::Memory,
                self.shape.memory_mib.to_string(),
            ));
        if self.shape.gpus > 0 {
            it = it.resource_requirements(requires(ResourceType::Gpu, self.shape.gpus.to_string()));
        }
        let level = settings.log_level.word();
        let [datastore, log_level] = OUR_VARIABLES;
        let own = [(datastore, self.datastore), (log_level, level)];
        let given = settings.environment.iter();
        let given = given.map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.into_iter().chain(given) {
            it = it.environment(KeyValuePair::builder().name(name).value(value).build());
        }
        for (name, arn) in &settings.secrets {
            let secret = Secret::builder().name(name).value_from(arn).build();
            it = it.secrets(secret);
        }
        if settings.platform == Platform::Fargate {
            let address = match settings.public_ip {
                true => AssignPublicIp::Enabled,
                false => AssignPublicIp::Disabled,
            };
            let network = NetworkConfiguration::builder().assign_public_ip(address);
            it = it.network_configuration(network.build());
            it = it.set_ephemeral_storage(self.shape.disk_gib.map(storage));
        }
        if let Some(directory) = self.mounted {
            let host = Host::builder().source_path(directory).build();
            it = it
                .volumes(Volume::builder().name("datastore").host(host).build())
                .mount_points(
                    MountPoint::builder()
                        .source_volume("datastore")
                        .container_path(directory)
                        .read_only(false)
                        .build(),
                );
        }
        it.build()
    }
}

fn requires(what: ResourceType, value: String) -> ResourceRequirement {
    ResourceRequirement::builder()
        .r#type(what)
        .value(value)
        .build()
}

fn storage(gib: u32) -> EphemeralStorage {
    // Fargate has between 21 and 200 GiB.
    let gib = i32::try_from(gib.clamp(21, 200)).unwrap_or(200);
    EphemeralStorage::builder().size_in_gib(gib).build()
}

fn retry() -> RetryStrategy {
    let mut it = RetryStrategy::builder().attempts(ATTEMPTS);
    for (text, of_status) in AGAIN {
        let rule = EvaluateOnExit::builder().action(RetryAction::Retry);
        it = it.evaluate_on_exit(match of_status {
            true => rule.on_status_reason(text).build(),
            false => rule.on_reason(text).build(),
        });
    }
    // What no rule matches is started again, so that there must be one for the rest.
    let rest = EvaluateOnExit::builder().action(RetryAction::Exit);
    it.evaluate_on_exit(rest.on_reason("*").build()).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::definition::Resources;
    use crate::model::header::Limits;

    #[test]
    fn equal_contents_have_equal_names_and_others_have_others() {
        let limits = Limits::default();
        let settings = Batch::default();
        let shape = Shape::of(&Resources::default(), &limits, &settings);
        let name = |shape, settings: &Batch, datastore| {
            let mounted = None;
            Definition {
                shape,
                settings,
                datastore,
                mounted,
            }
            .name()
        };
        let first = name(shape, &settings, "s3://a");
        assert_eq!(first, name(shape, &settings.clone(), "s3://a"));
        assert_ne!(first, name(shape, &settings, "s3://b"));
        let larger = Shape { gpus: 1, ..shape };
        assert_ne!(first, name(larger, &settings, "s3://a"));
        let image = Batch {
            image: Some("wrun:2".into()),
            ..settings.clone()
        };
        assert_ne!(first, name(shape, &image, "s3://a"));
        // What is said of each job, and to the driver, needs no other definition.
        let queue = Batch {
            queue: Some("q".into()),
            max_jobs: 7,
            ..settings.clone()
        };
        assert_eq!(first, name(shape, &queue, "s3://a"));
    }
}
