//! What the numbers of an answer do not say, in words.

use super::answer::{Answer, Share};
use super::instant;
use crate::model::digits::grouped;

impl Answer {
    /// Returns what a person has to know about the numbers, a sentence each.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        for (class, tokens) in self.total.sums.unpriced.iter().filter(|(_, tokens)| *tokens > 0) {
            let (tokens, class) = (grouped(tokens), class.as_str());
            remarks.push(format!("{tokens} {class} tokens have no price: they are in no cost"));
        }
        let doubt = &self.doubt;
        if let Some(from) = self.from.filter(|_| !doubt.early.is_empty()) {
            let (share, from) = (of(&doubt.early), instant::text(from));
            remarks.push(format!(
                "{share} in rows that begin before {from} are left out; some of it may be of after that"
            ));
        }
        if !doubt.late.is_empty() {
            let (share, to) = (of(&doubt.late), instant::text(self.to));
            remarks.push(format!(
                "{share} in rows that begin before {to} are counted; some of it may be of after that"
            ));
        }
        if !doubt.between.is_empty() {
            let share = of(&doubt.between);
            remarks.push(format!(
                "{share} in rows longer than a step are counted where the row begins; some of it may be of a later step"
            ));
        }
        remarks
    }
}

fn of(share: &Share) -> String {
    let (requests, tokens) = (grouped(share.requests), grouped(share.tokens));
    format!("{requests} calls with {tokens} tokens and {} dollars", share.spent_usd)
}
