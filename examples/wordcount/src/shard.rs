//! Parts of a text, cut between words, and how they are read in constant memory.
//!
//! Cuts are at ASCII white space, which is never a part of another character in UTF-8.

use wrun_sdk::prelude::*;

/// How much of a shard is in memory at a time.
const PIECE: usize = 1 << 20;

/// How far to look for white space at a time.
const WINDOW: usize = 4096;

/// A part of a file, from one byte to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Shard {
    file: FileRef,
    from: u64,
    to: u64,
}

impl Shard {
    /// Cuts a file into at most `parts` shards of nearly the same size; fewer when it is short.
    pub(crate) fn cut(files: &Files, file: &FileRef, parts: u32) -> Result<Vec<Self>> {
        let text = &files.open(file);
        let mut shards = Vec::new();
        let mut from = 0;
        for part in 1..=u64::from(parts) {
            // In 128 bits, because the product may be larger than any file.
            let target = u128::from(text.len()) * u128::from(part) / u128::from(parts);
            let to = white_space(text, from.max(target as u64))?;
            if from < to {
                let file = file.clone();
                shards.push(Self { file, from, to });
            }
            from = to;
        }
        Ok(shards)
    }

    /// Reads the shard piece by piece and calls `each` with whole words.
    ///
    /// Bytes that are not UTF-8 are replaced. A word longer than a piece is cut.
    pub(crate) fn for_each_piece(&self, files: &Files, mut each: impl FnMut(&str)) -> Result<()> {
        let text = files.open(&self.file);
        let mut from = self.from;
        while from < self.to {
            let left = usize::try_from(self.to - from).unwrap_or(PIECE);
            let mut piece = text.read_at(from, left.min(PIECE))?;
            ensure!(
                !piece.is_empty(),
                "`{}` ends at byte {from}, before its shard",
                self.file.name()
            );
            let is_last = from + piece.len() as u64 >= self.to;
            if let (false, Some(end)) = (is_last, piece.iter().rposition(u8::is_ascii_whitespace)) {
                piece.truncate(end + 1);
            }
            from += piece.len() as u64;
            each(&String::from_utf8_lossy(&piece));
            progress(from - self.from, self.to - self.from, "bytes");
        }
        Ok(())
    }
}

/// The first white space at `from` or after it; the end of the text when there is none.
fn white_space(text: &Blob, mut from: u64) -> Result<u64> {
    loop {
        let window = text.read_at(from, WINDOW)?;
        if window.is_empty() {
            return Ok(text.len());
        }
        if let Some(found) = window.iter().position(u8::is_ascii_whitespace) {
            return Ok(from + found as u64);
        }
        from += window.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: impl AsRef<[u8]>) -> (Files, FileRef) {
        let files = Files::of([("text", text)]);
        let file = files.list().unwrap().remove(0);
        (files, file)
    }

    fn whole(file: FileRef) -> Shard {
        let (from, to) = (0, file.len());
        Shard { file, from, to }
    }

    fn pieces(files: &Files, shard: &Shard) -> Vec<String> {
        let mut pieces = Vec::new();
        shard
            .for_each_piece(files, |piece| pieces.push(piece.to_owned()))
            .unwrap();
        pieces
    }

    #[test]
    fn shards_are_the_text_cut_between_words() {
        let (files, text) = file("one two three four five");
        let shards = Shard::cut(&files, &text, 3).unwrap();
        let parts: Vec<_> = shards
            .iter()
            .flat_map(|shard| pieces(&files, shard))
            .collect();
        assert_eq!(parts, ["one two", " three four", " five"]);
    }

    #[test]
    fn a_text_without_white_space_is_one_shard() {
        let (files, text) = file("x".repeat(3 * WINDOW));
        assert_eq!(Shard::cut(&files, &text, 5).unwrap(), [whole(text)]);
    }

    #[test]
    fn pieces_of_a_large_shard_end_between_words() {
        let (files, text) = file("wörd ".repeat(PIECE / 4));
        let len = text.len();
        let pieces = pieces(&files, &whole(text));
        assert!(pieces.len() > 1);
        assert!(
            pieces
                .iter()
                .all(|piece| piece.len() <= PIECE && piece.ends_with("wörd "))
        );
        assert_eq!(pieces.concat().len() as u64, len);
    }

    #[test]
    fn a_word_longer_than_a_piece_is_cut() {
        let (files, text) = file("x".repeat(PIECE + 10));
        let lengths: Vec<_> = pieces(&files, &whole(text))
            .iter()
            .map(String::len)
            .collect();
        assert_eq!(lengths, [PIECE, 10]);
    }
}
