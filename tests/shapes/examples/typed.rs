//! A parameter of every type.

use std::io::Read;

use wrun_sdk::prelude::*;

/// Takes anything.
#[flow]
mod typed {
    use super::*;

    #[derive(Artifacts)]
    struct Seen {
        line: String,
        first: Option<String>,
        length: Option<u64>,
    }

    #[step]
    #[allow(clippy::too_many_arguments, reason = "one parameter of every type")]
    fn only(
        /// A truth value
        #[param(default = false)]
        yes: bool,
        #[param(default = 1)] tiny: u8,
        #[param(default = -1)] deep: i8,
        #[param(default = 2)] wide: u64,
        #[param(default = -2)] wide_deep: i64,
        #[param(default = 0.5)] half: f32,
        #[param(default = 0.25)] quarter: f64,
        #[param(default = "plain")] text: String,
        #[param(default = "red", choices = ["red", "green"], help = "A colour")] colour: String,
        #[param(default = [1, 2])] numbers: Vec<i32>,
        #[param(default = ["a"])] words: Vec<String>,
        #[param] any: Option<Json>,
        #[param] limit: Option<u32>,
        /// Any file
        #[param]
        file: Option<Blob>,
        /// A file of text
        #[param]
        page: Option<Text>,
    ) -> Result<Seen> {
        let line = format!(
            "{yes} {tiny} {deep} {wide} {wide_deep} {half} {quarter} {text} {colour} {numbers:?} \
             {words:?} {:?} {limit:?}",
            any.map(|any| any.to_string())
        );
        let mut length = None;
        if let Some(mut file) = file {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            ensure!(bytes.len() as u64 == file.len(), "all of the file is read");
            length = Some(file.len());
        }
        let first = page.and_then(|page| page.lines().next().map(str::to_owned));
        Ok(Seen {
            line,
            first,
            length,
        })
    }
}
