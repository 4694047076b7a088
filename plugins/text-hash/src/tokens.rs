//! Takes text apart into tokens, each handed to `emit`.
//!
//! Where scikit-learn has a rule, it is followed, down to short words and
//! repeated white space. One thing differs: a letter is what Unicode calls
//! alphabetic, which takes in the dependent vowel signs of Indic scripts, at
//! which Python's `\w` breaks a word.

use crate::settings::Tokens;
use std::collections::BTreeSet;

/// The tokens of `text`, which is lower-case already if it is to be.
pub fn tokens(
    tokens: &Tokens,
    stop_words: &BTreeSet<String>,
    text: &str,
    emit: &mut impl FnMut(&str),
) {
    match tokens {
        Tokens::Words {
            min,
            max,
            least_length,
        } => {
            let mut words: Vec<&str> = words(text, *least_length).collect();
            words.retain(|word| !stop_words.contains(*word));
            word_runs(&words, *min, *max, emit);
        }
        Tokens::Chars { min, max } => {
            char_runs(&single_spaced(text), *min, *max, emit);
        }
        Tokens::WordChars { min, max } => {
            for word in text.split(is_space).filter(|word| !word.is_empty()) {
                padded_runs(&format!(" {word} "), *min, *max, emit);
            }
        }
        Tokens::Split { by } => {
            let parts = text
                .split(by.as_str())
                .map(|part| part.trim_matches(is_space));
            parts.filter(|part| !part.is_empty()).for_each(emit);
        }
        Tokens::Whole => emit(text),
    }
}

fn words(text: &str, least: usize) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        // No word is empty, whatever the setting.
        .filter(move |word| !word.is_empty() && word.chars().count() >= least)
}

fn word_runs(words: &[&str], min: usize, max: usize, emit: &mut impl FnMut(&str)) {
    let mut run = String::new();
    for n in min..=max {
        for words in words.windows(n) {
            if let [word] = words {
                emit(word);
                continue;
            }
            run.clear();
            for (index, word) in words.iter().enumerate() {
                if index > 0 {
                    run.push(' ');
                }
                run.push_str(word);
            }
            emit(&run);
        }
    }
}

fn char_runs(text: &str, min: usize, max: usize, emit: &mut impl FnMut(&str)) {
    let starts = starts(text);
    for n in min..=max {
        runs(text, &starts, n, emit);
    }
}

/// A word that is shorter than a run counts once.
fn padded_runs(word: &str, min: usize, max: usize, emit: &mut impl FnMut(&str)) {
    let starts = starts(word);
    for n in min..=max {
        if n + 1 >= starts.len() {
            emit(word);
            break;
        }
        runs(word, &starts, n, emit);
    }
}

fn runs(text: &str, starts: &[usize], n: usize, emit: &mut impl FnMut(&str)) {
    for ends in starts.windows(n + 1) {
        if let Some(run) = text.get(ends[0]..ends[n]) {
            emit(run);
        }
    }
}

/// Where each character begins, and where the last one ends.
fn starts(text: &str) -> Vec<usize> {
    let starts = text.char_indices().map(|(at, _)| at);
    starts.chain([text.len()]).collect()
}

/// Runs of two or more white-space characters as one space.
fn single_spaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if !is_space(c) || !rest.peek().is_some_and(|&next| is_space(next)) {
            out.push(c);
            continue;
        }
        while rest.next_if(|&next| is_space(next)).is_some() {}
        out.push(' ');
    }
    out
}

/// White space as Python sees it: Unicode's, and four separators of ASCII.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: &Tokens, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        let stop_words = BTreeSet::from(["the".to_owned()]);
        tokens(kind, &stop_words, text, &mut |token| {
            found.push(token.to_owned())
        });
        found
    }

    #[test]
    fn words_and_their_runs_step_over_stop_words() {
        let words = Tokens::Words {
            min: 1,
            max: 2,
            least_length: 2,
        };
        assert_eq!(
            found(&words, "over the lazy_1 dog, a né"),
            [
                "over",
                "lazy_1",
                "dog",
                "né",
                "over lazy_1",
                "lazy_1 dog",
                "dog né"
            ]
        );
        assert!(found(&words, " . , a").is_empty());
    }

    #[test]
    fn characters_with_white_space_in_one_piece() {
        let chars = Tokens::Chars { min: 2, max: 3 };
        assert_eq!(found(&chars, "é \t b"), ["é ", " b", "é b"]);
        assert!(found(&chars, "x").is_empty());
    }

    #[test]
    fn characters_within_words() {
        let chars = Tokens::WordChars { min: 3, max: 5 };
        assert_eq!(found(&chars, "ab  c"), [" ab", "ab ", " ab ", " c "]);
    }

    #[test]
    fn tags_and_categories() {
        let split = Tokens::Split { by: "|".into() };
        assert_eq!(found(&split, " a| b c ||"), ["a", "b c"]);
        assert_eq!(found(&Tokens::Whole, "a b"), ["a b"]);
    }

    /// Whatever the text, runs lie within it and no token is empty.
    #[test]
    fn any_text_can_be_taken_apart() {
        let letters: Vec<char> = "aB _9é ß漢 \u{301}\u{1f}\t👩‍🚀ा.".chars().collect();
        let mut seed = 1_u64;
        for round in 0..500 {
            let text: String = (0..round % 40)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    letters[(seed >> 33) as usize % letters.len()]
                })
                .collect();
            for kind in [
                Tokens::default(),
                Tokens::Chars { min: 1, max: 4 },
                Tokens::WordChars { min: 2, max: 5 },
                Tokens::Split { by: " ".into() },
            ] {
                assert!(found(&kind, &text).iter().all(|token| !token.is_empty()));
            }
            let singles = found(&Tokens::Chars { min: 1, max: 1 }, &text);
            assert_eq!(singles.concat(), single_spaced(&text));
        }
    }
}
