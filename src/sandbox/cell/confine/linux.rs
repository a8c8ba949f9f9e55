//! The walls of Linux.

use std::io;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, RestrictionStatus,
    Ruleset, RulesetAttr, RulesetError, RulesetStatus, Scope,
};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, getrlimit, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};

use super::{Wall, calls};

/// The most files that a cell has open at once: its socket, compiled code, and the images of
/// memories.
const FILES: u64 = 256;

/// The newest rules of landlock that are asked for; a kernel gives what it has of them.
const NEWEST: ABI = ABI::V6;

/// Builds all walls, from the outermost to the one behind which no more can be built.
pub fn walls() -> Vec<Wall> {
    let mut walls = vec![
        Wall::new("agent", with_agent()),
        Wall::new("inspection", undumpable()),
        Wall::new("resources", resources()),
        Wall::new("privileges", no_new_privileges()),
    ];
    walls.extend(landlocked());
    walls.push(Wall::new("system calls", calls::filter()));
    walls
}

fn said(error: impl Into<io::Error>) -> String {
    error.into().to_string()
}

/// The system ends the cell when the agent's thread that started it ends, whatever the cell does.
fn with_agent() -> Result<String, String> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(said)?;
    Ok("the cell ends with its agent (PDEATHSIG)".to_owned())
}

/// Nobody of this user can look into the cell's memory, and it leaves no core file.
fn undumpable() -> Result<String, String> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(said)?;
    Ok("its memory is closed to other processes of the user".to_owned())
}

/// There is no limit for processes: it would count all of the user's, and the filter of system calls
/// lets a cell start none.
fn resources() -> Result<String, String> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).map_err(said)?;
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(FILES);
    let files = Some(FILES.min(most));
    let files = Rlimit {
        current: files,
        maximum: files,
    };
    setrlimit(Resource::Nofile, files).map_err(said)?;
    Ok(format!("no core file, at most {FILES} open files"))
}

fn no_new_privileges() -> Result<String, String> {
    // SAFETY: this option has no pointers; it sets one bit of the calling thread.
    let result = unsafe {
        libc::prctl(
            libc::PR_SET_NO_NEW_PRIVS,
            1 as libc::c_ulong,
            0 as libc::c_ulong,
            0 as libc::c_ulong,
            0 as libc::c_ulong,
        )
    };
    match result {
        0 => Ok("no program gives it more (no_new_privs)".to_owned()),
        _ => Err(said(io::Error::last_os_error())),
    }
}

/// The walls of landlock: no path, no TCP, no signals to others, no abstract sockets of others.
///
/// Public, so that it can be tried without the filter of system calls, which would hide it.
pub fn landlocked() -> Vec<Wall> {
    let names = ["files", "network", "other processes"];
    let status = match restrict() {
        Ok(status) => status,
        Err(error) => return names.map(|it| Wall::new(it, Err(error.to_string()))).into(),
    };
    let abi = match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, LandlockStatus::NotImplemented) => {
            Err("the kernel has no landlock, or a container denies it")
        }
        (RulesetStatus::NotEnforced, _) => Err("landlock is switched off in this kernel"),
        (_, LandlockStatus::Available { effective_abi, .. }) => Ok(effective_abi),
        _ => Err("landlock does not say what it does"),
    };
    let has = |least: ABI, does: &str| match abi {
        Ok(abi) if abi >= least => Ok(format!("{does} (landlock, ABI {})", abi as i32)),
        Ok(abi) => Err(format!(
            "needs ABI {} of landlock, and the kernel has {}",
            least as i32, abi as i32
        )),
        Err(why) => Err(why.to_owned()),
    };
    let [files, network, others] = names;
    vec![
        Wall::new(files, has(ABI::V1, "no path can be opened")),
        Wall::new(network, has(ABI::V4, "no TCP, neither out nor in")),
        Wall::new(others, has(ABI::V6, "no signals, no abstract sockets")),
    ]
}

fn restrict() -> Result<RestrictionStatus, RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .set_compatibility(CompatLevel::BestEffort)
        .restrict_self()
}
