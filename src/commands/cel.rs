//! `admit cel`: tries an expression in CEL on a file or on standard input.
//!
//! In: an expression and a JSON or YAML document, which is `object`. Out: the result below a line with the expression;
//! for `false` also where it was decided. Or the compiled tree, or descriptions of functions. What the cluster would be
//! asked for is not known here, and said to be missing.

use std::{
    fmt::Write as _,
    io::{Read, Write},
    path::PathBuf,
};

use super::input::{self, InputError};
use crate::{
    document::Integers,
    expr::{
        Arena,
        cel::{
            CompileError, Environment, EvalError, Expected, Family, Function, Library, Nowhere, Program, Root, Scope,
            Value, functions, literal,
        },
    },
};

/// Arguments of `admit cel`.
#[derive(Debug, clap::Args)]
pub(crate) struct CelArgs {
    /// The expression; read from standard input when absent
    pub(crate) expression: Option<String>,
    /// JSON or YAML document that is `object`; standard input when absent
    #[arg(short, long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// The kind of policy whose functions and variables there are; else all
    #[arg(short, long, value_name = "KIND")]
    pub(crate) kind: Option<Kind>,
    /// Integers of the document are floats, as in Kyverno's command line; else integers, as at admission
    #[arg(long)]
    pub(crate) floats: bool,
    /// List all functions
    #[arg(long, conflicts_with_all = ["expression", "input", "explain", "tree"])]
    pub(crate) list: bool,
    /// Describe a function
    #[arg(long, value_name = "NAME", conflicts_with_all = ["expression", "input", "tree"])]
    pub(crate) explain: Option<String>,
    /// Print the compiled expression instead of evaluating
    #[arg(long)]
    pub(crate) tree: bool,
    /// Print JSON without white space
    #[arg(short, long)]
    pub(crate) compact: bool,
    /// Print a string without quotes
    #[arg(short, long)]
    pub(crate) unquoted: bool,
}

/// The kinds of policies as the command line names them.
#[expect(clippy::enum_variant_names, reason = "they are the names of the kinds")]
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
#[value(rename_all = "PascalCase")]
pub(crate) enum Kind {
    /// Kyverno's `ValidatingPolicy`
    ValidatingPolicy,
    /// Kyverno's `MutatingPolicy`
    MutatingPolicy,
    /// Kyverno's `GeneratingPolicy`
    GeneratingPolicy,
    /// Kyverno's `ImageValidatingPolicy`
    ImageValidatingPolicy,
    /// Kyverno's `DeletingPolicy`
    DeletingPolicy,
    /// Kubernetes' `ValidatingAdmissionPolicy`
    ValidatingAdmissionPolicy,
    /// Kubernetes' `MutatingAdmissionPolicy`
    MutatingAdmissionPolicy,
    /// `validate.cel` of a `ClusterPolicy`
    ClusterPolicy,
}

impl Kind {
    fn family(self) -> Family {
        match self {
            Kind::ValidatingPolicy => Family::ValidatingPolicy,
            Kind::MutatingPolicy => Family::MutatingPolicy,
            Kind::GeneratingPolicy => Family::GeneratingPolicy,
            Kind::ImageValidatingPolicy => Family::ImageValidatingPolicy,
            Kind::DeletingPolicy => Family::DeletingPolicy,
            Kind::ValidatingAdmissionPolicy => Family::ValidatingAdmissionPolicy,
            Kind::MutatingAdmissionPolicy => Family::MutatingAdmissionPolicy,
            Kind::ClusterPolicy => Family::ClusterPolicy,
        }
    }
}

/// Why `admit cel` has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CelError {
    /// The input could not be read or parsed, or the output not written.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Expression and document can't both come from standard input.
    #[error("no expression given, and the document is read from standard input")]
    NoExpression,
    /// The expression does not compile.
    #[error("{}", source.printed(expression))]
    Compile {
        /// The expression.
        expression: String,
        /// What is wrong.
        source: CompileError,
    },
    /// The expression has no value.
    #[error("error evaluating the expression: {0}")]
    Evaluation(#[source] EvalError),
    /// There is no function of that name.
    #[error("unknown function `{name}`{hint}")]
    UnknownFunction {
        /// The name asked for.
        name: String,
        /// A similar name, if there is one.
        hint: String,
    },
}

impl CelError {
    /// The exit code: 1 when the expression is at fault, 2 when the command is.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            CelError::Compile { .. } | CelError::Evaluation(_) => 1,
            CelError::Input(_) | CelError::NoExpression | CelError::UnknownFunction { .. } => 2,
        }
    }
}

/// Runs `admit cel`; `now` is the time for `time.now` in nanoseconds since 1970.
pub(crate) fn run(args: &CelArgs, now: i128, stdin: &mut dyn Read, out: &mut dyn Write) -> Result<u8, CelError> {
    let text = answer(args, now, stdin)?;
    input::write(out, &text)?;
    Ok(0)
}

fn answer(args: &CelArgs, now: i128, stdin: &mut dyn Read) -> Result<String, CelError> {
    if args.list {
        return Ok(list());
    }
    if let Some(name) = &args.explain {
        return explain(name);
    }
    let expression = match &args.expression {
        Some(text) => text.clone(),
        None if args.input.is_none() && !args.tree => return Err(CelError::NoExpression),
        None => input::read(stdin, "standard input")?,
    };
    let expression = expression.trim();
    let environment = args.kind.map_or_else(Environment::playground, |kind| Environment::new(kind.family()));
    let program = Program::compile(expression, &environment, Expected::Any)
        .map_err(|source| CelError::Compile { expression: expression.to_owned(), source })?;
    let mut text = format!("# {}\n", expression.replace('\n', "\n# "));
    if args.tree {
        text.push_str(&program.tree());
        return Ok(text);
    }
    let (content, name) = match &args.input {
        Some(path) => (input::read_file(path)?, path.display().to_string()),
        None => (input::read(stdin, "standard input")?, "standard input".to_owned()),
    };
    let mut document = input::document(&content, &name)?;
    document.set_integers(if args.floats { Integers::Floats } else { Integers::Exact });
    let arena = Arena::new();
    let mut scope = Scope::new(&arena, &Nowhere, &[], now);
    scope.set(Root::Object, Value::from(document.root()));
    let result = program.evaluate(&scope).map_err(CelError::Evaluation)?;
    text.push_str(&print(result, &arena, args));
    text.push('\n');
    if matches!(result, Value::Bool(false))
        && let Some(evidence) = program.evidence(&scope)
    {
        let part = expression.get(evidence.at..).and_then(|rest| rest.lines().next()).unwrap_or("");
        let _ = write!(text, "# decided at `{part}`");
        if let Some(node) = evidence.node {
            let at = document.file().position(node.heading().start);
            let _ = write!(text, ", line {} of {name}", at.line);
        }
        text.push('\n');
    }
    Ok(text)
}

/// JSON, or an expression for what JSON has no form for.
fn print<'v>(value: Value<'v>, arena: &'v Arena, args: &CelArgs) -> String {
    match value {
        Value::String(text) if args.unquoted => text.to_owned(),
        Value::Optional(_) | Value::Opaque(_) | Value::Type(_) | Value::Bytes(_) => literal(value),
        Value::Timestamp(_) | Value::Duration(_) => literal(value),
        _ => match value.to_expr(arena) {
            Some(json) if args.compact => json.to_json(),
            Some(json) => input::indented(&json.to_json()),
            None => literal(value),
        },
    }
}

fn list() -> String {
    let mut out = String::new();
    let mut title: Option<Library> = None;
    for (library, function) in functions() {
        if title != Some(library) {
            let _ = writeln!(out, "{}# {}", if title.is_some() { "\n" } else { "" }, library.title());
            title = Some(library);
        }
        let _ = writeln!(out, "{}", function.signature);
    }
    out
}

fn describe(library: Library, function: &Function) -> String {
    format!(
        "Name: {}\n  Library:   {}\n  Signature: {}\n  Note:      {}\n",
        function.name(),
        library.title(),
        function.signature,
        function.note
    )
}

fn explain(name: &str) -> Result<String, CelError> {
    let found: Vec<_> = functions()
        .filter(|(_, function)| function.name() == name)
        .map(|(library, function)| describe(library, function))
        .collect();
    if !found.is_empty() {
        return Ok(found.join("\n"));
    }
    let near = functions()
        .map(|(_, function)| (strsim::damerau_levenshtein(name, function.name()), function.name()))
        .filter(|(distance, _)| *distance <= 2)
        .min();
    let hint = near.map_or_else(String::new, |(_, near)| format!("; is it `{near}`?"));
    Err(CelError::UnknownFunction { name: name.to_owned(), hint })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i128 = 1_709_618_828_000_000_000;

    #[derive(Debug, clap::Parser)]
    struct Command {
        #[command(flatten)]
        args: CelArgs,
    }

    fn cel(args: &[&str], input: &str) -> (u8, String) {
        use clap::Parser as _;
        let command = Command::try_parse_from([&["cel"], args].concat()).expect("valid arguments");
        let mut out = Vec::new();
        match run(&command.args, NOW, &mut input.as_bytes(), &mut out) {
            Ok(code) => (code, String::from_utf8(out).expect("text")),
            Err(error) => (error.exit_code(), error.to_string()),
        }
    }

    #[test]
    fn results_stand_below_the_expression() {
        assert_eq!(cel(&["object.a"], "a: [1, {b: x}]").1, "# object.a\n[\n  1,\n  {\n    \"b\": \"x\"\n  }\n]\n");
        assert_eq!(cel(&["-c", "object.a"], r#"{"a": [1]}"#).1, "# object.a\n[1]\n");
        assert_eq!(cel(&["-u", "object.a"], "a: x").1, "# object.a\nx\n");
        assert_eq!(cel(&["object.?b"], "a: x").1, "# object.?b\noptional.none()\n");
        assert_eq!(cel(&["object.a + 1"], "a: 1").1, "# object.a + 1\n2\n");
        assert_eq!(cel(&["--floats", "object.a + 1"], "a: 1").0, 1);
    }

    #[test]
    fn what_is_false_says_where() {
        let (code, text) = cel(&["has(object.a) && object.a > 1"], "# a comment\na: 1\n");
        assert_eq!(code, 0);
        assert_eq!(text, "# has(object.a) && object.a > 1\nfalse\n# decided at `> 1`, line 2 of standard input\n");
    }

    #[test]
    fn faults_of_the_expression_exit_with_1_and_others_with_2() {
        assert_eq!(cel(&["object.c"], "{}"), (1, "error evaluating the expression: no such key: c".to_owned()));
        assert_eq!(
            cel(&["1 + zz"], "{}"),
            (1, "ERROR: <input>:1:5: undeclared reference to 'zz' (in container '')\n | 1 + zz\n | ....^".to_owned())
        );
        assert_eq!(cel(&["-k", "ValidatingAdmissionPolicy", "md5('a')"], "{}").0, 1);
        assert_eq!(cel(&["object"], "{").0, 2);
        assert_eq!(cel(&[], "{}").0, 2);
        assert_eq!(cel(&["object", "-i", "/nonexistent/file"], "").0, 2);
    }

    #[test]
    fn functions_are_listed_and_described() {
        let (_, all) = cel(&["--list"], "");
        assert!(all.starts_with("# standard\nsize(string) -> int\n"), "{all}");
        assert!(all.contains("\n# quantity\nquantity(string) -> Quantity\n"), "{all}");
        let (code, text) = cel(&["--explain", "charAt"], "");
        assert_eq!(code, 0);
        assert!(
            text.starts_with("Name: charAt\n  Library:   strings\n  Signature: string.charAt(int) -> string\n"),
            "{text}"
        );
        assert_eq!(cel(&["--explain", "chatAt"], ""), (2, "unknown function `chatAt`; is it `charAt`?".to_owned()));
        assert!(cel(&["--tree", "object.a"], "").1.contains("Field"));
    }
}
