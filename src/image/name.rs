//! What an image is called: `[registry/]repository[:tag]`.

use std::fmt;
use std::str::FromStr;

use super::layout::TAG_DIGITS;

/// The longest tag, by the specification of OCI distribution.
const MAX_TAG: usize = 128;
/// The longest name of a repository with its registry.
const MAX_REPOSITORY: usize = 255;

/// What an image is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageName {
    repository: String,
    tag: Option<String>,
}

/// Where an image is pushed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Registry {
    /// A registry of AWS, in a region.
    Ecr {
        /// Its host.
        host: String,
        /// The region.
        region: String,
    },
    /// Another one.
    Other {
        /// Its host.
        host: String,
    },
}

/// A text that is no name of an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not the name of an image: `repository` or `registry/repository`, in lower-case letters, \
     digits, `.`, `_` and `-`, and `:tag` after it where one is wanted"
)]
pub struct ImageNameError(String);

impl ImageName {
    /// The same name with `tag`, unless it has one.
    pub fn or_tag(mut self, tag: &str) -> Self {
        self.tag.get_or_insert_with(|| tag.to_owned());
        self
    }

    /// The repository with its registry, without the tag.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, where it has one.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The version of the wrun in the image, where its tag is one that follows from the contents
    /// ([`Image::tag`](super::Image::tag)).
    pub fn version(&self) -> Option<String> {
        let (version, digest) = self.tag()?.rsplit_once('-')?;
        let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        let is_digest = digest.len() == TAG_DIGITS && digest.chars().all(is_hex);
        let numbers = version.split('.').take(3);
        let is_version = numbers.clone().count() == 3
            && numbers
                .into_iter()
                .all(|it| it.starts_with(|c: char| c.is_ascii_digit()));
        (is_digest && is_version).then(|| version.replace('_', "+"))
    }

    /// The registry that the name says, if it says one.
    pub fn registry(&self) -> Option<Registry> {
        let (host, _) = self.repository.split_once('/')?;
        if !host.contains(['.', ':']) && host != "localhost" {
            return None;
        }
        let host = host.to_owned();
        let ecr = host.split_once(".dkr.ecr.");
        let region = ecr.and_then(|(_, rest)| rest.split_once(".amazonaws.com"));
        Some(match region {
            Some((region, _)) => Registry::Ecr {
                region: region.to_owned(),
                host,
            },
            None => Registry::Other { host },
        })
    }
}

impl FromStr for ImageName {
    type Err = ImageNameError;

    fn from_str(text: &str) -> Result<Self, ImageNameError> {
        let last = text.rfind('/').map_or(0, |at| at + 1);
        let (repository, tag) = match text[last..].split_once(':') {
            Some((name, tag)) => (&text[..last + name.len()], Some(tag)),
            None => (text, None),
        };
        let good = is_repository(repository) && tag.is_none_or(is_tag);
        match good {
            true => Ok(Self {
                repository: repository.to_owned(),
                tag: tag.map(str::to_owned),
            }),
            false => Err(ImageNameError(text.to_owned())),
        }
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        match &self.tag {
            Some(tag) => write!(f, ":{tag}"),
            None => Ok(()),
        }
    }
}

fn is_repository(text: &str) -> bool {
    let is_name = |part: &str| {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(inner)
            && part.ends_with(inner)
            && part.chars().all(|c| inner(c) || "._-".contains(c))
    };
    let mut parts = text.split('/');
    let first = parts.next().unwrap_or_default();
    // Only a registry has a port.
    let (host, port) = first.split_once(':').unwrap_or((first, "0"));
    let has_path = text.contains('/') || !first.contains(':');
    text.len() <= MAX_REPOSITORY
        && has_path
        && is_name(host)
        && port.parse::<u16>().is_ok()
        && parts.all(is_name)
}

fn is_tag(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= MAX_TAG
        && text.starts_with(inner)
        && text.chars().all(|c| inner(c) || ".-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ImageName {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_prints_as_it_was_given() {
        for text in [
            "wrun",
            "wrun:1",
            "team/wrun",
            "localhost:5000/wrun",
            "localhost:5000/a/b_c:V1.2-x",
            "123456789012.dkr.ecr.eu-central-1.amazonaws.com/wrun",
        ] {
            assert_eq!(name(text).to_string(), text);
        }
    }

    #[test]
    fn what_no_engine_accepts_is_refused() {
        for text in [
            "",
            "Wrun",
            "wrun:",
            "wrun:a:b",
            "/wrun",
            "wrun/",
            "a//b",
            "wr un",
            "wrun:-x",
            "localhost:x/wrun",
            "-a",
        ] {
            assert!(text.parse::<ImageName>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_tag_is_added_where_there_is_none() {
        assert_eq!(name("a/wrun").or_tag("1").to_string(), "a/wrun:1");
        assert_eq!(name("a/wrun:2").or_tag("1").to_string(), "a/wrun:2");
    }

    #[test]
    fn a_tag_that_follows_from_the_contents_says_the_version() {
        let version = |text: &str| name(text).version();
        let is = |version: &str| Some(version.to_owned());
        assert_eq!(version("a/wrun:0.1.0-0123456789ab"), is("0.1.0"));
        assert_eq!(
            version("wrun:1.2.3-rc.1_x-0123456789ab"),
            is("1.2.3-rc.1+x")
        );
        for own in [
            "wrun",
            "wrun:1.2.3",
            "wrun:v7-0123456789ab",
            "wrun:0.1.0-final",
            "a:b-c",
        ] {
            assert_eq!(version(own), None, "{own}");
        }
    }

    #[test]
    fn the_registry_is_read_from_the_name() {
        assert_eq!(name("wrun").registry(), None);
        assert_eq!(name("team/wrun").registry(), None);
        assert_eq!(
            name("localhost:5000/wrun").registry(),
            Some(Registry::Other {
                host: "localhost:5000".into()
            })
        );
        assert_eq!(
            name("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/wrun").registry(),
            Some(Registry::Ecr {
                host: "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn".into(),
                region: "cn-north-1".into()
            })
        );
    }
}
