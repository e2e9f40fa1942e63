//! `admit jp`: tries a JMESPath expression in Kyverno's dialect on a file or on standard input.
//!
//! In: an expression and a JSON or YAML document. Out: the result as JSON below a line with the expression, or the
//! syntax tree, or descriptions of functions. A missing key is an error with exit code 1, as in Kyverno.

use std::{
    io::{Read, Write},
    path::PathBuf,
};

use super::input::{self, InputError};
use crate::{
    document::Integers,
    expr::{
        Arena, Value,
        jmespath::{self, EvalError, Expression, Function, ParseError, ValueScope},
    },
};

/// Arguments of `admit jp`.
#[derive(Debug, clap::Args)]
pub(crate) struct JpArgs {
    /// The expression; read from standard input when absent
    pub(crate) expression: Option<String>,
    /// JSON or YAML document to evaluate it on; standard input when absent
    #[arg(short, long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// List all functions
    #[arg(long, conflicts_with_all = ["expression", "input", "explain", "tree"])]
    pub(crate) list: bool,
    /// Describe a function
    #[arg(long, value_name = "NAME", conflicts_with_all = ["expression", "input", "tree"])]
    pub(crate) explain: Option<String>,
    /// Print the syntax tree instead of evaluating
    #[arg(long)]
    pub(crate) tree: bool,
    /// Print JSON without white space
    #[arg(short, long)]
    pub(crate) compact: bool,
    /// Print a string without quotes
    #[arg(short, long)]
    pub(crate) unquoted: bool,
}

/// Why `admit jp` has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JpError {
    /// The input could not be read or parsed, or the output not written.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Expression and document can't both come from standard input.
    #[error("no expression given, and the document is read from standard input")]
    NoExpression,
    /// The expression does not parse.
    #[error("failed to compile JMESPath: {expression}, error: {source}\n{expression}\n{marker}")]
    Syntax {
        /// The expression, its line breaks turned to spaces.
        expression: String,
        /// A caret below the place.
        marker: String,
        /// What is wrong.
        source: ParseError,
    },
    /// The expression has no value.
    #[error("error evaluating JMESPath expression: {0}")]
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

impl JpError {
    /// The exit code: 1 when the expression is at fault, 2 when the command is.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            JpError::Syntax { .. } | JpError::Evaluation(_) => 1,
            JpError::Input(_) | JpError::NoExpression | JpError::UnknownFunction { .. } => 2,
        }
    }
}

/// Runs `admit jp`; `now` is the time for `time_now` in nanoseconds since 1970.
pub(crate) fn run(args: &JpArgs, now: i128, stdin: &mut dyn Read, out: &mut dyn Write) -> Result<u8, JpError> {
    let text = answer(args, now, stdin)?;
    input::write(out, &text)?;
    Ok(0)
}

fn answer(args: &JpArgs, now: i128, stdin: &mut dyn Read) -> Result<String, JpError> {
    if args.list {
        let all: Vec<_> = jmespath::list_functions().into_iter().map(describe).collect();
        return Ok(all.join("\n"));
    }
    if let Some(name) = &args.explain {
        return explain(name);
    }
    let expression = match &args.expression {
        Some(text) => text.clone(),
        None if args.input.is_none() && !args.tree => return Err(JpError::NoExpression),
        None => input::read(stdin, "standard input")?,
    };
    let expression = expression.trim();
    let parsed = Expression::parse(expression).map_err(|source| syntax_error(expression, source))?;
    if args.tree {
        return Ok(format!("# {expression}\n{}", parsed.tree()));
    }
    let (input, name) = match &args.input {
        Some(path) => (input::read_file(path)?, path.display().to_string()),
        None => (input::read(stdin, "standard input")?, "standard input".to_owned()),
    };
    let arena = Arena::new();
    let value = parse_input(&arena, &input, &name)?;
    let result = parsed.evaluate(&ValueScope { value, now }, &arena).map_err(JpError::Evaluation)?;
    Ok(format!("# {expression}\n{}\n", print(result, args)))
}

fn syntax_error(expression: &str, source: ParseError) -> JpError {
    let before = expression.get(..source.offset()).unwrap_or(expression);
    let marker = format!("{}^", " ".repeat(before.chars().count()));
    let expression = expression.replace(['\n', '\r', '\t'], " ");
    JpError::Syntax { expression, marker, source }
}

fn print(value: Value<'_>, args: &JpArgs) -> String {
    match value {
        Value::String(text) if args.unquoted => text.to_owned(),
        _ if args.compact => value.to_json(),
        _ => input::indented(&value.to_json()),
    }
}

fn describe(function: &Function) -> String {
    format!("Name: {}\n  Signature: {}\n  Note:      {}\n", function.name, function.signature(), function.note)
}

fn explain(name: &str) -> Result<String, JpError> {
    if let Some(function) = jmespath::find_function(name) {
        return Ok(describe(function));
    }
    let near = jmespath::list_functions()
        .into_iter()
        .map(|function| (strsim::damerau_levenshtein(name, function.name), function.name))
        .filter(|(distance, _)| *distance <= 2)
        .min();
    let hint = near.map_or_else(String::new, |(_, near)| format!("; is it `{near}`?"));
    Err(JpError::UnknownFunction { name: name.to_owned(), hint })
}

/// Reads JSON, or else YAML as Kubernetes reads it: the first document.
fn parse_input<'v>(arena: &'v Arena, text: &str, what: &str) -> Result<Value<'v>, JpError> {
    if let Ok(json) = serde_json::from_str(text) {
        return Ok(Value::from_json(arena, &json, Integers::Floats));
    }
    let json = Value::from(input::document(text, what)?.root()).to_serde();
    Ok(Value::from_json(arena, &json, Integers::Floats))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i128 = 1_709_618_828_000_000_000;

    #[derive(Debug, clap::Parser)]
    struct Command {
        #[command(flatten)]
        args: JpArgs,
    }

    fn jp(args: &[&str], input: &str) -> (u8, String) {
        use clap::Parser as _;
        let command = Command::try_parse_from([&["jp"], args].concat()).expect("valid arguments");
        let mut out = Vec::new();
        match run(&command.args, NOW, &mut input.as_bytes(), &mut out) {
            Ok(code) => (code, String::from_utf8(out).expect("text")),
            Err(error) => (error.exit_code(), error.to_string()),
        }
    }

    #[test]
    fn results_stand_below_the_expression() {
        let input = r#"{"a": [1, {"b": "x<", "c": [], "d": {}}]}"#;
        assert_eq!(
            jp(&["a"], input),
            (0, "# a\n[\n  1,\n  {\n    \"b\": \"x\\u003c\",\n    \"c\": [],\n    \"d\": {}\n  }\n]\n".to_owned())
        );
        assert_eq!(jp(&["-c", "a"], input).1, "# a\n[1,{\"b\":\"x\\u003c\",\"c\":[],\"d\":{}}]\n");
        assert_eq!(jp(&["a[1].b"], input).1, "# a[1].b\n\"x\\u003c\"\n");
        assert_eq!(jp(&["-u", "a[1].b"], input).1, "# a[1].b\nx<\n");
        assert_eq!(jp(&["-u", "a[0]"], input).1, "# a[0]\n1\n");
    }

    #[test]
    fn faults_of_the_expression_exit_with_1_and_others_with_2() {
        assert_eq!(jp(&["c"], "{}"), (1, "error evaluating JMESPath expression: Unknown key \"c\" in path".to_owned()));
        assert_eq!(
            jp(&["é ||"], "{}"),
            (1, "failed to compile JMESPath: é ||, error: SyntaxError: Unknown char: '\\u00e9'\né ||\n^".to_owned())
        );
        assert_eq!(jp(&["a"], "{").0, 2);
        assert_eq!(jp(&[], "{}").0, 2);
        assert_eq!(jp(&["a", "-i", "/nonexistent/file"], "").0, 2);
    }

    #[test]
    fn functions_are_described() {
        let (code, text) = jp(&["--explain", "truncate"], "");
        assert_eq!(code, 0);
        assert!(
            text.starts_with("Name: truncate\n  Signature: truncate(string, number) string\n  Note:      "),
            "{text}"
        );
        assert_eq!(
            jp(&["--explain", "trunkate"], ""),
            (2, "unknown function `trunkate`; is it `truncate`?".to_owned())
        );
        let (_, all) = jp(&["--list"], "");
        assert!(all.contains("\n\nName: base64_decode\n"), "{all}");
    }

    #[test]
    fn trees_are_printed_without_input() {
        assert_eq!(jp(&["--tree", "a"], "").1, "# a\nASTField {\n  value: \"a\"\n}\n");
        assert_eq!(jp(&["--tree"], " a \n").1, "# a\nASTField {\n  value: \"a\"\n}\n");
    }

    #[test]
    fn a_document_may_be_yaml() {
        let arena = Arena::new();
        let value = parse_input(&arena, "a: { b: [1, yes] }\n", "x.yaml").expect("a document");
        assert_eq!(value.to_json(), r#"{"a":{"b":[1,true]}}"#);
        assert!(parse_input(&arena, "a: [1", "x.yaml").is_err_and(|error| error.to_string().contains("line 1")));
    }
}
