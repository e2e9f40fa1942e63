//! `podSecurity` of rules and exceptions, compiled: level, version, and which violations don't count.
//!
//! In: a `validate.podSecurity` block, or the `podSecurity` list of an exception. Out: the compiled form, or what a
//! cluster would refuse in it. Public description:
//! <https://kubernetes.io/docs/concepts/security/pod-security-standards/>.

use super::{
    error::Problem,
    fields::{Fields, Problems},
};
use crate::{document::Node, k8s::wildcard::Wildcard, span::Span};

/// What a rule demands of Pods.
#[derive(Debug)]
pub(crate) struct PodSecurity {
    /// The profile.
    pub level: Level,
    /// Where the level stands.
    pub level_span: Span,
    /// The Kubernetes release whose form of the profile counts.
    pub version: Version,
    /// Violations that don't count, in the order of the file.
    pub exclude: Vec<Exclusion>,
}

/// A profile of the pod security standards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// Kyverno: by its name the profile that allows everything, in fact the same as `restricted`.
    Privileged,
    /// What no workload needs without a reason.
    Baseline,
    /// Best practice.
    Restricted,
}

impl Level {
    pub(crate) const NAMES: &'static [&'static str] = &["privileged", "baseline", "restricted"];

    /// Kyverno's word.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Level::Privileged => "privileged",
            Level::Baseline => "baseline",
            Level::Restricted => "restricted",
        }
    }
}

/// The Kubernetes release whose form of a profile counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// As written, which is how messages name it; empty when omitted.
    pub text: String,
    /// The 29 of `v1.29`; for the latest release the highest number there is.
    minor: u16,
}

impl Version {
    pub(crate) const NAMES: &'static [&'static str] = &[
        "v1.19", "v1.20", "v1.21", "v1.22", "v1.23", "v1.24", "v1.25", "v1.26", "v1.27", "v1.28", "v1.29", "v1.30",
        "v1.31", "v1.32", "latest",
    ];

    /// Reads one of the versions that the schema allows, or the latest for anything else.
    pub(crate) fn new(text: &str) -> Self {
        let minor = text.strip_prefix("v1.").and_then(|minor| minor.parse().ok()).unwrap_or(u16::MAX);
        Self { text: text.to_owned(), minor }
    }

    /// The 29 of `v1.29`; the highest number there is for the latest release.
    pub(crate) fn minor(&self) -> u16 {
        self.minor
    }

    /// Whether this is Kubernetes 1.`minor` or later.
    pub(crate) fn at_least(&self, minor: u16) -> bool {
        self.minor >= minor
    }
}

/// A control of the pod security standards that can be exempted by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Control {
    HostProcess,
    HostNamespaces,
    PrivilegedContainers,
    Capabilities,
    HostPathVolumes,
    HostPorts,
    AppArmor,
    SeLinux,
    ProcMountType,
    Seccomp,
    Sysctls,
    VolumeTypes,
    PrivilegeEscalation,
    RunningAsNonRoot,
    RunningAsNonRootUser,
}

/// What a control judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Fields of the Pod only.
    Pod,
    /// Fields of containers only.
    Containers,
    /// Both.
    Both,
}

impl Control {
    /// The names, in the order of the variants.
    pub(crate) const NAMES: &'static [&'static str] = &[
        "HostProcess",
        "Host Namespaces",
        "Privileged Containers",
        "Capabilities",
        "HostPath Volumes",
        "Host Ports",
        "AppArmor",
        "SELinux",
        "/proc Mount Type",
        "Seccomp",
        "Sysctls",
        "Volume Types",
        "Privilege Escalation",
        "Running as Non-root",
        "Running as Non-root user",
    ];

    const ALL: [Self; 15] = [
        Control::HostProcess,
        Control::HostNamespaces,
        Control::PrivilegedContainers,
        Control::Capabilities,
        Control::HostPathVolumes,
        Control::HostPorts,
        Control::AppArmor,
        Control::SeLinux,
        Control::ProcMountType,
        Control::Seccomp,
        Control::Sysctls,
        Control::VolumeTypes,
        Control::PrivilegeEscalation,
        Control::RunningAsNonRoot,
        Control::RunningAsNonRootUser,
    ];

    /// The name in policies, as in the pod security standards.
    pub(crate) const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// Reads a name; the case counts.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|control| control.name() == text)
    }

    /// What the control judges.
    pub(crate) const fn reach(self) -> Reach {
        match self {
            Control::HostNamespaces | Control::HostPathVolumes | Control::Sysctls | Control::VolumeTypes => Reach::Pod,
            Control::Capabilities
            | Control::PrivilegedContainers
            | Control::HostPorts
            | Control::ProcMountType
            | Control::PrivilegeEscalation => Reach::Containers,
            Control::HostProcess
            | Control::AppArmor
            | Control::SeLinux
            | Control::Seccomp
            | Control::RunningAsNonRoot
            | Control::RunningAsNonRootUser => Reach::Both,
        }
    }

    /// Whether the profile `baseline` has the control.
    pub(crate) const fn in_baseline(self) -> bool {
        !matches!(
            self,
            Control::VolumeTypes
                | Control::PrivilegeEscalation
                | Control::RunningAsNonRoot
                | Control::RunningAsNonRootUser
        )
    }
}

/// Violations of one control that don't count.
#[derive(Debug)]
pub(crate) struct Exclusion {
    /// The control.
    pub control: Control,
    /// Only those of containers with these images; empty means only those of the Pod.
    pub images: Vec<Wildcard>,
    /// Only those of this field, indexes written as `*`.
    pub field: Option<String>,
    /// Only those all of whose values match one of these; empty means any values.
    pub values: Vec<Wildcard>,
    /// Where the entry stands.
    pub span: Span,
    control_span: Span,
    field_span: Span,
    values_span: Span,
    images_span: Span,
}

impl Exclusion {
    /// What Kyverno's webhook refuses in an entry, with the place.
    pub(crate) fn flaws(&self) -> Vec<(Span, Problem)> {
        let name = self.control.name();
        let mut out = Vec::new();
        match (self.control.reach(), self.images.is_empty()) {
            (Reach::Containers, true) => out.push((
                self.control_span,
                Problem::Invalid {
                    message: format!("control `{name}` needs `images`: it judges containers"),
                    help: Some("name the images, or write `images: [\"*\"]`".to_owned()),
                },
            )),
            (Reach::Pod, false) => out.push((
                self.images_span,
                Problem::Invalid {
                    message: format!("control `{name}` can't have `images`: it judges the Pod"),
                    help: Some("remove `images`".to_owned()),
                },
            )),
            (Reach::Containers, false) | (Reach::Pod, true) | (Reach::Both, _) => {}
        }
        match (self.field.is_some(), self.values.is_empty()) {
            (true, true) => out.push((self.field_span, Problem::invalid("`restrictedField` needs `values`"))),
            (false, false) => out.push((self.values_span, Problem::invalid("`values` need a `restrictedField`"))),
            (true, false) | (false, true) => {}
        }
        out
    }
}

/// Decodes `validate.podSecurity`.
pub(crate) fn decode(node: Node<'_>, problems: &Problems) -> Option<PodSecurity> {
    let fields = Fields::read(node, "podSecurity", problems)?;
    let level_node = fields.require("level")?;
    let level = match fields.choice("level", Level::NAMES)? {
        "baseline" => Level::Baseline,
        "restricted" => Level::Restricted,
        _ => Level::Privileged,
    };
    let version = Version::new(fields.choice("version", Version::NAMES).unwrap_or_default());
    let exclude: Vec<Exclusion> = fields.list("exclude").filter_map(|item| exclusion(item, problems)).collect();
    for entry in &exclude {
        for (at, problem) in entry.flaws() {
            problems.at_span(node, at, problem);
        }
        if level == Level::Baseline && !entry.control.in_baseline() {
            let message = format!("control `{}` is no part of level baseline", entry.control.name());
            problems.at_span(node, entry.control_span, Problem::invalid(message));
        }
    }
    Some(PodSecurity { level, level_span: level_node.span(), version, exclude })
}

/// Decodes an entry of `exclude`, or of the `podSecurity` of an exception.
pub(crate) fn exclusion(node: Node<'_>, problems: &Problems) -> Option<Exclusion> {
    let fields = Fields::read(node, "an entry of controls", problems)?;
    let control_node = fields.require("controlName")?;
    let control = Control::parse(fields.choice("controlName", Control::NAMES)?)?;
    let wildcards = |key: &str| fields.strings(key).into_iter().map(|(text, _)| Wildcard::new(text)).collect();
    let key_span = |key: &str| fields.get(key).map_or(node.span(), Node::key_span);
    Some(Exclusion {
        control,
        images: wildcards("images"),
        field: fields.string("restrictedField").filter(|text| !text.is_empty()).map(str::to_owned),
        values: wildcards("values"),
        span: node.span(),
        control_span: control_node.span(),
        field_span: key_span("restrictedField"),
        values_span: key_span("values"),
        images_span: key_span("images"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{document, span::File};

    /// The texts of the problems of a `podSecurity` block, each with the text that it points at.
    fn problems(block: &str) -> Vec<String> {
        let file = File::new("p.yaml", block.as_bytes().to_vec());
        let parsed = document::parse(&file, &document::Limits::default());
        let problems = Problems::default();
        decode(parsed.documents[0].root(), &problems);
        problems.into_vec().iter().map(|it| format!("{it} @ {}", file.slice(it.at))).collect()
    }

    #[test]
    fn every_name_reads_as_its_own_control() {
        for (index, name) in Control::NAMES.iter().enumerate() {
            assert_eq!(Control::parse(name).map(|it| it as usize), Some(index), "{name}");
        }
        assert_eq!(Control::parse("seccomp"), None, "case counts");
    }

    #[test]
    fn versions_order_and_an_omitted_one_is_the_latest() {
        for (version, minor, wanted) in
            [("v1.24", 25, false), ("v1.25", 25, true), ("v1.31", 27, true), ("latest", 32, true), ("", 32, true)]
        {
            assert_eq!(Version::new(version).at_least(minor), wanted, "{version} {minor}");
        }
    }

    #[test]
    fn what_the_schema_refuses() {
        for (block, wanted) in [
            ("{ level: strict }", "`strict` is no value of `level` @ strict"),
            ("{ version: latest }", "podSecurity lacks `level` @ version: latest"),
            ("{ level: baseline, version: v1.33 }", "`v1.33` is no value of `version` @ v1.33"),
            ("{ level: baseline, version: \"1.25\" }", "`1.25` is no value of `version` @ \"1.25\""),
            ("{ level: baseline, version: 1.25 }", "`version` must be a string, found a number @ 1.25"),
            (
                "{ level: baseline, exclude: [{ controlName: seccomp }] }",
                "`seccomp` is no value of `controlName` @ seccomp",
            ),
        ] {
            assert_eq!(problems(block), [wanted], "{block}");
        }
    }

    #[test]
    fn what_kyverno_refuses_beyond_the_schema() {
        let entry = |level: &str, entry: &str| problems(&format!("{{ level: {level}, exclude: [{{ {entry} }}] }}"));
        for name in ["Capabilities", "Privileged Containers", "Host Ports", "/proc Mount Type", "Privilege Escalation"]
        {
            let wanted = format!("control `{name}` needs `images`: it judges containers @ {name}");
            assert_eq!(entry("restricted", &format!("controlName: {name}")), [wanted]);
            assert!(entry("restricted", &format!("controlName: {name}, images: ['*']")).is_empty(), "{name}");
        }
        for name in ["Host Namespaces", "HostPath Volumes", "Sysctls", "Volume Types"] {
            let wanted = format!("control `{name}` can't have `images`: it judges the Pod @ images");
            assert_eq!(entry("restricted", &format!("controlName: {name}, images: ['*']")), [wanted]);
            assert!(entry("restricted", &format!("controlName: {name}")).is_empty(), "{name}");
        }
        for name in ["HostProcess", "AppArmor", "SELinux", "Seccomp"] {
            assert!(entry("baseline", &format!("controlName: {name}")).is_empty(), "{name}");
            assert!(entry("baseline", &format!("controlName: {name}, images: [a]")).is_empty(), "{name}");
        }
        for name in ["Volume Types", "Running as Non-root", "Running as Non-root user"] {
            let wanted = format!("control `{name}` is no part of level baseline @ {name}");
            assert_eq!(entry("baseline", &format!("controlName: {name}")), [wanted]);
            assert!(entry("privileged", &format!("controlName: {name}")).is_empty(), "{name}");
        }
        assert_eq!(entry("baseline", "controlName: Privilege Escalation, images: [a]").len(), 1);
        assert_eq!(
            entry("baseline", "controlName: Seccomp, restrictedField: spec.x"),
            ["`restrictedField` needs `values` @ restrictedField"]
        );
        assert_eq!(
            entry("baseline", "controlName: Seccomp, values: [x]"),
            ["`values` need a `restrictedField` @ values"]
        );
        assert!(entry("baseline", "controlName: Seccomp, restrictedField: no.such.field, values: [x]").is_empty());
    }
}
