//! The text format: `key=value` lines, a header and then one section per tree.

use std::{collections::HashMap, str::FromStr};

/// Most trees in a file.
const MAX_TREES: usize = 1 << 20;

/// One section's lines.
#[derive(Debug, Default)]
pub(super) struct Section<'a>(HashMap<&'a str, &'a str>);

/// A parsed file; values are still text.
#[derive(Debug)]
pub(super) struct File<'a> {
    pub(super) header: Section<'a>,
    pub(super) trees: Vec<Section<'a>>,
    /// Whether the line `average_output` stands in the header (random forests).
    pub(super) averages: bool,
}

impl<'a> File<'a> {
    /// Splits the text; what follows `end of trees` (importances, parameters)
    /// does not matter to predictions.
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
        let mut file = Self {
            header: Section::default(),
            trees: Vec::new(),
            averages: false,
        };
        let mut ended = false;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if line == "end of trees" {
                ended = true;
                break;
            }
            match line.split_once('=') {
                Some(("Tree", index)) => {
                    if index.parse() != Ok(file.trees.len()) || file.trees.len() >= MAX_TREES {
                        return Err(format!(
                            "line {}: tree {index:?} is out of order",
                            number + 1
                        ));
                    }
                    file.trees.push(Section::default());
                }
                Some((key, value)) => {
                    let section = file.trees.last_mut().unwrap_or(&mut file.header);
                    section.0.insert(key, value);
                }
                None => file.averages |= file.trees.is_empty() && line == "average_output",
            }
        }
        if ended {
            Ok(file)
        } else {
            Err("the file ends before `end of trees`".to_owned())
        }
    }
}

impl Section<'_> {
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).copied()
    }

    /// A number that must be there.
    pub(super) fn number<T: FromStr>(&self, key: &str) -> Result<T, String> {
        let text = self.get(key).ok_or_else(|| format!("{key} is missing"))?;
        text.trim()
            .parse()
            .map_err(|_| format!("{key} is {:?}", short(text)))
    }

    /// A number that may be missing.
    pub(super) fn number_or<T: FromStr>(&self, key: &str, default: T) -> Result<T, String> {
        if self.get(key).is_some() {
            self.number(key)
        } else {
            Ok(default)
        }
    }

    /// Exactly `count` numbers.
    pub(super) fn list<T: FromStr>(&self, key: &str, count: usize) -> Result<Vec<T>, String> {
        let text = self.get(key).ok_or_else(|| format!("{key} is missing"))?;
        let mut list = Vec::new();
        for word in text.split_ascii_whitespace() {
            let number = word
                .parse()
                .map_err(|_| format!("{key} holds {:?}", short(word)))?;
            list.push(number);
        }
        if list.len() == count {
            return Ok(list);
        }
        Err(format!(
            "{key} has {} entries, expected {count}",
            list.len()
        ))
    }
}

fn short(text: &str) -> String {
    text.chars().take(32).collect()
}
