//! `validate.cel` and `celPreconditions`, compiled.
//!
//! In: a rule. Out: its expressions; one that does not compile is kept with its error: whether the policy is refused for
//! that depends on who is asked.

use crate::{
    document::Node,
    policy::{
        cel::{
            Body, ParamKind, ParamRef, admission,
            compile::{Compiler, Profile},
        },
        fields::Problems,
    },
};

/// A `validate.cel` block.
#[derive(Debug)]
pub(crate) struct Cel {
    /// Its expressions, and `celPreconditions` as their conditions.
    pub body: Body,
    /// The kind of the parameters.
    pub param_kind: Option<ParamKind>,
    /// Which parameters.
    pub param_ref: Option<ParamRef>,
}

impl Cel {
    /// Whether it may read a Secret that it does not judge.
    pub(crate) fn reads_secrets(&self) -> bool {
        self.param_kind.as_ref().is_some_and(ParamKind::is_secret) || self.body.reads.secrets
    }
}

/// Compiles the block of a rule.
pub(crate) fn decode(rule: Node<'_>, cel: Node<'_>, problems: &Problems) -> Cel {
    let param_kind = admission::param_kind(cel);
    let compiler = Compiler::new(Profile::Rule { params: param_kind.is_some() });
    Cel {
        body: compiler.rule(rule.get("celPreconditions"), cel),
        param_ref: cel.get("paramRef").and_then(|node| admission::param_ref(node, problems)),
        param_kind,
    }
}
