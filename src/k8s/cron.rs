//! Schedules: the two forms of cron expressions that cleanup and deleting policies have.
//!
//! In: a text. Out: whether it is a schedule. When it is due is nobody's question here.

use croner::parser::{CronParser, Seconds, Year};

use super::duration;

/// Names for common schedules, with what they stand for.
const DESCRIPTORS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// Whether `text` is a schedule of a cleanup policy: five fields, a name such as `@hourly`, or `@every 1h30m`.
pub(crate) fn is_standard(text: &str) -> bool {
    let text = text.trim();
    if let Some(every) = text.strip_prefix("@every ") {
        return duration::parse(every.trim()).is_some();
    }
    if text.starts_with('@') {
        return DESCRIPTORS.iter().any(|(name, _)| *name == text);
    }
    // A question mark means the same as a star, in each field.
    let fields = text.replace('?', "*");
    let is_plain = |field: &str| field.split([',', '-', '/']).all(is_value);
    fields.split_whitespace().count() == 5
        && fields.split_whitespace().all(is_plain)
        && parser(Seconds::Disallowed, Year::Disallowed).parse(&fields).is_ok()
}

/// A number, a star, or a month or day of the week in three letters.
fn is_value(text: &str) -> bool {
    text == "*"
        || (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        || (text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic()))
}

/// Whether `text` is a schedule of a deleting policy: five fields, six with a year, seven with seconds before and a year
/// behind; the day may be the last (`L`), a working day (`15W`) or the nth of a month (`5#3`).
pub(crate) fn is_extended(text: &str) -> bool {
    let text = text.trim();
    if text.starts_with('@') {
        return DESCRIPTORS.iter().any(|(name, _)| *name == text);
    }
    let fields = text.to_uppercase().replace("LW", "L");
    let parser = parser(Seconds::Optional, Year::Optional);
    match fields.split_whitespace().count() {
        5 | 7 => parser.parse(&fields).is_ok(),
        6 => parser.parse(&format!("0 {fields}")).is_ok(),
        _ => false,
    }
}

fn parser(seconds: Seconds, year: Year) -> CronParser {
    // `5/15` is every 15 from 5 on.
    CronParser::builder().seconds(seconds).year(year).sloppy_ranges(true).build()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_a_schedule_or_none(text in "[@0-9a-zA-Z*/,#? -]{0,40}") {
            let _ = (is_standard(&text), is_extended(&text));
        }
    }

    #[test]
    fn schedules_of_cleanup_policies() {
        for text in [
            "* * * * *",
            "*/5 * * * *",
            "5/15 0-6 1,15 JAN-MAR mon",
            "0 0 ? * ?",
            "@hourly",
            "@midnight",
            "@every 1h30m",
            " 0 1 * * * ",
            "00 09 * * 1-5/2",
        ] {
            assert!(is_standard(text), "{text}");
        }
        for text in [
            "",
            "invalid-schedule",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * L * *",
            "* * * * 5#3",
            "@often",
            "@every",
            "@every day",
            "*/0 * * * *",
            "a * * * *",
        ] {
            assert!(!is_standard(text), "{text}");
        }
    }

    #[test]
    fn schedules_of_deleting_policies() {
        for text in [
            "* * * * *",
            "0 0 1 1 * 2030",
            "30 0 0 1 1 * 2030",
            "0 0 L * *",
            "0 0 LW * *",
            "0 0 15W * *",
            "0 0 * * 5#3",
            "@daily",
        ] {
            assert!(is_extended(text), "{text}");
        }
        for text in ["", "never", "* * * *", "* * * * * * * *", "61 * * * *", "@often", "@every 1h"] {
            assert!(!is_extended(text), "{text}");
        }
    }
}
