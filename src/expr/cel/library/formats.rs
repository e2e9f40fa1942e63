//! Named formats: Kubernetes' library `format`.

use base64::Engine as _;

use super::{Call, Function};
use crate::{
    expr::cel::{EvalError, Opaque, Value},
    k8s::{goregex, gotime},
};

macro_rules! formats {
    ($($name:literal $signature:literal;)*) => {
        const NAMES: &[&str] = &[$($name),*];

        pub(super) const FUNCTIONS: &[Function] = &[
            $(Function::new($signature, "the format of that name", |call| Ok(call.give(Opaque::Format($name)))),)*
            Function::new("format.named(string) -> optional(Format)", "the format of a name, if there is one", |call| {
                let wanted = call.text(0)?;
                let found = NAMES.iter().find(|name| **name == wanted);
                Ok(call.give_optional(found.map(|name| call.give(Opaque::Format(name)))))
            }),
            Function::new(
                "Format.validate(string) -> optional(list(string))",
                "what is wrong with a text; none when it is of the format",
                validate,
            ),
        ];
    };
}

formats! {
    "dns1123Label" "format.dns1123Label() -> Format";
    "dns1123Subdomain" "format.dns1123Subdomain() -> Format";
    "dns1035Label" "format.dns1035Label() -> Format";
    "qualifiedName" "format.qualifiedName() -> Format";
    "dns1123LabelPrefix" "format.dns1123LabelPrefix() -> Format";
    "dns1123SubdomainPrefix" "format.dns1123SubdomainPrefix() -> Format";
    "dns1035LabelPrefix" "format.dns1035LabelPrefix() -> Format";
    "labelValue" "format.labelValue() -> Format";
    "uri" "format.uri() -> Format";
    "uuid" "format.uuid() -> Format";
    "byte" "format.byte() -> Format";
    "date" "format.date() -> Format";
    "datetime" "format.datetime() -> Format";
}

const LABEL_1123: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const LABEL_1035: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const NAME: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

fn validate<'v>(call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
    let Opaque::Format(name) = call.opaque(0)? else { return Err(EvalError::NoSuchOverload) };
    let text = call.text(1)?;
    call.charge(text.len() / 4)?;
    let wrong = wrong(name, text);
    if wrong.is_empty() {
        return Ok(call.give_optional(None));
    }
    let messages = wrong.iter().map(|it| call.give_text(it)).collect::<Result<Vec<_>, _>>()?;
    let list = call.give_list(&messages)?;
    Ok(call.give_optional(Some(list)))
}

fn wrong(name: &str, text: &str) -> Vec<String> {
    // A prefix of a name may end in a dash.
    let masked = |text: &str| match text.strip_suffix('-') {
        Some(before) => format!("{before}a"),
        None => text.to_owned(),
    };
    match name {
        "dns1123Label" => label(text, LABEL_1123, 63, LABEL_MESSAGE),
        "dns1123LabelPrefix" => label(&masked(text), LABEL_1123, 63, LABEL_MESSAGE),
        "dns1123Subdomain" => subdomain(text),
        "dns1123SubdomainPrefix" => subdomain(&masked(text)),
        "dns1035Label" => label(text, LABEL_1035, 63, LABEL_1035_MESSAGE),
        "dns1035LabelPrefix" => label(&masked(text), LABEL_1035, 63, LABEL_1035_MESSAGE),
        "labelValue" => label(text, &format!("({NAME})?"), 63, LABEL_VALUE_MESSAGE),
        "qualifiedName" => qualified(text),
        "uri" => single(super::network::is_uri(text), "invalid URI"),
        "uuid" => single(
            is(text, "(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}"),
            "does not match the UUID format",
        ),
        "byte" => single(base64::engine::general_purpose::STANDARD.decode(text).is_ok(), "invalid base64"),
        "date" => single(gotime::parse("2006-01-02", text).is_ok(), "invalid date"),
        _ => single(gotime::parse(gotime::RFC_3339, text).is_ok(), "invalid datetime"),
    }
}

const LABEL_MESSAGE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
                             start and end with an alphanumeric character";
const LABEL_1035_MESSAGE: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an \
                                  alphabetic character, and end with an alphanumeric character";
const LABEL_VALUE_MESSAGE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or \
                                   '.', and must start and end with an alphanumeric character";
const SUBDOMAIN_MESSAGE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or \
                                 '.', and must start and end with an alphanumeric character";
const NAME_MESSAGE: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with \
                            an alphanumeric character";

fn is(text: &str, pattern: &str) -> bool {
    goregex::compile(&format!("^({pattern})$")).is_ok_and(|regex| regex.is_match(text))
}

fn single(holds: bool, message: &str) -> Vec<String> {
    if holds { Vec::new() } else { vec![message.to_owned()] }
}

fn label(text: &str, pattern: &str, max: usize, message: &str) -> Vec<String> {
    let mut out = Vec::new();
    if text.len() > max {
        out.push(format!("must be no more than {max} characters"));
    }
    out.extend(single(is(text, pattern), message));
    out
}

fn subdomain(text: &str) -> Vec<String> {
    label(text, &format!("{LABEL_1123}(\\.{LABEL_1123})*"), 253, SUBDOMAIN_MESSAGE)
}

fn qualified(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let parts: Vec<_> = text.split('/').collect();
    let name = match parts.as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                out.push("prefix part must be non-empty".to_owned());
            } else {
                out.extend(subdomain(prefix).into_iter().map(|it| format!("prefix part {it}")));
            }
            *name
        }
        _ => return vec![format!("a qualified {NAME_MESSAGE} with an optional DNS subdomain prefix and '/'")],
    };
    if name.is_empty() {
        out.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        out.push("name part must be no more than 63 characters".to_owned());
    }
    out.extend(single(is(name, NAME), NAME_MESSAGE));
    out
}
