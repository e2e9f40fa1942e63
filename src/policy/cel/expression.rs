//! One expression of a policy, compiled, with the place where it stands.

use std::sync::Arc;

use crate::{
    document::{Node, place},
    expr::cel::{CompileError, Environment, Expected, Program},
    policy::{
        error::{PolicyError, Problem},
        fields::Problems,
    },
    span::{File, Span},
};

/// An expression, or why it is none.
#[derive(Debug)]
pub(crate) struct Expression {
    program: Result<Program, Flaw>,
    text: Box<str>,
    file: Arc<File>,
    span: Span,
    /// What it reads that is not always known.
    reads: Reads,
}

/// Why a text is no expression.
#[derive(Clone, Debug)]
pub(crate) struct Flaw {
    /// As cel-go prints it, with the line and a caret.
    pub text: String,
    /// In a few words.
    pub message: String,
    at: Span,
}

/// What an expression reads, itself or through variables, that is not always known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    /// `request`.
    pub request: bool,
    /// The namespace.
    pub namespace: bool,
    /// Objects of the cluster.
    pub objects: bool,
    /// Secrets among them.
    pub secrets: bool,
}

impl Reads {
    /// Nothing of that.
    pub(crate) const NONE: Self = Self { request: false, namespace: false, objects: false, secrets: false };

    /// What a text reads by itself.
    ///
    /// Names are looked for in the text, wherever they stand in it: to take one for read that is not only costs an answer.
    pub(super) fn of(text: &str) -> Self {
        Self {
            request: text.contains("request"),
            namespace: text.contains("namespaceObject"),
            objects: ["resource.", "globalContext.", "authorizer"].iter().any(|it| text.contains(it)),
            // An entry of the global context may hold them, whatever it is called.
            secrets: text.contains("globalContext.") || (text.contains("resource.") && text.contains("ecret")),
        }
    }

    /// What either reads.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            request: self.request || other.request,
            namespace: self.namespace || other.namespace,
            objects: self.objects || other.objects,
            secrets: self.secrets || other.secrets,
        }
    }
}

impl Expression {
    /// Compiles the text of a node; `variables` is what the variables read that it names.
    pub(super) fn compile(node: Node<'_>, environment: &Environment, expected: Expected, variables: Reads) -> Self {
        let text = node.as_str().unwrap_or_default();
        Self::compile_part(Part { node, text, offset: 0 }, environment, expected, variables)
    }

    /// Compiles a part of the text of a node.
    pub(super) fn compile_part(
        part: Part<'_>,
        environment: &Environment,
        expected: Expected,
        variables: Reads,
    ) -> Self {
        let program = Program::compile(part.text, environment, expected).map_err(|error| part.flaw(&error));
        Self {
            program,
            text: part.text.into(),
            file: Arc::clone(part.node.file()),
            span: if part.offset == 0 { part.node.span() } else { part.place(0) },
            reads: Reads::of(part.text).and(variables),
        }
    }

    /// The expression as written, or as rewritten for Pod controllers.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Where it stands.
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// The program, or why there is none.
    pub(crate) fn program(&self) -> Result<&Program, &Flaw> {
        self.program.as_ref()
    }

    /// The program alone, or what was given.
    #[expect(clippy::result_large_err, reason = "it is what was given")]
    pub(super) fn into_program(self) -> Result<Program, Self> {
        match self.program {
            Ok(program) => Ok(program),
            Err(_) => Err(self),
        }
    }

    /// What it reads that is not always known.
    pub(crate) fn reads(&self) -> Reads {
        self.reads
    }

    /// Notes what keeps it from being compiled.
    pub(crate) fn report(&self, problems: &Problems) {
        self.report_as(problems, |message| Problem::Expression { message });
    }

    /// Notes what keeps it from being compiled, as a problem of another kind.
    pub(super) fn report_as(&self, problems: &Problems, problem: impl FnOnce(String) -> Problem) {
        if let Err(flaw) = &self.program {
            let problem = problem(flaw.message.clone());
            problems.add(PolicyError { file: Arc::clone(&self.file), at: flaw.at, problem });
        }
    }

    /// Where an offset into the expression stands; the whole expression where that can't be told.
    pub(crate) fn place(&self, offset: usize) -> Span {
        place::of_text(&self.file, self.span, &self.text, offset)
    }
}

/// An expression in the text of a node.
#[derive(Clone, Copy)]
pub(super) struct Part<'t> {
    /// The node.
    pub node: Node<'t>,
    /// The expression.
    pub text: &'t str,
    /// Where it begins in the text of the node.
    pub offset: usize,
}

impl Part<'_> {
    /// Where an offset into the expression stands.
    fn place(self, offset: usize) -> Span {
        let text = self.node.as_str().unwrap_or_default();
        place::of_text(self.node.file(), self.node.span(), text, self.offset + offset)
    }

    fn flaw(self, error: &CompileError) -> Flaw {
        // What is said of the type of the whole has no place in it.
        let is_whole = error.offset() == 0 && self.offset == 0;
        let at = if is_whole { self.node.span() } else { self.place(error.offset()) };
        Flaw { text: error.printed(self.text), message: error.to_string(), at }
    }
}
