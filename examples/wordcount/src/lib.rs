//! Counts the words of files of any size: shards of them, a foreach over the shards, a join.

mod shard;

use std::collections::{BTreeMap, HashMap};

use shard::Shard;
use wrun_sdk::prelude::*;

/// Counts the words of a text and lists the most frequent ones.
///
/// The text is a file or a directory of files, and may be larger than the memory of a step: each task
/// reads one shard of it, a piece at a time.
#[flow]
mod wordcount {
    use super::*;

    #[derive(Artifacts)]
    struct Cut {
        shards: Vec<Shard>,
    }

    #[derive(Artifacts)]
    struct Counted {
        counts: BTreeMap<String, u64>,
    }

    #[derive(Artifacts)]
    struct Total {
        words: u64,
        counts: BTreeMap<String, u64>,
    }

    #[derive(Artifacts)]
    struct Ranked {
        ranking: Vec<(String, u64)>,
    }

    /// Cuts the text into shards, between words.
    #[step(foreach = "shards", next = "count")]
    fn start(
        /// The text: files of any size
        #[param]
        text: Files,
        /// Into how many shards to cut it, and one more for each file after the first
        #[param(default = 4)]
        parts: u32,
    ) -> Result<Cut> {
        let files = text.list()?;
        let size = files.iter().map(FileRef::len).sum();
        let mut shards = Vec::new();
        for file in files {
            shards.extend(Shard::cut(&text, &file, share(file.len(), size, parts))?);
        }
        Ok(Cut { shards })
    }

    /// How many of all `parts` a file of `len` bytes gets, of `size` bytes in all files. At least one.
    fn share(len: u64, size: u64, parts: u32) -> u32 {
        // In 128 bits, because the product may be larger than any file.
        let share = u128::from(len) * u128::from(parts) / u128::from(size.max(1));
        u32::try_from(share).unwrap_or(parts).max(1)
    }

    /// Counts the words of one shard.
    #[step(next = "total")]
    fn count(text: Files, #[item] shard: Shard) -> Result<Counted> {
        let mut counts: HashMap<String, u64> = HashMap::new();
        shard.for_each_piece(&text, |piece| {
            let piece = piece.to_lowercase();
            let words = piece.split(|c: char| !c.is_alphanumeric());
            for word in words.filter(|word| !word.is_empty()) {
                match counts.get_mut(word) {
                    Some(count) => *count += 1,
                    None => drop(counts.insert(word.to_owned(), 1)),
                }
            }
        })?;
        Ok(Counted {
            counts: counts.into_iter().collect(),
        })
    }

    /// Adds the shards up, one after the other.
    #[step(join, next = "rank")]
    fn total(shards: Inputs<Counted>) -> Result<Total> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for shard in &shards {
            for (word, count) in shard?.counts {
                *counts.entry(word).or_default() += count;
            }
        }
        Ok(Total {
            words: counts.values().sum(),
            counts,
        })
    }

    /// Finds the most frequent words.
    #[step(next = "end")]
    fn rank(
        counts: BTreeMap<String, u64>,
        /// How many words to list
        #[param(default = 10)]
        top: u32,
    ) -> Ranked {
        let mut ranking: Vec<_> = counts.into_iter().collect();
        // The sort is stable: words that are equally frequent stay in alphabetical order.
        ranking.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        ranking.truncate(top as usize);
        Ranked { ranking }
    }

    /// Prints the list.
    #[step]
    fn end(words: u64, ranking: Vec<(String, u64)>) {
        println!("{words} words, most often:");
        for (word, count) in ranking {
            println!("{count:>8}  {word}");
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn counted(text: &str, parts: u32) -> Total {
            counted_in(Files::of([("text", text)]), parts)
        }

        fn counted_in(text: Files, parts: u32) -> Total {
            let shards = start(text.clone(), parts).unwrap().shards;
            let counted = shards
                .into_iter()
                .map(|shard| count(text.clone(), shard).unwrap());
            total(Inputs::from(counted.collect::<Vec<_>>())).unwrap()
        }

        #[test]
        fn words_are_counted_whatever_their_case() {
            let total = counted("The cat and the dog. THE END — naïve Naïve!", 1);
            assert_eq!(
                (total.words, total.counts["the"], total.counts["naïve"]),
                (9, 3, 2)
            );
        }

        #[test]
        fn the_number_of_shards_changes_nothing() {
            let text = "to be, or not to be: that is the question\n".repeat(50);
            let whole = counted(&text, 1);
            for parts in [2, 3, 7, 100, 5000] {
                assert_eq!(counted(&text, parts).counts, whole.counts, "{parts}");
            }
        }

        #[test]
        fn a_directory_is_counted_file_by_file() {
            let files = [
                ("a.txt", "one two"),
                ("b/c.txt", "two three"),
                ("empty", ""),
            ];
            let total = counted_in(Files::of(files), 3);
            let counts: Vec<_> = total
                .counts
                .iter()
                .map(|(word, n)| (word.as_str(), *n))
                .collect();
            assert_eq!(counts, [("one", 1), ("three", 1), ("two", 2)]);
        }

        #[test]
        fn files_share_the_parts_by_their_sizes() {
            let shares = [share(100, 100, 4), share(75, 100, 4), share(1, 100, 4)];
            assert_eq!(shares, [4, 3, 1]);
            assert_eq!(
                (share(0, 0, 4), share(u64::MAX, u64::MAX, u32::MAX)),
                (1, u32::MAX)
            );
        }

        #[test]
        fn an_empty_text_has_no_words() {
            assert_eq!(counted("", 4).words, 0);
        }

        #[test]
        fn the_most_frequent_come_first() {
            let counts = [("b", 2), ("a", 2), ("c", 9), ("d", 1)];
            let counts = counts.map(|(word, count)| (word.to_owned(), count)).into();
            let ranking = rank(counts, 3).ranking;
            let ranking: Vec<_> = ranking
                .iter()
                .map(|(word, count)| (word.as_str(), *count))
                .collect();
            assert_eq!(ranking, [("c", 9), ("a", 2), ("b", 2)]);
        }
    }
}
