//! Label selectors: `matchLabels`, where Kyverno allows wildcards in keys and values, and `matchExpressions`.
//!
//! In: the parts of a selector and the labels of an object, as text. Out: whether it selects the object.

use super::wildcard::Wildcard;

/// Why a selector is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SelectorError {
    /// The selector has no requirement.
    #[error("The requirements are not specified in selector")]
    Empty,
    /// An operator that there is not.
    #[error("\"{0}\" is not a valid label selector operator")]
    Operator(String),
    /// A key that is no label key.
    #[error("key: Invalid value: \"{0}\"")]
    Key(String),
    /// A value that is no label value.
    #[error("values: Invalid value: \"{0}\"")]
    Value(String),
    /// `In` or `NotIn` without values, or `Exists` or `DoesNotExist` with values.
    #[error("values of operator {0}: {1}")]
    Values(&'static str, &'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

impl Operator {
    fn name(self) -> &'static str {
        match self {
            Operator::In => "In",
            Operator::NotIn => "NotIn",
            Operator::Exists => "Exists",
            Operator::DoesNotExist => "DoesNotExist",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: Box<str>,
    operator: Operator,
    values: Vec<Box<str>>,
}

/// A compiled label selector. Without requirements it selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LabelSelector {
    labels: Vec<(Wildcard, Wildcard)>,
    requirements: Vec<Requirement>,
}

impl LabelSelector {
    /// An empty selector.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a pair of `matchLabels`; both sides may have wildcards.
    pub(crate) fn match_label(&mut self, key: &str, value: &str) {
        self.labels.push((Wildcard::new(key), Wildcard::new(value)));
    }

    /// Adds an entry of `matchExpressions`, which knows no wildcards.
    pub(crate) fn match_expression<'t>(
        &mut self,
        key: &str,
        operator: &str,
        values: impl IntoIterator<Item = &'t str>,
    ) -> Result<(), SelectorError> {
        let operator = match operator {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            _ => return Err(SelectorError::Operator(operator.to_owned())),
        };
        let values = values.into_iter().map(Into::into).collect();
        self.requirements.push(Requirement { key: key.into(), operator, values });
        Ok(())
    }

    /// Whether the selector has no requirement.
    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.requirements.is_empty()
    }

    /// Whether a pair of `matchLabels` has a wildcard.
    pub(crate) fn has_wildcards(&self) -> bool {
        self.labels.iter().any(|(key, value)| key.literal().is_none() || value.literal().is_none())
    }

    /// Checks keys, values and their number as Kubernetes does; the first thing wrong is returned.
    ///
    /// A wildcard in `matchLabels` is nothing wrong by itself, though Kubernetes knows none.
    pub(crate) fn validate(&self) -> Result<(), SelectorError> {
        if self.is_empty() {
            return Err(SelectorError::Empty);
        }
        for (key, value) in &self.labels {
            check_key(&key.as_str().replace(['*', '?'], "0"))?;
            check_value(&value.as_str().replace(['*', '?'], "0"))?;
        }
        self.requirements.iter().try_for_each(Requirement::validate)
    }

    /// Whether the selector selects an object with these labels. `labels` is walked once for each requirement.
    ///
    /// An invalid requirement selects nothing.
    pub(crate) fn matches<'l, L>(&self, labels: L) -> bool
    where
        L: Iterator<Item = (&'l str, &'l str)> + Clone,
    {
        let labels_match = self
            .labels
            .iter()
            .all(|(key, value)| labels.clone().any(|(label, text)| key.matches(label) && value.matches(text)));
        labels_match && self.requirements.iter().all(|it| it.holds(labels.clone()))
    }

    /// As [`LabelSelector::matches`], where only these labels are known of an object that may have others; `None` when
    /// those decide.
    pub(crate) fn matches_known<'l, L>(&self, known: L) -> Option<bool>
    where
        L: Iterator<Item = (&'l str, &'l str)> + Clone,
    {
        let is_known = |key: &str| known.clone().any(|(label, _)| label == key);
        let of_label = |(key, value): &(Wildcard, Wildcard)| {
            let holds = known.clone().any(|(label, text)| key.matches(label) && value.matches(text));
            (holds || key.literal().is_some_and(is_known)).then_some(holds)
        };
        let of_requirement = |it: &Requirement| {
            let is_decided = is_known(&it.key) || it.validate().is_err();
            is_decided.then(|| it.holds(known.clone()))
        };
        let mut all = Some(true);
        for it in self.labels.iter().map(of_label).chain(self.requirements.iter().map(of_requirement)) {
            match it {
                Some(false) => return it,
                None => all = None,
                Some(true) => {}
            }
        }
        all
    }
}

impl Requirement {
    fn validate(&self) -> Result<(), SelectorError> {
        check_key(&self.key)?;
        match self.operator {
            Operator::In | Operator::NotIn if self.values.is_empty() => {
                return Err(SelectorError::Values(self.operator.name(), "must be specified"));
            }
            Operator::Exists | Operator::DoesNotExist if !self.values.is_empty() => {
                return Err(SelectorError::Values(self.operator.name(), "may not be specified"));
            }
            _ => {}
        }
        self.values.iter().try_for_each(|it| check_value(it))
    }

    fn holds<'l>(&self, mut labels: impl Iterator<Item = (&'l str, &'l str)>) -> bool {
        if self.validate().is_err() {
            return false;
        }
        let actual = labels.find_map(|(key, value)| (key == &*self.key).then_some(value));
        let listed = |value: &str| self.values.iter().any(|it| &**it == value);
        match self.operator {
            Operator::In => actual.is_some_and(listed),
            Operator::NotIn => !actual.is_some_and(listed),
            Operator::Exists => actual.is_some(),
            Operator::DoesNotExist => actual.is_none(),
        }
    }
}

/// Whether `text` is a label key: an optional DNS subdomain and `/`, then a name of at most 63 characters.
pub(crate) fn is_key(text: &str) -> bool {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    prefix.is_none_or(is_subdomain) && !name.is_empty() && is_value(name)
}

/// Whether `text` is a label value: empty, or at most 63 letters, digits, `-`, `_`, `.`, the outer ones alphanumeric.
pub(crate) fn is_value(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    text.len() <= 63
        && ends.into_iter().flatten().all(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// Whether `text` is a DNS subdomain in lower case: labels joined by `.`, at most 253 characters in all.
pub(crate) fn is_subdomain(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            let bytes = label.as_bytes();
            let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            bytes.first().is_some_and(alphanumeric)
                && bytes.last().is_some_and(alphanumeric)
                && bytes.iter().all(|byte| alphanumeric(byte) || *byte == b'-')
        })
}

fn check_key(key: &str) -> Result<(), SelectorError> {
    if is_key(key) { Ok(()) } else { Err(SelectorError::Key(key.to_owned())) }
}

fn check_value(value: &str) -> Result<(), SelectorError> {
    if is_value(value) { Ok(()) } else { Err(SelectorError::Value(value.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: [(&str, &str); 2] = [("app", "web"), ("app.kubernetes.io/name", "shop")];

    fn label(key: &str, value: &str) -> bool {
        let mut selector = LabelSelector::new();
        selector.match_label(key, value);
        selector.matches(LABELS.into_iter())
    }

    fn expression(key: &str, operator: &str, values: &[&str]) -> bool {
        let mut selector = LabelSelector::new();
        selector.match_expression(key, operator, values.iter().copied()).expect("an operator");
        selector.matches(LABELS.into_iter())
    }

    #[test]
    fn labels_may_have_wildcards() {
        assert!(label("app", "web"));
        assert!(label("app", "w*"));
        assert!(label("a*", "web"));
        assert!(label("*", "*"));
        assert!(label("app*/name", "sh?p"));
        assert!(!label("app", "x*"));
        assert!(!label("tier", "*"));
        let mut selector = LabelSelector::new();
        selector.match_label("*", "*");
        assert!(!selector.matches([].into_iter()));
        assert!(selector.has_wildcards());
    }

    #[test]
    fn expressions() {
        assert!(expression("app", "In", &["web", "api"]));
        assert!(!expression("app", "In", &["w*", "w"]));
        assert!(!expression("tier", "In", &["web"]));
        assert!(expression("tier", "NotIn", &["web"]));
        assert!(!expression("app", "NotIn", &["web"]));
        assert!(expression("app", "Exists", &[]));
        assert!(expression("tier", "DoesNotExist", &[]));
        assert!(!expression("app", "NotIn", &[]), "without values it is invalid");
        assert!(LabelSelector::new().match_expression("app", "in", []).is_err());
    }

    #[test]
    fn labels_that_are_not_known_leave_open_what_they_decide() {
        let known = [("name", "shop")];
        let label = |key: &str, value: &str| {
            let mut selector = LabelSelector::new();
            selector.match_label(key, value);
            selector.matches_known(known.into_iter())
        };
        assert_eq!(label("name", "sh*"), Some(true));
        assert_eq!(label("name", "x"), Some(false));
        assert_eq!(label("*", "shop"), Some(true));
        assert_eq!(label("*", "x"), None);
        assert_eq!(label("env", "prod"), None);
        let expressions = |parts: &[(&str, &str, &[&str])]| {
            let mut selector = LabelSelector::new();
            for (key, operator, values) in parts {
                selector.match_expression(key, operator, values.iter().copied()).expect("an operator");
            }
            selector.matches_known(known.into_iter())
        };
        assert_eq!(expressions(&[("name", "NotIn", &["x"])]), Some(true));
        assert_eq!(expressions(&[("env", "Exists", &[])]), None);
        assert_eq!(expressions(&[("env", "Exists", &[]), ("name", "In", &["x"])]), Some(false), "no wins");
        assert_eq!(expressions(&[("env", "In", &[])]), Some(false), "it is invalid");
        assert_eq!(LabelSelector::new().matches_known(known.into_iter()), Some(true));
    }

    #[test]
    fn validation() {
        assert_eq!(LabelSelector::new().validate(), Err(SelectorError::Empty));
        let mut selector = LabelSelector::new();
        selector.match_label("a*", "b?");
        assert_eq!(selector.validate(), Ok(()));
        selector.match_label("a b", "c");
        assert!(selector.validate().is_err());
        assert!(is_key("example.com/name") && !is_key("Example.com/name") && !is_key("/x") && !is_key(""));
        assert!(is_value("") && is_value("a-b_c.d") && !is_value("-a") && !is_value(&"a".repeat(64)));
        assert!(is_subdomain("a-b.c1") && !is_subdomain("UpperCase") && !is_subdomain("a_b") && !is_subdomain("a..b"));
    }
}
