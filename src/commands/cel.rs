//! `admit cel`: tries an expression in CEL on a file or on standard input.
//!
//! In: an expression and a JSON or YAML document, which is `object`. Out: the result below a line with the expression;
//! for `false` also where it was decided. Or the compiled tree, or descriptions of functions. What the cluster would be
//! asked for is not known here, and said to be missing.

use std::{
    fmt::Write as _,
    io::{Read, Write},
};

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::input::{self, InputArgs, PrintArgs, TryError};
use crate::{
    document::Integers,
    expr::{
        Arena,
        cel::{
            Environment, Expected, Family, Function, Library, Nowhere, Program, Root, Scope, Value, functions, literal,
        },
    },
};

/// Arguments of `admit cel`.
#[derive(Debug, clap::Args)]
pub(crate) struct CelArgs {
    #[command(flatten)]
    input: InputArgs,
    /// The kind of policy whose functions and variables there are; else all
    #[arg(short, long, value_name = "KIND", value_parser = kinds())]
    kind: Option<Family>,
    /// Integers of the document are floats, as in Kyverno's command line; else integers, as at admission
    #[arg(long)]
    floats: bool,
}

/// The kinds of policies by name.
fn kinds() -> impl TypedValueParser<Value = Family> {
    PossibleValuesParser::new(Family::ALL.map(Family::name)).map(|name| {
        let named = Family::ALL.into_iter().find(|family| family.name() == name);
        named.expect("a name that is possible")
    })
}

/// Runs `admit cel`; `now` is the time for `time.now` in nanoseconds since 1970.
pub(crate) fn run(args: &CelArgs, now: i128, stdin: &mut dyn Read, out: &mut dyn Write) -> Result<u8, TryError> {
    let text = answer(args, now, stdin)?;
    input::write(out, &text)?;
    Ok(0)
}

fn answer(args: &CelArgs, now: i128, stdin: &mut dyn Read) -> Result<String, TryError> {
    if args.input.list {
        return Ok(list());
    }
    if let Some(name) = &args.input.explain {
        return explain(name);
    }
    let expression = args.input.expression(stdin)?;
    let environment = args.kind.map_or_else(Environment::playground, Environment::new);
    let program = Program::compile(&expression, &environment, Expected::Any)
        .map_err(|error| TryError::Expression(error.printed(&expression)))?;
    let mut text = format!("# {}\n", expression.replace('\n', "\n# "));
    if args.input.tree {
        text.push_str(&program.tree());
        return Ok(text);
    }
    let (content, name) = input::read_input(args.input.input.as_deref(), stdin)?;
    let mut document = input::document(&content, &name)?;
    document.set_integers(if args.floats { Integers::Floats } else { Integers::Exact });
    let arena = Arena::new();
    let mut scope = Scope::new(&arena, &Nowhere, &[], now);
    scope.set(Root::Object, Value::from(document.root()));
    let result = program.evaluate(&scope).map_err(|error| TryError::evaluation("the expression", error))?;
    scope.charge_parts(result).map_err(|error| TryError::evaluation("the expression", error))?;
    text.push_str(&print(result, &arena, args.input.print));
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
fn print<'v>(value: Value<'v>, arena: &'v Arena, form: PrintArgs) -> String {
    if let Value::String(text) = value
        && let Some(text) = form.text(text)
    {
        return text;
    }
    match value {
        Value::Optional(_) | Value::Opaque(_) | Value::Type(_) | Value::Bytes(_) => literal(value),
        Value::Timestamp(_) | Value::Duration(_) => literal(value),
        _ => value.to_expr(arena).map_or_else(|| literal(value), |json| form.json(json.to_json())),
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

fn explain(name: &str) -> Result<String, TryError> {
    let found: Vec<_> = functions()
        .filter(|(_, function)| function.name() == name)
        .map(|(library, function)| describe(library, function))
        .collect();
    if !found.is_empty() {
        return Ok(found.join("\n"));
    }
    Err(TryError::unknown_function(name, functions().map(|(_, function)| function.name())))
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
