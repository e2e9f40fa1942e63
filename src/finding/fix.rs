//! What would mend a finding, as changes to the text of its file.
//!
//! In: the edits of many findings of one file. Out: as many of them as go together; the others wait for the next round,
//! in which they are worked out anew on the changed text.

use super::Finding;
use crate::document::edit::{Edit, apply, collide, repeated, still_reads};
use crate::span::File;

/// Applies the fixes of the findings of one file, in their order. Gives the new text and how many were applied; `None`
/// when none was. All edits of a fix are applied, or none of them, and none that would change what an alias repeats elsewhere.
pub(crate) fn fixed(file: &File, findings: &[&Finding]) -> Option<(String, usize)> {
    let mut taken: Vec<Edit> = Vec::new();
    let mut count = 0;
    let repeated = repeated(file);
    let is_repeated = |edit: &Edit| repeated.iter().any(|it| it.start <= edit.span.end && edit.span.start <= it.end);
    for finding in findings.iter().filter(|it| !it.fix.is_empty()) {
        let collides = finding.fix.iter().any(|edit| taken.iter().any(|other| collide(edit, other)));
        if collides || finding.fix.iter().any(is_repeated) {
            continue;
        }
        let mut with = taken.clone();
        with.extend(finding.fix.iter().filter(|edit| !taken.contains(edit)).cloned());
        if still_reads(file, &apply(file.text(), &with)) {
            taken = with;
            count += 1;
        }
    }
    let text = apply(file.text(), &taken);
    (count > 0 && text != file.text()).then_some((text, count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        finding::{Place, Severity},
        span::Span,
    };

    #[test]
    fn what_collides_waits_and_what_breaks_the_file_is_left_out() {
        let file = File::new("a.yaml", b"a: 1\nb: 2\n".to_vec());
        let finding = |start, end, text: &str| {
            let place = Place::new(&file, Span::new(start, end));
            Finding::new("X", Severity::Error, place, "x")
                .fix([Some(Edit { span: Span::new(start, end), text: text.to_owned() })])
        };
        let all = [finding(3, 4, "7"), finding(3, 4, "8"), finding(8, 9, "[")];
        let all: Vec<&Finding> = all.iter().collect();
        assert_eq!(fixed(&file, &all), Some(("a: 7\nb: 2\n".to_owned(), 1)));
        assert_eq!(fixed(&file, &[]), None);
    }

    #[test]
    fn what_an_alias_repeats_is_left_alone() {
        let file = File::new("a.yaml", b"a: &l [x]\nb: *l\nc: [x]\n".to_vec());
        let finding = |at| {
            let edit = Edit { span: Span::new(at, at), text: ", y".to_owned() };
            Finding::new("X", Severity::Error, Place::new(&file, Span::new(at, at)), "x").fix([Some(edit)])
        };
        let all = [finding(8), finding(21)];
        let all: Vec<&Finding> = all.iter().collect();
        assert_eq!(fixed(&file, &all), Some(("a: &l [x]\nb: *l\nc: [x, y]\n".to_owned(), 1)));
    }

    #[test]
    fn a_fix_is_whole_or_none() {
        let file = File::new("a.yaml", b"a: 1\n".to_vec());
        let place = Place::new(&file, Span::new(3, 4));
        let edit = Edit { span: Span::new(3, 4), text: "2".to_owned() };
        let finding = Finding::new("X", Severity::Error, place, "x").fix([Some(edit), None]);
        assert!(finding.fix.is_empty());
    }
}
