//! What a run has to say besides its verdicts: inputs that were passed over, names that match nothing.
//!
//! In: texts and places. Out: lines for standard error, in the order of their making.

use std::{cell::RefCell, fmt, sync::Arc};

use crate::{
    document::DocumentError,
    policy::PolicyError,
    report::escape,
    span::{File, Span},
};

/// Whether a notice changes the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// For the record.
    Note,
    /// Something is odd; an error with `--strict`.
    Warning,
    /// Something that was asked for could not be done.
    Error,
}

/// One thing to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// How much it weighs.
    pub weight: Weight,
    /// `path:line:column` or a path; empty when it is about no file.
    pub place: String,
    /// What there is to say, raw.
    pub text: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = match self.weight {
            Weight::Note => "note",
            Weight::Warning => "warning",
            Weight::Error => "error",
        };
        write!(f, "{weight}: ")?;
        if !self.place.is_empty() {
            write!(f, "{}: ", escape::line(&self.place))?;
        }
        f.write_str(&escape::line(&self.text))?;
        match &self.help {
            Some(help) => write!(f, "; {}", escape::line(help)),
            None => Ok(()),
        }
    }
}

/// The notices of a run.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    list: RefCell<Vec<Notice>>,
    strict: bool,
}

impl Notices {
    /// No notices yet; with `strict` every warning is an error.
    pub(crate) fn new(strict: bool) -> Self {
        Self { strict, ..Self::default() }
    }

    /// Adds a notice; the same one is never said twice.
    pub(crate) fn add(&self, mut notice: Notice) {
        if self.strict && notice.weight == Weight::Warning {
            notice.weight = Weight::Error;
        }
        let mut list = self.list.borrow_mut();
        if !list.contains(&notice) {
            list.push(notice);
        }
    }

    /// Adds a notice about a path, or about nothing in particular.
    pub(crate) fn say(&self, weight: Weight, place: impl Into<String>, text: impl Into<String>) {
        self.add(Notice { weight, place: place.into(), text: text.into(), help: None });
    }

    /// Adds a notice about a place in a file.
    pub(crate) fn at(&self, weight: Weight, file: &Arc<File>, at: Span, text: impl Into<String>) {
        self.add(Notice { weight, place: place(file, at), text: text.into(), help: None });
    }

    /// Adds a notice about a document that can't be read.
    pub(crate) fn document(&self, weight: Weight, file: &Arc<File>, error: &DocumentError) {
        let help = error.help().map(str::to_owned);
        self.add(Notice { weight, place: place(file, error.at()), text: error.to_string(), help });
    }

    /// Adds a notice about a policy or an exception that takes no part.
    pub(crate) fn policy(&self, weight: Weight, error: &PolicyError) {
        let (place, text) = (place(&error.file, error.at), error.problem.to_string());
        self.add(Notice { weight, place, text, help: error.problem.help() });
    }

    /// The weightiest of all notices.
    pub(crate) fn worst(&self) -> Option<Weight> {
        self.list.borrow().iter().map(|notice| notice.weight).max()
    }

    /// Takes out what was said so far.
    pub(crate) fn take(&self) -> Vec<Notice> {
        self.list.take()
    }
}

fn place(file: &File, at: Span) -> String {
    let position = file.position(at.start);
    format!("{}:{}:{}", file.path(), position.line, position.column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_names_its_place_and_is_said_once() {
        let file = File::new("a.yaml", b"a: 1\nb: 2\n".to_vec());
        let notices = Notices::default();
        notices.at(Weight::Warning, &file, Span::new(5, 6), "odd\nthing");
        notices.at(Weight::Warning, &file, Span::new(5, 6), "odd\nthing");
        assert_eq!(notices.worst(), Some(Weight::Warning));
        let all: Vec<String> = notices.take().iter().map(ToString::to_string).collect();
        assert_eq!(all, ["warning: a.yaml:2:1: odd thing"]);
        let strict = Notices::new(true);
        strict.say(Weight::Warning, "", "odd");
        strict.say(Weight::Note, "", "known");
        let all: Vec<String> = strict.take().iter().map(ToString::to_string).collect();
        assert_eq!(all, ["error: odd", "note: known"]);
    }
}
