//! What a container gets of the machine.

use crate::config::batch::{Batch, Platform};
use crate::model::definition::Resources;
use crate::model::header::Limits;

/// The vCPUs of Fargate in thousandths, with the least, the most and the step of MiB of memory that
/// go with them. From the user guide of Batch, "Job definition parameters: resourceRequirements".
const FARGATE: [(u32, u32, u32, u32); 7] = [
    (250, 512, 2048, 512),
    (500, 1024, 4096, 1024),
    (1000, 2048, 8192, 1024),
    (2000, 4096, 16384, 1024),
    (4000, 8192, 30720, 1024),
    (8000, 16384, 61440, 4096),
    (16000, 32768, 122_880, 8192),
];
/// What a task gets that asks for nothing, in thousandths of a vCPU.
const CPU: u32 = 1000;
/// How long Batch waits after our own time is over, in milliseconds.
const GRACE_MS: u64 = 5 * 60 * 1000;
/// The shortest time that Batch takes, in seconds.
const LEAST_SECONDS: u64 = 60;

/// What a container gets of the machine, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape {
    /// Thousandths of a vCPU.
    pub cpu_millis: u32,
    /// Memory of the container: that of the task, and what the worker needs beside it.
    pub memory_mib: u32,
    /// GPUs.
    pub gpus: u32,
    /// Disk, in GiB; the platform's own choice when not said.
    pub disk_gib: Option<u32>,
    /// When Batch ends it, in seconds: some time after the worker should have.
    pub timeout_s: u32,
}

impl Shape {
    /// The container for a task that asks for `resources` and has `limits`.
    pub fn of(resources: &Resources, limits: &Limits, settings: &Batch) -> Self {
        let cpu = resources.cpu_millis.unwrap_or(CPU);
        let memory = limits
            .memory_mib
            .saturating_add(settings.memory_overhead_mib);
        let (cpu_millis, memory_mib) = match settings.platform {
            // Containers on EC2 have whole vCPUs.
            Platform::Ec2 => (cpu.div_ceil(1000).max(1) * 1000, memory),
            Platform::Fargate => fargate(cpu, memory),
        };
        let disk = resources.disk_mib.map(|mib| mib.div_ceil(1024));
        let seconds = limits.timeout_ms.saturating_add(GRACE_MS).div_ceil(1000);
        Self {
            cpu_millis,
            memory_mib,
            gpus: resources.gpus.unwrap_or(0),
            disk_gib: disk.max(settings.ephemeral_storage_gib),
            timeout_s: u32::try_from(seconds.max(LEAST_SECONDS)).unwrap_or(u32::MAX / 2),
        }
    }

    /// vCPUs as Batch reads them.
    pub fn vcpus(&self) -> String {
        match self.cpu_millis % 1000 {
            0 => (self.cpu_millis / 1000).to_string(),
            _ => (f64::from(self.cpu_millis) / 1000.0).to_string(),
        }
    }
}

/// The smallest container of Fargate with at least this much; the largest when none has.
fn fargate(cpu: u32, memory: u32) -> (u32, u32) {
    let fits = FARGATE
        .iter()
        .find(|(has, _, most, _)| *has >= cpu && *most >= memory);
    let (has, least, most, step) = *fits.unwrap_or(&FARGATE[FARGATE.len() - 1]);
    let memory = memory.clamp(least, most);
    (
        has,
        (least + (memory - least).div_ceil(step) * step).min(most),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settings(platform: Platform) -> Batch {
        Batch {
            platform,
            ..Batch::default()
        }
    }

    #[test]
    fn a_container_has_more_memory_than_its_task() {
        let limits = Limits::default();
        let shape = Shape::of(&Resources::default(), &limits, &settings(Platform::Ec2));
        assert_eq!(shape.memory_mib, 512 + Batch::default().memory_overhead_mib);
        assert_eq!((shape.vcpus().as_str(), shape.gpus), ("1", 0));
    }

    #[test]
    fn our_time_is_over_before_that_of_batch() {
        let limits = Limits {
            timeout_ms: 2000,
            ..Limits::default()
        };
        let shape = Shape::of(&Resources::default(), &limits, &settings(Platform::Ec2));
        assert_eq!(shape.timeout_s, 302);
    }

    proptest! {
        #[test]
        fn what_fargate_has_not_is_rounded_up(cpu in 1u32..16_000, memory in 1u32..120_000) {
            let (has, got) = fargate(cpu, memory);
            let row = FARGATE.iter().find(|row| row.0 == has).unwrap();
            prop_assert!(has >= cpu && got >= memory);
            prop_assert!((row.1..=row.2).contains(&got) && (got - row.1) % row.3 == 0);
        }
    }
}
