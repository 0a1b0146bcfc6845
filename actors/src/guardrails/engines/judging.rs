//! The verdicts of one request, and what it lacks.

use std::collections::HashMap;

use gateway_guard::judge::llama_guard::Author;

use super::choice::EngineChoice;
use super::running::Engines;
use super::verdict::{Outcome, Question};

/// The verdicts of one side of a request so far, and the questions that a pass over its texts left open.
#[derive(Clone, Default)]
pub struct Judging {
    /// The engines.
    pub engines: Engines,
    verdicts: HashMap<Question, Outcome>,
    pending: Vec<Pending>,
}

/// A question of a check that has no answer yet.
#[derive(Clone, Debug)]
pub struct Pending {
    /// The number of the check.
    pub check: usize,
    /// The question.
    pub question: Question,
    /// Whether nothing goes on without the answer.
    pub holds: bool,
}

impl Judging {
    /// Without verdicts.
    pub fn new(engines: Engines) -> Self {
        Self { engines, ..Self::default() }
    }

    /// What an engine said of a text; none where it has not been asked, which is noted.
    pub fn look_up(
        &mut self,
        (check, choice): (usize, &EngineChoice),
        (author, text): (Author, &str),
        holds: bool,
    ) -> Option<Outcome> {
        let (engine, timeout) = (choice.engine.clone(), choice.timeout);
        let question = Question { engine, author, text: text.into(), timeout };
        let known = self.verdicts.get(&question).cloned();
        if known.is_none() {
            self.pending.push(Pending { check, question, holds });
        }
        known
    }

    /// Whether something waits for an answer.
    pub fn waits(&self) -> bool {
        self.pending.iter().any(|pending| pending.holds)
    }

    /// Whether any question is open.
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Takes the open questions.
    pub fn take_pending(&mut self) -> Vec<Pending> {
        std::mem::take(&mut self.pending)
    }

    /// Asks for all that is open.
    pub async fn ask(&mut self) {
        let pending = self.take_pending();
        let outcomes = self.engines.ask(&pending).await;
        self.learn(outcomes);
    }

    /// Takes note of answers.
    pub fn learn(&mut self, outcomes: impl IntoIterator<Item = (Question, Outcome)>) {
        self.verdicts.extend(outcomes);
    }

    /// Asks for all that something waits for.
    pub async fn ask_what_holds(&mut self) {
        let mut pending = self.take_pending();
        pending.retain(|pending| pending.holds);
        let outcomes = self.engines.ask(&pending).await;
        self.learn(outcomes);
    }

    /// The verdicts on a text.
    pub fn on<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a Outcome> {
        self.verdicts.iter().filter(move |(question, _)| &*question.text == text).map(|(_, outcome)| outcome)
    }
}
