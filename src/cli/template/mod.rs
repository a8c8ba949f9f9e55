//! What `wrun new` writes: a small flow that builds at once, and the guest SDK that it needs.
//!
//! The SDK is on no registry, so its sources are in this program (see `embed.rs`, the build
//! script) and become a package of the flow's own workspace. So the flow needs nothing but cargo,
//! and its code snapshot is complete.
//!
//! Pure: names and texts in, texts out.

pub(crate) mod sdk;

/// A file of a new flow: its path and its text.
pub(crate) type File = (String, String);

/// What a new flow is called and where its SDK is.
#[derive(Clone, Debug)]
pub(crate) struct NewFlow {
    /// The name of the flow and its package.
    pub(crate) name: String,
    /// The directory of an SDK elsewhere, as the flow's `Cargo.toml` names it; none for the SDK that comes with it.
    pub(crate) sdk: Option<String>,
}

const FLOW: [(&str, &str); 6] = [
    ("Cargo.toml", include_str!("flow/Cargo.toml.txt")),
    (".cargo/config.toml", include_str!("flow/config.toml.txt")),
    (".gitignore", include_str!("flow/gitignore.txt")),
    ("README.md", include_str!("flow/README.md.txt")),
    ("src/lib.rs", include_str!("flow/lib.rs.txt")),
    ("wrun.toml", include_str!("flow/wrun.toml.txt")),
];

/// All files of a new flow, sorted by path.
pub(crate) fn files(flow: &NewFlow) -> Vec<File> {
    let about_sdk = match &flow.sdk {
        None => " `wrun-sdk/` is the SDK that came with this version of wrun.",
        Some(_) => "",
    };
    let fill = |text: &str| {
        text.replace("{{name}}", &flow.name)
            .replace("{{module}}", &flow.name.replace('-', "_"))
            .replace("{{sdk}}", flow.sdk.as_deref().unwrap_or(sdk::DIRECTORY))
            .replace("{{about_sdk}}", about_sdk)
    };
    let mut files: Vec<File> = FLOW
        .iter()
        .map(|(path, text)| ((*path).to_owned(), fill(text)))
        .collect();
    if flow.sdk.is_none() {
        files.extend(sdk::files());
    }
    files.sort();
    files
}

/// Why a flow cannot have this name; none when it can.
pub(crate) fn refuse_name(name: &str) -> Option<String> {
    use crate::model::name::FlowName;
    if let Err(error) = FlowName::new(name) {
        return Some(error.to_string());
    }
    let module = name.replace('-', "_");
    // Strict and reserved keywords of Rust: the module of the flow could not be named so.
    const KEYWORDS: &str = " abstract as async await become box break const continue crate do dyn \
        else enum extern false final fn for gen if impl in let loop macro match mod move mut \
        override priv pub ref return self static struct super trait true try type typeof unsafe \
        unsized use virtual where while yield ";
    if KEYWORDS.contains(&format!(" {module} ")) {
        return Some(format!("flow name `{name}` is a word of Rust"));
    }
    // Cargo refuses or confuses a package that is named like these.
    const TAKEN: [&str; 9] = [
        "alloc",
        "build",
        "core",
        "deps",
        "examples",
        "proc_macro",
        "std",
        "test",
        "tests",
    ];
    if TAKEN.contains(&module.as_str()) || module.starts_with("wrun_sdk") {
        return Some(format!(
            "flow name `{name}` is the name of something else in its package"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(sdk: Option<&str>) -> Vec<File> {
        files(&NewFlow {
            name: "my-flow".into(),
            sdk: sdk.map(str::to_owned),
        })
    }

    #[test]
    fn nothing_is_left_to_fill_in() {
        for (path, text) in made(None)
            .iter()
            .filter(|(path, _)| !path.starts_with("wrun-sdk"))
        {
            assert!(!text.contains("{{"), "{path}: {text}");
        }
    }

    #[test]
    fn a_flow_brings_its_sdk_unless_it_is_elsewhere() {
        let paths = |files: Vec<File>| files.into_iter().map(|(path, _)| path).collect::<Vec<_>>();
        let all = paths(made(None));
        for needed in [
            "src/lib.rs",
            "wrun-sdk/src/lib.rs",
            "wrun-sdk/macros/src/lib.rs",
        ] {
            assert!(all.contains(&needed.to_owned()), "{needed}");
        }
        assert!(
            paths(made(Some("../sdk")))
                .iter()
                .all(|path| !path.starts_with("wrun-sdk/"))
        );
        let manifest = &made(Some("../sdk"))
            .into_iter()
            .find(|(p, _)| p == "Cargo.toml")
            .unwrap()
            .1;
        assert!(
            manifest.contains(r#"wrun-sdk = { path = "../sdk" }"#),
            "{manifest}"
        );
    }

    #[test]
    fn every_setting_in_the_commented_file_exists_and_holds_by_default() {
        use crate::config::{Environment, Flags, Settings};
        let text: String = FLOW[5].1.lines().fold(String::new(), |text, line| {
            let bare = line.strip_prefix("# ").unwrap_or(line);
            let is_setting = bare.starts_with('[') || bare.contains(" = ");
            text + if is_setting { bare } else { "" } + "\n"
        });
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("wrun.toml"), &text).unwrap();
        let load = |dir: &std::path::Path| {
            Settings::load(dir, &Flags::default(), &Environment::default()).unwrap()
        };
        let settings = load(dir.path());
        let untouched = load(tempfile::tempdir().unwrap().path());
        assert_eq!(settings.limits, untouched.limits);
        assert_eq!(settings.seed, untouched.seed);
        assert_eq!(settings.compression_level, untouched.compression_level);
        assert_eq!(settings.steps.len(), 1);
        for key in crate::config::keys::all()
            .filter(|key| !key.name.ends_with("-cache") && !key.name.starts_with("batch."))
        {
            let name = key.name.rsplit('.').next().unwrap();
            assert!(
                text.contains(&format!("{name} = ")),
                "{} is not in the file",
                key.name
            );
        }
    }

    #[test]
    fn names_that_cannot_be_are_refused_with_the_reason() {
        let said: Vec<_> = [
            "", "My", "1st", "a b", "match", "gen", "std", "wrun-sdk", "a/b",
        ]
        .iter()
        .map(|name| refuse_name(name).unwrap_or_else(|| panic!("{name} was allowed")))
        .collect();
        insta::assert_snapshot!(said.join("\n"), @r"
        a flow name cannot be empty
        flow name `My` has the character 'M'; lower-case letters, digits, `_` and `-` are allowed, and a letter comes first
        flow name `1st` has the character '1'; lower-case letters, digits, `_` and `-` are allowed, and a letter comes first
        flow name `a b` has the character ' '; lower-case letters, digits, `_` and `-` are allowed, and a letter comes first
        flow name `match` is a word of Rust
        flow name `gen` is a word of Rust
        flow name `std` is the name of something else in its package
        flow name `wrun-sdk` is the name of something else in its package
        flow name `a/b` has the character '/'; lower-case letters, digits, `_` and `-` are allowed, and a letter comes first
        ");
        assert_eq!(refuse_name("my-flow2"), None);
    }
}
