//! The system calls that a cell may make.
//!
//! What is not on a list is refused with `EPERM`: libraries try this and that (a terminal, a file
//! with the number of processors) and do without when they are refused. Two kinds are answered
//! otherwise. What no library tries, and only somebody who has taken the cell over wants, ends the
//! process at once ([`KILLED`]). And the new form of starting a thread, which cannot be looked
//! into, is said not to exist (`ENOSYS`), so that the old one is used, which can.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

/// Allowed with whatever arguments.
const ALLOWED: &[c_long] = &[
    // Its socket, the pipe for diagnostics, memory images; a cell has no other open files.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_close,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_ppoll,
    // Memory: that of guests, and compiled code, which is made executable.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    // Images of guests' memories. Nothing can be executed from them: there is no `execve`.
    libc::SYS_memfd_create,
    // Threads of its own: one for guests, some for compiling.
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Traps of guests are signals of the processor.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // Time that guests never see: processor time, and pauses of the thread that sends what they print.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    // The seeds of the host's own hash maps.
    libc::SYS_getrandom,
    // Said not to exist, below.
    libc::SYS_clone3,
];

/// What x86-64 has besides: older forms of calls above.
#[cfg(target_arch = "x86_64")]
const OLDER: &[c_long] = &[libc::SYS_poll, libc::SYS_time];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[];

/// Whoever makes one of these has taken the cell over: the process ends with SIGSYS.
const KILLED: &[c_long] = &[
    // Programs.
    libc::SYS_execve,
    libc::SYS_execveat,
    // Connections: a cell has its socket and makes no other.
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Ways around a filter of system calls, and large parts of the kernel that cells do not need.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_bpf,
    libc::SYS_userfaultfd,
    libc::SYS_perf_event_open,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_personality,
    // Another system around it.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_chroot,
    libc::SYS_pivot_root,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_open_by_handle_at,
    // Another user.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
    // The machine.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
];

/// What x86-64 has besides.
#[cfg(target_arch = "x86_64")]
const KILLED_OLDER: &[c_long] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_modify_ldt,
    libc::SYS_iopl,
    libc::SYS_ioperm,
];
#[cfg(not(target_arch = "x86_64"))]
const KILLED_OLDER: &[c_long] = &[];

/// The request by which wasmtime asks which pages a guest has touched (`PAGEMAP_SCAN`, Linux 6.7).
const PAGEMAP_SCAN: u64 = 0xC060_6610;

/// What becomes of a system call that a cell makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is made.
    Allowed,
    /// It is made with some arguments, and refused with others.
    Depends,
    /// It is refused with `EPERM`, or said not to exist.
    Refused,
    /// The process ends.
    Killed,
}

/// What becomes of the system call of this number.
pub fn fate_of(number: c_long) -> Fate {
    let among = |lists: [&[c_long]; 2]| lists.iter().any(|list| list.contains(&number));
    if number == libc::SYS_clone3 {
        Fate::Refused
    } else if among([KILLED, KILLED_OLDER]) {
        Fate::Killed
    } else if among([ALLOWED, OLDER]) {
        Fate::Allowed
    } else if [
        libc::SYS_clone,
        libc::SYS_fcntl,
        libc::SYS_ioctl,
        libc::SYS_prctl,
        libc::SYS_prlimit64,
        libc::SYS_tgkill,
    ]
    .contains(&number)
    {
        Fate::Depends
    } else {
        Fate::Refused
    }
}

/// How many system calls a cell may make, with whatever or with some arguments.
pub fn number_of_calls() -> usize {
    allowed().map_or(0, |rules| rules.len() - 1)
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;
type Trouble = seccompiler::Error;

/// Installs the filters. A call is treated by the strictest of them.
pub fn filter() -> Result<String, String> {
    let built = programs().map_err(|error| error.to_string())?;
    for program in &built {
        apply_filter(program).map_err(|error| match error {
            // Its own text does not say what the system said.
            Trouble::Seccomp(source) | Trouble::Prctl(source) => source.to_string(),
            other => other.to_string(),
        })?;
    }
    Ok(format!(
        "{} of them, the others are refused (seccomp)",
        number_of_calls()
    ))
}

/// The filters in the order in which they are installed: after the last, no more can be.
fn programs() -> Result<[BpfProgram; 3], Trouble> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let program = |rules: Rules, others: SeccompAction, these: SeccompAction| {
        let filter = SeccompFilter::new(rules, others, these, arch)?;
        Ok::<BpfProgram, Trouble>(filter.try_into()?)
    };
    let refused = |errno: i32| SeccompAction::Errno(errno as u32);
    let unknown = Rules::from([(libc::SYS_clone3, Vec::new())]);
    let allow = SeccompAction::Allow;
    Ok([
        program(killed()?, allow.clone(), SeccompAction::KillProcess)?,
        program(unknown, allow.clone(), refused(libc::ENOSYS))?,
        program(allowed()?, refused(libc::EPERM), allow)?,
    ])
}

fn killed() -> Result<Rules, Trouble> {
    let all = KILLED.iter().chain(KILLED_OLDER);
    let mut rules: Rules = all.map(|call| (*call, Vec::new())).collect();
    // A process, where a thread is allowed.
    let thread = SeccompCmpOp::MaskedEq(libc::CLONE_THREAD as u64);
    let process = rule(&[(0, thread, 0)])?;
    rules.insert(libc::SYS_clone, vec![process]);
    Ok(rules)
}

fn allowed() -> Result<Rules, Trouble> {
    use SeccompCmpOp::{Eq, MaskedEq};
    let all = ALLOWED.iter().chain(OLDER);
    let mut rules: Rules = all.map(|call| (*call, Vec::new())).collect();
    let thread = (libc::CLONE_THREAD | libc::CLONE_VM) as u64;
    let own = u64::from(std::process::id());
    let descriptor = [
        libc::F_DUPFD_CLOEXEC,
        libc::F_GETFD,
        libc::F_SETFD,
        libc::F_GETFL,
        libc::F_ADD_SEALS,
        libc::F_GET_SEALS,
    ];
    let descriptor = descriptor.map(|command| rule(&[(1, Eq, command as u64)]));
    rules.extend([
        (
            libc::SYS_clone,
            vec![rule(&[(0, MaskedEq(thread), thread)])?],
        ),
        (
            libc::SYS_fcntl,
            descriptor.into_iter().collect::<Result<_, _>>()?,
        ),
        (libc::SYS_ioctl, vec![rule(&[(1, Eq, PAGEMAP_SCAN)])?]),
        (
            libc::SYS_prctl,
            vec![rule(&[(0, Eq, libc::PR_SET_NAME as u64)])?],
        ),
        // Its own limits, to be read.
        (libc::SYS_prlimit64, vec![rule(&[(0, Eq, 0), (2, Eq, 0)])?]),
        // Its own end, when it aborts.
        (libc::SYS_tgkill, vec![rule(&[(0, Eq, own)])?]),
    ]);
    Ok(rules)
}

/// Arguments, each at its position compared with a value.
fn rule(arguments: &[(u8, SeccompCmpOp, u64)]) -> Result<SeccompRule, Trouble> {
    let condition = |(at, how, value): &(u8, SeccompCmpOp, u64)| {
        // Commands and numbers of processes have 32 bits, and some callers leave rubbish above them.
        let wide = matches!(how, SeccompCmpOp::MaskedEq(_)) || *at == 2;
        let len = match wide {
            true => SeccompCmpArgLen::Qword,
            false => SeccompCmpArgLen::Dword,
        };
        SeccompCondition::new(*at, len, how.clone(), *value)
    };
    let conditions = arguments.iter().map(condition).collect::<Result<_, _>>()?;
    Ok(SeccompRule::new(conditions)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_is_on_two_lists() {
        let mut all: Vec<_> = [ALLOWED, OLDER, KILLED, KILLED_OLDER].concat();
        let number = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), number);
    }

    #[test]
    fn the_filters_compile_and_are_small() {
        for program in programs().expect("the rules are well-formed") {
            assert!(program.len() < 1024, "{}", program.len());
        }
    }

    #[test]
    fn the_fate_of_a_call_is_that_of_the_rules() {
        let (allowed, killed) = (allowed().expect("rules"), killed().expect("rules"));
        for number in 0..600 {
            let expected = match (allowed.get(&number), killed.get(&number)) {
                _ if number == libc::SYS_clone3 => Fate::Refused,
                (Some(rules), _) if rules.is_empty() => Fate::Allowed,
                (Some(_), _) => Fate::Depends,
                (None, Some(_)) => Fate::Killed,
                (None, None) => Fate::Refused,
            };
            assert_eq!(fate_of(number), expected, "{number}");
        }
    }
}
