//! Which version of the contract between module and host a module was built for.

use wasmtime::component::Component;

use super::execute::Refusal;

/// The version that this wrun speaks. A test compares it with `guest-sdk/wit`.
pub const VERSION: &str = "0.1.0";
/// What the interfaces of the contract begin with.
const PACKAGE: &str = "wrun:flow/";

/// Why `component` cannot be used: `refusal`, unless the module was built for another version of the contract,
/// of which everything else that does not fit follows.
pub fn explained(component: &Component, refusal: Refusal) -> Refusal {
    let may_follow = match &refusal {
        Refusal::World(_) => true,
        Refusal::Import(name) => name.starts_with(PACKAGE),
        _ => false,
    };
    match theirs(component).filter(|theirs| may_follow && theirs != VERSION) {
        Some(theirs) => Refusal::Contract(theirs),
        None => refusal,
    }
}

/// The version that a module was built for; none when it does not say.
fn theirs(component: &Component) -> Option<String> {
    let ty = component.component_type();
    let mut names = ty.imports(component.engine()).map(|(name, _)| name);
    names.find_map(|name| Some(name.strip_prefix(PACKAGE)?.split_once('@')?.1.to_owned()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_that_of_the_sdk() {
        let wit = include_str!("../../guest-sdk/wit/flow.wit");
        let package = format!("\npackage wrun:flow@{};\n", super::VERSION);
        assert!(wit.contains(&package));
    }
}
