//! `wrun batch image`.

mod engine;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::cli::context::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::exit;
use crate::image::{self, Architecture, Image, ImageError, ImageName, Registry, RootsError, roots};
use crate::report::human;

/// Where Linux shows every process the program that it executes, even when its file is gone.
const RUNNING: &str = "/proc/self/exe";
/// What this wrun says when it is asked for its version.
const VERSION: &str = concat!("wrun ", env!("CARGO_PKG_VERSION"));
/// How to make a program for Linux anywhere.
const STATIC: &str =
    "`cargo build --release --target x86_64-unknown-linux-musl` makes one that needs no libraries";

/// Build the container image in which steps run
///
/// The image holds wrun, the libraries that it is linked to, the certificates that this machine
/// trusts and an empty `/tmp`; no system, and no code of a flow: that comes from the datastore. By
/// default the program is the one that you are running, so that what drives a run and what works for it
/// are the same.
///
/// Loads the image into Docker, or writes it to a file, for which no Docker is needed. Prints the name of the
/// image.
#[derive(Debug, clap::Args)]
pub(crate) struct ImageArgs {
    /// Name of the image; without `:TAG` its version and the digest of its contents are added
    #[arg(long, value_name = "NAME[:TAG]", default_value = "wrun")]
    tag: ImageName,
    /// Put this program into the image instead of the running one
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    binary: Option<PathBuf>,
    /// Write the image to this file instead of loading it
    #[arg(long, short, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    output: Option<PathBuf>,
    /// Push the image to its registry after loading it
    #[arg(long, conflicts_with = "output")]
    push: bool,
}

/// Builds the image and brings it to where it is wanted.
pub(crate) fn run(cx: &Context, args: &ImageArgs) -> Result<u8, CliError> {
    if args.push && args.tag.registry().is_none() {
        return Err(
            CliError::usage(format!("image `{}` belongs to no registry", args.tag)).hint(
                "name one, e.g. `--tag 123456789012.dkr.ecr.eu-central-1.amazonaws.com/wrun`",
            ),
        );
    }
    let image = build(args)?;
    let name = args
        .tag
        .clone()
        .or_tag(&image.tag(env!("CARGO_PKG_VERSION")));
    match &args.output {
        Some(path) => write(&image, &name, &cx.directory.join(path))?,
        None => engine::load(&image, &name)?,
    }
    if args.push {
        engine::push(&name).map_err(|error| error.with_hints(login(&name)))?;
    }
    tell(cx, args, &image, &name)?;
    Ok(exit::OK)
}

fn build(args: &ImageArgs) -> Result<Image, CliError> {
    let (file, program) = program(args.binary.as_deref())?;
    let named = std::env::var_os(roots::VARIABLE).map(PathBuf::from);
    let image = roots::read(named.as_deref())
        .map_err(ImageError::Roots)
        .and_then(|roots| image::build(&file, &program, &roots));
    image.map_err(explain)
}

/// The program that goes into the image, and what to call its file.
fn program(binary: Option<&Path>) -> Result<(String, Vec<u8>), CliError> {
    let path = match binary {
        Some(path) => path,
        None if std::env::consts::OS == "linux" => Path::new(RUNNING),
        None => {
            return Err(CliError::new(
                Kind::Unavailable,
                "the running wrun cannot be the program of an image",
            )
            .cause(format!(
                "it is for {}, and containers run Linux",
                std::env::consts::OS
            ))
            .hint("`wrun batch image --binary FILE` takes a wrun for Linux")
            .hint(STATIC));
        }
    };
    let bytes = std::fs::read(path).map_err(|error| {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => Kind::NotFound,
            _ => Kind::Unavailable,
        };
        CliError::new(kind, format!("could not read program `{}`", path.display()))
            .caused_by(&error)
    })?;
    if let Some(path) = binary {
        must_be_this_version(path, &bytes)?;
    }
    let file = binary.map_or_else(|| "wrun".to_owned(), |path| path.display().to_string());
    Ok((file, bytes))
}

/// Asks a program for its version, where it can run here.
///
/// A worker that is not of the version of its driver may not understand what it is told.
fn must_be_this_version(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let runs_here =
        image::Elf::read(bytes).is_ok_and(|elf| Some(elf.architecture) == Architecture::here());
    if std::env::consts::OS != "linux" || !runs_here {
        return Ok(());
    }
    let said =
        std::path::absolute(path).and_then(|path| Command::new(path).arg("--version").output());
    let said = match said {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            said.trim().lines().next().unwrap_or_default().to_owned()
        }
        Err(error) => error.to_string(),
    };
    if said == VERSION {
        return Ok(());
    }
    let error = CliError::usage(format!("`{}` is not {VERSION}", path.display()))
        .cause(format!("asked for its version, it says `{said}`"));
    Err(match said.starts_with("wrun ") {
        true => error.hint(format!(
            "`{} batch image` makes the image for runs that it drives itself",
            path.display()
        )),
        false => error.hint("name a wrun of this version, or leave `--binary` out"),
    })
}

fn write(image: &Image, name: &ImageName, path: &Path) -> Result<(), CliError> {
    let unwritable = |error: &io::Error| {
        CliError::new(
            Kind::Unavailable,
            format!("could not write `{}`", path.display()),
        )
        .caused_by(error)
    };
    // What is there already stays until all of the new is there.
    let directory = path.parent().unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(directory).map_err(|error| {
        // Nobody has asked for the file that it names.
        unwritable(&error.kind().into()).hint("name a file in a directory that is there and yours")
    })?;
    let mut writer = BufWriter::new(file);
    image
        .write(name, &mut writer)
        .and_then(|()| writer.flush())
        .map_err(|error| unwritable(&error))?;
    let file = writer
        .into_inner()
        .map_err(|error| unwritable(error.error()))?;
    open_to_readers(file.as_file()).map_err(|error| unwritable(&error))?;
    file.persist(path)
        .map_err(|error| unwritable(&error.error))?;
    Ok(())
}

/// A temporary file is its owner's alone; an image is nobody's secret.
fn open_to_readers(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    let _ = file;
    Ok(())
}

fn tell(cx: &Context, args: &ImageArgs, image: &Image, name: &ImageName) -> Result<(), CliError> {
    if cx.out.json {
        return cx.out.json(&json!({
            "version": 1,
            "image": name.to_string(),
            "id": image.id(),
            "bytes": image.size(),
            "file": args.output,
            "pushed": args.push,
        }));
    }
    cx.out.text(&name.to_string())?;
    let place = match &args.output {
        Some(path) => format!("written to `{}`", path.display()),
        None if args.push => "loaded into Docker, and pushed".to_owned(),
        None => "loaded into Docker".to_owned(),
    };
    cx.out
        .say(&format!("{} {place}", human::bytes(image.size())));
    for step in next(args, name) {
        cx.out.say(&step);
    }
    Ok(())
}

/// What to do for Batch to have the image.
fn next(args: &ImageArgs, name: &ImageName) -> Vec<String> {
    if args.push {
        return vec![format!(
            "use it with `image = \"{name}\"` below `[batch]` in `wrun.toml`"
        )];
    }
    let mut steps = Vec::new();
    if let Some(path) = &args.output {
        steps.push(format!("`docker load --input {}` loads it", path.display()));
    }
    match name.registry() {
        None => steps.push(
            "give it a name in a registry for Batch to find it: `--tag REGISTRY/wrun`".to_owned(),
        ),
        Some(_) => {
            steps.extend(login(name));
            steps.push(format!("`docker push {name}` pushes it"));
        }
    }
    steps
}

/// How to be let into the registry.
fn login(name: &ImageName) -> Vec<String> {
    match name.registry() {
        Some(Registry::Ecr { host, region }) => {
            let (_, repository) = name.repository().split_once('/').unwrap_or_default();
            vec![
                format!(
                    "`aws ecr create-repository --region {region} --repository-name {repository}` makes the repository, once"
                ),
                format!(
                    "`aws ecr get-login-password --region {region} | docker login --username AWS --password-stdin {host}` logs in"
                ),
            ]
        }
        Some(Registry::Other { host }) => vec![format!(
            "`docker login {host}` logs in, where the registry wants it"
        )],
        None => Vec::new(),
    }
}

fn explain(error: ImageError) -> CliError {
    let kind = match &error {
        ImageError::Program { .. } => Kind::Usage,
        _ => Kind::Unavailable,
    };
    let it = CliError::from_error(kind, &error);
    match error {
        ImageError::Program { .. } => it
            .hint("`--binary FILE` takes a wrun for Linux")
            .hint(STATIC),
        ImageError::Libraries { .. } => it
            .hint("make the image on a machine of the kind for which the program was built")
            .hint(STATIC),
        ImageError::Roots(RootsError::None) => it
            .hint("install the package `ca-certificates`")
            .hint("set `SSL_CERT_FILE` to a file of certificates in PEM"),
        ImageError::Roots(_) => it.hint("set `SSL_CERT_FILE` to a file of certificates in PEM"),
    }
}
