//! An image as one file that every engine loads and every registry takes.
//!
//! The file is an OCI image layout (OCI image specification 1.1) in a tar archive, and holds beside it the
//! `manifest.json` that `docker load` has read since long before there was that specification.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::name::ImageName;
use super::{Contents, PROGRAM};
use crate::model::archive::{self, Kind};

/// Who runs the program: nobody that a host knows.
const USER: &str = "65532:65532";
/// When everything in an image was made, so that the same contents make the same image.
const CREATED: &str = "1970-01-01T00:00:00Z";
/// Where the certificates are.
const ROOTS: &str = "etc/ssl/certs/ca-certificates.crt";
/// What glibc is told about finding hosts: its own default asks servers before `/etc/hosts`.
const NSSWITCH: &[u8] = b"hosts: files dns\n";
/// How much of a digest is in a tag.
pub(super) const TAG_DIGITS: usize = 12;

/// An image, held in memory: some tens of megabytes.
#[derive(Debug)]
pub struct Image {
    /// The files of the layout, by their names.
    blobs: BTreeMap<String, Vec<u8>>,
    config: String,
    layers: Vec<String>,
    manifest: Json,
    manifest_digest: String,
}

impl Image {
    /// Makes an image.
    ///
    /// What changes seldom, libraries and certificates, is a layer of its own: registries and hosts keep it.
    pub fn of(contents: &Contents<'_>) -> Self {
        let mut image = Self {
            blobs: BTreeMap::new(),
            config: String::new(),
            layers: Vec::new(),
            manifest: Json::Null,
            manifest_digest: String::new(),
        };
        let layers = [system(contents), program(contents)];
        image.layers = layers.map(|layer| image.put(layer)).to_vec();
        let config = config(contents, &image.layers);
        image.config = image.put(config.to_string().into_bytes());
        image.manifest = image.manifest();
        image.manifest_digest = image.put(image.manifest.to_string().into_bytes());
        image
    }

    /// What tells this image from others, `sha256:` and the digest of what it says about itself.
    pub fn id(&self) -> String {
        format!("sha256:{}", self.config)
    }

    /// A tag that follows from the contents: `version-digest`.
    pub fn tag(&self, version: &str) -> String {
        // A version may have a `+`, a tag may not.
        let version = version.replace('+', "_");
        format!("{version}-{}", &self.config[..TAG_DIGITS])
    }

    /// How many bytes its layers have, unpacked.
    pub fn size(&self) -> u64 {
        let sizes = self.layers.iter().map(|it| self.blobs[it].len() as u64);
        sizes.sum()
    }

    /// Writes the image as one file, in which it is called `name`.
    ///
    /// # Errors
    /// Those of `to`.
    pub fn write(&self, name: &ImageName, to: &mut impl Write) -> io::Result<()> {
        let mut directory =
            |name: &str| to.write_all(&archive::entry(name, Kind::Directory, 0o755));
        directory("blobs/")?;
        directory("blobs/sha256/")?;
        for (digest, bytes) in &self.blobs {
            file(to, &format!("blobs/sha256/{digest}"), 0o644, bytes)?;
        }
        let of_docker = self.manifest_of_docker(name).to_string();
        for (path, text) in [
            ("index.json", self.index(name).to_string()),
            ("manifest.json", of_docker),
            (
                "oci-layout",
                json!({ "imageLayoutVersion": "1.0.0" }).to_string(),
            ),
        ] {
            file(to, path, 0o644, text.as_bytes())?;
        }
        to.write_all(&archive::END)
    }

    fn put(&mut self, bytes: Vec<u8>) -> String {
        let digest = sha256(&bytes);
        self.blobs.insert(digest.clone(), bytes);
        digest
    }

    fn describe(&self, digest: &str, media_type: &str) -> Json {
        json!({
            "mediaType": format!("application/vnd.oci.image.{media_type}"),
            "digest": format!("sha256:{digest}"),
            "size": self.blobs[digest].len(),
        })
    }

    fn manifest(&self) -> Json {
        let layers = self
            .layers
            .iter()
            .map(|it| self.describe(it, "layer.v1.tar"));
        json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self.describe(&self.config, "config.v1+json"),
            "layers": layers.collect::<Vec<_>>(),
        })
    }

    fn index(&self, name: &ImageName) -> Json {
        let mut manifest = self.describe(&self.manifest_digest, "manifest.v1+json");
        manifest["annotations"] = json!({
            "io.containerd.image.name": full(name),
            "org.opencontainers.image.ref.name": name.tag().unwrap_or("latest"),
        });
        json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [manifest],
        })
    }

    fn manifest_of_docker(&self, name: &ImageName) -> Json {
        let path = |digest: &String| format!("blobs/sha256/{digest}");
        json!([{
            "Config": path(&self.config),
            "RepoTags": [name.to_string()],
            "Layers": self.layers.iter().map(path).collect::<Vec<_>>(),
        }])
    }
}

/// The name with the registry that engines add where there is none.
fn full(name: &ImageName) -> String {
    let repository = name.repository();
    match (name.registry(), repository.contains('/')) {
        (Some(_), _) => name.to_string(),
        (None, true) => format!("docker.io/{name}"),
        (None, false) => format!("docker.io/library/{name}"),
    }
}

/// What an image says about itself.
fn config(contents: &Contents<'_>, layers: &[String]) -> Json {
    let digests = layers.iter().map(|it| format!("sha256:{it}"));
    let made = ["libraries and certificates", "wrun"];
    let history = made.map(|what| json!({ "created": CREATED, "created_by": what }));
    json!({
        "created": CREATED,
        "architecture": contents.architecture.to_string(),
        "os": "linux",
        "config": {
            "User": USER,
            "Env": ["HOME=/tmp", format!("SSL_CERT_FILE=/{ROOTS}")],
            "Entrypoint": [PROGRAM],
            "WorkingDir": "/tmp",
        },
        "rootfs": { "type": "layers", "diff_ids": digests.collect::<Vec<_>>() },
        "history": history,
    })
}

/// The layer of what changes seldom.
fn system(contents: &Contents<'_>) -> Vec<u8> {
    let mut files = BTreeMap::from([
        ("etc/nsswitch.conf".to_owned(), (0o644, NSSWITCH)),
        (ROOTS.to_owned(), (0o644, contents.roots)),
    ]);
    for library in contents.libraries {
        let path = library.path.trim_start_matches('/').to_owned();
        files.insert(path, (0o755, &library.bytes));
    }
    // Everything that a task writes beside the datastore goes there.
    let mut directories = BTreeMap::from([("tmp/".to_owned(), 0o1777)]);
    for path in files.keys() {
        let ends = path.match_indices('/').map(|(at, _)| at + 1);
        directories.extend(ends.map(|end| (path[..end].to_owned(), 0o755)));
    }
    let mut layer = Vec::new();
    for (path, mode) in directories {
        layer.extend(archive::entry(&path, Kind::Directory, mode));
    }
    for (path, (mode, bytes)) in files {
        file(&mut layer, &path, mode, bytes).expect("memory takes what is written to it");
    }
    layer.extend(archive::END);
    layer
}

/// The layer of the program.
fn program(contents: &Contents<'_>) -> Vec<u8> {
    let mut layer = Vec::new();
    let path = PROGRAM.trim_start_matches('/');
    file(&mut layer, path, 0o755, contents.program).expect("memory takes what is written to it");
    layer.extend(archive::END);
    layer
}

fn file(to: &mut impl Write, path: &str, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let size = bytes.len() as u64;
    to.write_all(&archive::entry(path, Kind::File(size), mode))?;
    to.write_all(bytes)?;
    to.write_all(&archive::padding(size))
}

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::elf::Architecture;
    use crate::image::libraries::Library;

    fn image(program: &[u8]) -> Image {
        Image::of(&Contents {
            program,
            architecture: Architecture::Amd64,
            libraries: &[Library {
                path: "/lib64/ld.so".into(),
                bytes: b"loader".to_vec(),
            }],
            roots: b"roots",
        })
    }

    fn written(image: &Image) -> Vec<u8> {
        let mut bytes = Vec::new();
        let name = "wrun:x".parse().unwrap();
        image.write(&name, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_same_contents_make_the_same_bytes() {
        assert_eq!(written(&image(b"a")), written(&image(b"a")));
        assert_ne!(image(b"a").id(), image(b"b").id());
        // Only the layer of the program is another.
        assert_eq!(image(b"a").layers[0], image(b"b").layers[0]);
    }

    #[test]
    fn a_tag_has_the_version_and_the_digest() {
        let image = image(b"a");
        let tag = image.tag("1.0.0+local");
        assert_eq!(tag, format!("1.0.0_local-{}", &image.id()[7..19]));
        assert!(format!("wrun:{tag}").parse::<ImageName>().is_ok());
    }

    #[test]
    fn what_is_described_is_there_with_its_size_and_digest() {
        let image = image(b"a");
        let described = [&image.manifest["config"]];
        let layers = image.manifest["layers"].as_array().unwrap();
        for it in described.into_iter().chain(layers) {
            let digest = it["digest"].as_str().unwrap().strip_prefix("sha256:");
            let blob = &image.blobs[digest.unwrap()];
            assert_eq!(it["size"], blob.len());
            assert_eq!(digest, Some(sha256(blob).as_str()));
        }
    }

    #[test]
    fn the_layer_of_the_system_has_every_directory_before_what_is_in_it() {
        let image = image(b"a");
        insta::assert_snapshot!(listing(&image.blobs[&image.layers[0]]), @r"
        0000755 etc/
        0000755 etc/ssl/
        0000755 etc/ssl/certs/
        0000755 lib64/
        0001777 tmp/
        0000644 etc/nsswitch.conf
        0000644 etc/ssl/certs/ca-certificates.crt
        0000755 lib64/ld.so
        ");
        insta::assert_snapshot!(listing(&image.blobs[&image.layers[1]]), @"0000755 wrun");
    }

    #[test]
    fn an_image_is_not_run_by_root_and_says_where_to_find_things() {
        let image = image(b"a");
        let config: Json = serde_json::from_slice(&image.blobs[&image.config]).unwrap();
        insta::assert_snapshot!(config["config"], @r#"{"User":"65532:65532","Env":["HOME=/tmp","SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"],"Entrypoint":["/wrun"],"WorkingDir":"/tmp"}"#);
    }

    #[test]
    fn digests_are_those_of_sha_256() {
        // The example of FIPS 180-4 for one block.
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    /// Mode and name of every entry of an archive.
    fn listing(archive: &[u8]) -> String {
        let (mut at, mut lines) = (0, String::new());
        while archive[at] != 0 {
            let head = &archive[at..at + 512];
            let field = |from: usize, to: usize| {
                let text = std::str::from_utf8(&head[from..to]).unwrap();
                text.trim_end_matches('\0').to_owned()
            };
            let size = usize::from_str_radix(&field(124, 136), 8).unwrap();
            lines += &format!("{} {}\n", field(100, 108), field(0, 100));
            at += 512 + size.next_multiple_of(512);
        }
        lines
    }
}
