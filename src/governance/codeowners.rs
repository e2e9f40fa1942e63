//! `CODEOWNERS`: who has to agree to a change of a path.
//!
//! In: the text of the file, and where it lies. Out: for a path the entries that decide, each with its owners. GitHub's
//! dialect is one list in which the last line that matches wins:
//! <https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners>
//! GitLab's has sections, each with a winner of its own, which may be optional, ask for several approvals, and name owners
//! for entries that name none: <https://docs.gitlab.com/user/project/codeowners/reference/>

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Where the file may lie, in the order in which it is looked for.
pub(crate) const PLACES: [&str; 4] = [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"];

/// Whose rules the lines follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Github,
    Gitlab,
}

/// The file, read.
#[derive(Clone, Debug)]
pub(crate) struct Codeowners {
    /// Where it lies.
    pub path: String,
    sections: Vec<Section>,
    /// Lines that say nothing because they can't be read, from 1.
    pub unreadable: Vec<u32>,
}

/// A part of the file in which the last match wins; GitHub's dialect knows only one.
#[derive(Clone, Debug)]
struct Section {
    /// Empty for lines before the first heading.
    name: String,
    /// Nobody has to agree.
    optional: bool,
    /// How many owners have to agree.
    approvals: u32,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    line: u32,
    globs: GlobSet,
    /// `!pattern`: what matches needs nobody of this section.
    excludes: bool,
    owners: Vec<Owner>,
}

/// Who owns something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// `@name`: a person, or on GitLab a group.
    User(String),
    /// `@organization/team`, `@group/subgroup`.
    Team(String),
    /// `@@maintainer`: everybody who has the role in the project.
    Role(String),
    /// An address.
    Email(String),
}

impl Owner {
    /// Reads a word; `None` for one that names nobody.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        let fits = |text: &str| {
            let is_fine = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
            !text.is_empty() && text.chars().all(is_fine)
        };
        if let Some(role) = word.strip_prefix("@@") {
            return fits(role).then(|| Owner::Role(role.to_owned()));
        }
        if let Some(name) = word.strip_prefix('@') {
            let owner = if name.contains('/') { Owner::Team } else { Owner::User };
            return fits(name).then(|| owner(name.to_owned()));
        }
        let (local, domain) = word.split_once('@')?;
        (!local.is_empty() && domain.contains('.')).then(|| Owner::Email(word.to_owned()))
    }

    /// Whether a word of the configuration means this owner: as written here, with or without the `@` in front, letters
    /// of any case.
    pub(crate) fn is(&self, word: &str) -> bool {
        let bare = word.trim_start_matches('@');
        match self {
            Owner::User(name) | Owner::Team(name) => !word.starts_with("@@") && bare.eq_ignore_ascii_case(name),
            Owner::Role(name) => word.starts_with("@@") && bare.eq_ignore_ascii_case(name),
            Owner::Email(address) => word.eq_ignore_ascii_case(address),
        }
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Owner::User(name) | Owner::Team(name) => write!(f, "@{name}"),
            Owner::Role(name) => write!(f, "@@{name}"),
            Owner::Email(address) => f.write_str(address),
        }
    }
}

/// The entry of a section that decides about a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decided<'c> {
    /// The name of the section; empty for the only one of GitHub's dialect.
    pub section: &'c str,
    /// Its line, from 1.
    pub line: u32,
    /// Whether nobody has to agree.
    pub optional: bool,
    /// How many owners have to agree.
    pub approvals: u32,
    /// Who owns the path by this section; empty for nobody.
    pub owners: &'c [Owner],
}

impl Codeowners {
    /// Reads the file at `path`.
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let dialect = dialect(path, text);
        let mut out = Self { path: path.to_owned(), sections: vec![Section::named("")], unreadable: Vec::new() };
        let (mut at, mut defaults) = (0, Vec::new());
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if dialect == Dialect::Gitlab
                && let Some((section, owners)) = heading(line)
            {
                at = out.section(section);
                defaults = owners;
                continue;
            }
            match entry(line, number, dialect, &defaults) {
                Some(entry) => out.sections[at].entries.push(entry),
                None => out.unreadable.push(number),
            }
        }
        out
    }

    /// Takes up a section again that was there, whatever the case of its letters, or begins it.
    fn section(&mut self, section: Section) -> usize {
        if let Some(at) = self.sections.iter().position(|it| it.name.eq_ignore_ascii_case(&section.name)) {
            // What one of the headings demands holds for the whole.
            let known = &mut self.sections[at];
            known.optional &= section.optional;
            known.approvals = known.approvals.max(section.approvals);
            return at;
        }
        self.sections.push(section);
        self.sections.len() - 1
    }

    /// The entries that decide about a path, one for each section that has one.
    pub(crate) fn of(&self, path: &str) -> Vec<Decided<'_>> {
        let decided = |section: &'_ Section| -> Option<(u32, usize)> {
            // An exclusion holds wherever it stands in its section.
            if section.entries.iter().any(|it| it.excludes && it.globs.is_match(path)) {
                return None;
            }
            let at = section.entries.iter().rposition(|it| !it.excludes && it.globs.is_match(path))?;
            Some((section.entries[at].line, at))
        };
        let found = self.sections.iter().filter_map(|section| {
            let (line, at) = decided(section)?;
            Some(Decided {
                section: &section.name,
                line,
                optional: section.optional,
                approvals: section.approvals,
                owners: &section.entries[at].owners,
            })
        });
        found.collect()
    }
}

impl Section {
    fn named(name: &str) -> Self {
        Self { name: name.to_owned(), optional: false, approvals: 1, entries: Vec::new() }
    }
}

/// GitLab's dialect where the place or a heading says so; no pattern of GitHub's begins with a bracket.
fn dialect(path: &str, text: &str) -> Dialect {
    let has_sections = || text.lines().any(|line| heading(line.trim()).is_some());
    match path {
        ".gitlab/CODEOWNERS" => Dialect::Gitlab,
        ".github/CODEOWNERS" => Dialect::Github,
        _ if has_sections() => Dialect::Gitlab,
        _ => Dialect::Github,
    }
}

/// Reads `[name]`, `^[name]`, `[name][2] @owner`.
fn heading(line: &str) -> Option<(Section, Vec<Owner>)> {
    let (optional, rest) = match line.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let (name, mut rest) = rest.strip_prefix('[')?.split_once(']')?;
    let mut approvals = 1;
    if let Some(more) = rest.strip_prefix('[') {
        let (number, after) = more.split_once(']')?;
        approvals = number.trim().parse().ok().filter(|it| *it > 0)?;
        rest = after;
    }
    let is_whole = rest.is_empty() || rest.starts_with([' ', '\t']);
    if name.trim().is_empty() || !is_whole {
        return None;
    }
    let owners = rest.split_whitespace().take_while(|it| !it.starts_with('#')).filter_map(Owner::parse).collect();
    Some((Section { optional, approvals, ..Section::named(name.trim()) }, owners))
}

fn entry(line: &str, number: u32, dialect: Dialect, defaults: &[Owner]) -> Option<Entry> {
    let (pattern, rest) = split_pattern(line);
    let (excludes, pattern) = match (dialect, pattern.strip_prefix('!')) {
        (Dialect::Gitlab, Some(rest)) => (true, rest.to_owned()),
        // GitHub has no negation.
        (Dialect::Github, Some(_)) => return None,
        (_, None) => (false, pattern),
    };
    if dialect == Dialect::Github && pattern.contains('[') {
        return None;
    }
    let words = rest.split_whitespace().take_while(|it| !it.starts_with('#'));
    let mut owners = Vec::new();
    for word in words {
        match Owner::parse(word) {
            Some(owner) => owners.push(owner),
            // GitHub passes over a line with a word that is no owner; GitLab over the word.
            None if dialect == Dialect::Github => return None,
            None => {}
        }
    }
    if owners.is_empty() {
        owners = defaults.to_vec();
    }
    Some(Entry { line: number, globs: globs(&pattern, dialect)?, excludes, owners })
}

/// The pattern, with `\ ` and `\#` resolved, and what follows it.
fn split_pattern(line: &str) -> (String, &str) {
    let mut out = String::new();
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, next @ (' ' | '#' | '\t'))) => out.push(next),
                Some((_, next)) => out.extend(['\\', next]),
                None => {}
            },
            ' ' | '\t' => return (out, &line[at..]),
            _ => out.push(c),
        }
    }
    (out, "")
}

/// What a pattern matches, as globs in which `*` stops at a slash.
fn globs(pattern: &str, dialect: Dialect) -> Option<GlobSet> {
    let (is_directory, trimmed) = match pattern.strip_suffix('/') {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    let is_anchored = match dialect {
        // As in a `.gitignore`: a slash anywhere but at the end.
        Dialect::Github => trimmed.contains('/'),
        Dialect::Gitlab => pattern.starts_with('/'),
    };
    let rest = trimmed.trim_start_matches('/');
    if rest.is_empty() && !is_directory {
        return None;
    }
    let base = match (rest.is_empty(), is_anchored || rest.starts_with("**/")) {
        (true, _) => "**".to_owned(),
        (false, true) => rest.to_owned(),
        (false, false) => format!("**/{rest}"),
    };
    let last = rest.rsplit('/').next().unwrap_or(rest);
    let mut all = Vec::new();
    if !is_directory || rest.is_empty() {
        all.push(base.clone());
    }
    let goes_down = match dialect {
        // What a name matches may be a directory, and then all that is in it; `docs/*` stays at its level.
        Dialect::Github => is_directory || last != "*" || !trimmed.contains('/'),
        Dialect::Gitlab => is_directory,
    };
    if goes_down {
        all.push(format!("{base}/**"));
    }
    let mut out = GlobSetBuilder::new();
    for glob in all {
        // Braces stand for themselves.
        let glob = glob.replace('{', "\\{").replace('}', "\\}");
        out.add(GlobBuilder::new(&glob).literal_separator(true).backslash_escape(true).build().ok()?);
    }
    out.build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For each path: section and owners of each entry that decides.
    #[track_caller]
    fn check(place: &str, text: &str, wanted: &[(&str, &str)]) {
        let file = Codeowners::parse(place, text);
        for (path, wanted) in wanted {
            let all = file.of(path);
            let text: Vec<String> = all
                .iter()
                .map(|it| {
                    let mark = if it.optional { "^" } else { "" };
                    let owners = it.owners.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
                    if it.section.is_empty() { owners } else { format!("{mark}{}: {owners}", it.section) }
                })
                .collect();
            assert_eq!(text.join(", "), *wanted, "{path}");
        }
    }

    #[test]
    fn on_github_the_last_line_that_matches_wins() {
        let text = "\
# everything
*           @org/all
*.js        @js-owner # the rest is a comment
/build/logs/ @doctocat
docs/*      docs@example.com
apps/       @octocat
/docs/      @doctocat @org/docs
/apps/github
**/logs     @logs
/a\\ b.yaml  @space
";
        check(
            ".github/CODEOWNERS",
            text,
            &[
                ("x.yaml", "@org/all"),
                ("deep/x.js", "@js-owner"),
                ("build/logs/a", "@logs"),
                ("other/build/logs/a", "@logs"),
                ("docs/a.md", "@doctocat @org/docs"),
                ("deep/docs/a.md", "@org/all"),
                ("deep/apps/x", "@octocat"),
                ("apps/github", ""),
                ("apps/github/x", ""),
                ("a b.yaml", "@space"),
            ],
        );
        let only = "docs/* docs@example.com\n";
        check("docs/CODEOWNERS", only, &[("docs/a.md", "docs@example.com"), ("docs/deep/a.md", ""), ("a.md", "")]);
        assert!(Codeowners::parse("CODEOWNERS", only).of("docs/deep/a.md").is_empty());
    }

    #[test]
    fn lines_that_github_cannot_read_say_nothing() {
        let file = Codeowners::parse("CODEOWNERS", "* @all\n!/docs @x\n/a @fine not-an-owner\n/b[0-9] @x\n");
        assert_eq!(file.unreadable, [2, 3, 4]);
        assert_eq!(file.of("a")[0].owners, [Owner::User("all".to_owned())]);
    }

    #[test]
    fn on_gitlab_each_section_decides_by_itself() {
        let text = "\
* @default
[Policies] @security/team
policies/
policies/public/ @everyone
!policies/public/free.yaml

^[Docs]
*.md @docs
[policies][2]
exceptions/*.yaml @@maintainer sec@example.com
";
        check(
            ".gitlab/CODEOWNERS",
            text,
            &[
                ("a.yaml", "@default"),
                ("policies/a/b.yaml", "@default, Policies: @security/team"),
                ("deep/policies/b.yaml", "@default, Policies: @security/team"),
                ("policies/public/x.md", "@default, Policies: @everyone, ^Docs: @docs"),
                ("policies/public/free.yaml", "@default"),
                ("exceptions/a.yaml", "@default, Policies: @@maintainer sec@example.com"),
                ("exceptions/deep/a.yaml", "@default"),
            ],
        );
        let file = Codeowners::parse("CODEOWNERS", text);
        assert_eq!(file.of("policies/a")[1].approvals, 2);
        assert_eq!(file.of("policies/a")[1].line, 3);
    }

    #[test]
    fn on_gitlab_a_path_without_a_slash_in_front_matches_at_any_depth_and_names_are_no_directories() {
        let text = "[A]\ndocs/api.md @a\n/top @b\n/dir/ @c\nx{1}.yaml @d\n";
        check(
            "CODEOWNERS",
            text,
            &[
                ("deep/docs/api.md", "A: @a"),
                ("top", "A: @b"),
                ("top/x", ""),
                ("dir/x/y", "A: @c"),
                ("x{1}.yaml", "A: @d"),
                ("x1.yaml", ""),
            ],
        );
    }

    #[test]
    fn owners_are_users_teams_roles_and_addresses() {
        for (word, owner) in [
            ("@ann", Some(Owner::User("ann".to_owned()))),
            ("@org/team", Some(Owner::Team("org/team".to_owned()))),
            ("@@owner", Some(Owner::Role("owner".to_owned()))),
            ("ann@example.com", Some(Owner::Email("ann@example.com".to_owned()))),
            ("ann", None),
            ("@", None),
            ("@a!b", None),
            ("ann@localhost", None),
        ] {
            assert_eq!(Owner::parse(word), owner, "{word}");
        }
        let team = Owner::Team("org/Team".to_owned());
        assert!(team.is("@org/team") && team.is("org/team") && !team.is("team") && !team.is("@@org/team"));
        assert!(Owner::Role("owner".to_owned()).is("@@owner") && !Owner::Role("owner".to_owned()).is("@owner"));
    }
}
