//! `admit jp`: tries a JMESPath expression in Kyverno's dialect on a file or on standard input.
//!
//! In: an expression and a JSON or YAML document. Out: the result as JSON below a line with the expression, or the
//! syntax tree, or descriptions of functions. A missing key is an error with exit code 1, as in Kyverno. `query`, `parse`
//! and `function` are the forms of `kyverno jp`; an expression that is one of these words is written `@.query`.

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
};

use super::input::{self, InputArgs, PrintArgs, TryError};
use crate::{
    document::Integers,
    expr::{
        Arena, Value,
        jmespath::{self, Expression, Function, ValueScope},
    },
};

/// Arguments of `admit jp`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub(crate) struct JpArgs {
    #[command(flatten)]
    input: InputArgs,
    #[command(subcommand)]
    form: Option<Form>,
}

/// The forms of `kyverno jp`.
#[derive(Debug, clap::Subcommand)]
enum Form {
    /// Evaluate expressions, as `kyverno jp query` does
    Query {
        /// The expressions; read from standard input when there is none and no file
        expressions: Vec<String>,
        /// Files with an expression each
        #[arg(short, long = "query", value_name = "FILE")]
        query: Vec<PathBuf>,
        /// JSON or YAML document to evaluate them on; standard input when absent
        #[arg(short, long, value_name = "FILE")]
        input: Option<PathBuf>,
        #[command(flatten)]
        print: PrintArgs,
    },
    /// Print the trees of expressions, as `kyverno jp parse` does
    Parse {
        /// The expressions; read from standard input when there is none and no file
        expressions: Vec<String>,
        /// Files with an expression each
        #[arg(short, long, value_name = "FILE")]
        file: Vec<PathBuf>,
    },
    /// Describe functions, as `kyverno jp function` does; without a name all
    Function {
        /// The functions
        names: Vec<String>,
    },
}

/// Runs `admit jp`; `now` is the time for `time_now` in nanoseconds since 1970.
pub(crate) fn run(args: &JpArgs, now: i128, stdin: &mut dyn Read, out: &mut dyn Write) -> Result<u8, TryError> {
    let text = match &args.form {
        None => answer(&args.input, now, stdin)?,
        Some(Form::Query { expressions, query, input, print }) => {
            let input = input.as_deref();
            let expressions = match gather(expressions, query)? {
                none if none.is_empty() && input.is_none() => return Err(TryError::NoExpression),
                none if none.is_empty() => vec![input::read_input(None, stdin)?.0],
                some => some,
            };
            evaluate(&expressions, input, *print, now, stdin)?
        }
        Some(Form::Parse { expressions, file }) => {
            let expressions = match gather(expressions, file)? {
                none if none.is_empty() => vec![input::read_input(None, stdin)?.0],
                some => some,
            };
            let trees: Result<Vec<String>, TryError> = expressions.iter().map(|text| tree(text.trim())).collect();
            trees?.concat()
        }
        Some(Form::Function { names }) if names.is_empty() => list(),
        Some(Form::Function { names }) => {
            let described: Result<Vec<String>, TryError> = names.iter().map(|name| explain(name)).collect();
            described?.join("\n")
        }
    };
    input::write(out, &text)?;
    Ok(0)
}

/// The expressions as given, and those of the files.
fn gather(expressions: &[String], files: &[PathBuf]) -> Result<Vec<String>, TryError> {
    let mut out = expressions.to_vec();
    for path in files {
        out.push(input::read_file(path)?);
    }
    Ok(out)
}

fn answer(args: &InputArgs, now: i128, stdin: &mut dyn Read) -> Result<String, TryError> {
    if args.list {
        return Ok(list());
    }
    if let Some(name) = &args.explain {
        return explain(name);
    }
    let expression = args.expression(stdin)?;
    if args.tree {
        return tree(&expression);
    }
    evaluate(&[expression], args.input.as_deref(), args.print, now, stdin)
}

/// The result of each expression below a line with it.
fn evaluate(
    expressions: &[String],
    input: Option<&Path>,
    print: PrintArgs,
    now: i128,
    stdin: &mut dyn Read,
) -> Result<String, TryError> {
    let parsed: Result<Vec<Expression>, TryError> = expressions.iter().map(|text| parse(text.trim())).collect();
    let parsed = parsed?;
    let (input, name) = input::read_input(input, stdin)?;
    let arena = Arena::new();
    let value = parse_input(&arena, &input, &name)?;
    let mut out = String::new();
    for (expression, parsed) in expressions.iter().zip(&parsed) {
        let result = parsed.evaluate(&ValueScope { value, now }, &arena);
        let result = result.map_err(|error| TryError::evaluation("JMESPath expression", error))?;
        let text = match result {
            Value::String(text) => print.text(text),
            _ => None,
        };
        let text = text.unwrap_or_else(|| print.json(result.to_json()));
        out.extend(["# ", expression.trim(), "\n", &text, "\n"]);
    }
    Ok(out)
}

fn tree(expression: &str) -> Result<String, TryError> {
    Ok(format!("# {expression}\n{}", parse(expression)?.tree()))
}

fn parse(expression: &str) -> Result<Expression, TryError> {
    Expression::parse(expression).map_err(|error| {
        let before = expression.get(..error.offset()).unwrap_or(expression);
        let marker = format!("{}^", " ".repeat(before.chars().count()));
        let expression = expression.replace(['\n', '\r', '\t'], " ");
        TryError::Expression(format!(
            "failed to compile JMESPath: {expression}, error: {error}\n{expression}\n{marker}"
        ))
    })
}

fn list() -> String {
    let all: Vec<_> = jmespath::list_functions().into_iter().map(describe).collect();
    all.join("\n")
}

fn describe(function: &Function) -> String {
    format!("Name: {}\n  Signature: {}\n  Note:      {}\n", function.name, function.signature(), function.note)
}

fn explain(name: &str) -> Result<String, TryError> {
    match jmespath::find_function(name) {
        Some(function) => Ok(describe(function)),
        None => Err(TryError::unknown_function(name, jmespath::list_functions().into_iter().map(|it| it.name))),
    }
}

/// Reads JSON, or else YAML as Kubernetes reads it: the first document.
fn parse_input<'v>(arena: &'v Arena, text: &str, what: &str) -> Result<Value<'v>, TryError> {
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
    #[expect(clippy::disallowed_methods, reason = "the files that the commands read")]
    fn the_forms_of_kyverno_are_known() {
        let scratch = tempfile::tempdir().expect("a directory");
        let file = |name: &str, text: &str| {
            let path = scratch.path().join(name);
            std::fs::write(&path, text).expect("a file");
            path.display().to_string()
        };
        let (input, query) = (file("input.yaml", "a: { b: x }\n"), file("query.txt", "a.b\n"));
        assert_eq!(
            jp(&["query", "-c", "a", "a.b"], "a: { b: x }"),
            (0, "# a\n{\"b\":\"x\"}\n# a.b\n\"x\"\n".to_owned())
        );
        assert_eq!(jp(&["query", "-u", "-i", &input, "-q", &query], "").1, "# a.b\nx\n");
        assert_eq!(jp(&["query", "-i", &input], "a.b").1, "# a.b\n\"x\"\n");
        assert_eq!(jp(&["query", "-i", &input, "a.c"], "").0, 1);
        assert_eq!(jp(&["query"], "{}").0, 2);
        let field = |name: &str| format!("# {name}\nASTField {{\n  value: \"{name}\"\n}}\n");
        assert_eq!(jp(&["parse", "a", "b"], "").1, field("a") + &field("b"));
        assert_eq!(jp(&["parse"], "a").1, field("a"));
        assert!(jp(&["parse", "-f", &query], "").1.starts_with("# a.b\nASTSubexpression {\n"));
        let (_, two) = jp(&["function", "truncate", "split"], "");
        assert!(two.starts_with("Name: truncate\n") && two.contains("\n\nName: split\n"), "{two}");
        assert_eq!(jp(&["function"], ""), jp(&["--list"], ""));
        assert_eq!(jp(&["function", "trunkate"], "").0, 2);
    }

    #[test]
    fn a_document_may_be_yaml() {
        let arena = Arena::new();
        let value = parse_input(&arena, "a: { b: [1, yes] }\n", "x.yaml").expect("a document");
        assert_eq!(value.to_json(), r#"{"a":{"b":[1,true]}}"#);
        assert!(parse_input(&arena, "a: [1", "x.yaml").is_err_and(|error| error.to_string().contains("line 1")));
    }
}
