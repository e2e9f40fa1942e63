//! What an expression may name: variables with their types and libraries, for each kind of policy.

use std::fmt;

use super::{
    library::Library,
    types::{Field, Struct, Type},
};

/// The kind of policy that an expression stands in.
#[expect(clippy::enum_variant_names, reason = "they are the names of the kinds")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Kyverno's `ValidatingPolicy` and its namespaced form.
    ValidatingPolicy,
    /// Kyverno's `MutatingPolicy` and its namespaced form.
    MutatingPolicy,
    /// Kyverno's `GeneratingPolicy` and its namespaced form.
    GeneratingPolicy,
    /// Kyverno's `ImageValidatingPolicy` and its namespaced form.
    ImageValidatingPolicy,
    /// Kyverno's `DeletingPolicy` and its namespaced form.
    DeletingPolicy,
    /// Kubernetes' `ValidatingAdmissionPolicy`.
    ValidatingAdmissionPolicy,
    /// Kubernetes' `MutatingAdmissionPolicy`.
    MutatingAdmissionPolicy,
    /// `validate.cel` and `celPreconditions` of Kyverno's `ClusterPolicy` and `Policy`.
    ClusterPolicy,
}

impl Family {
    /// All of them.
    pub(crate) const ALL: [Family; 8] = [
        Family::ValidatingPolicy,
        Family::MutatingPolicy,
        Family::GeneratingPolicy,
        Family::ImageValidatingPolicy,
        Family::DeletingPolicy,
        Family::ValidatingAdmissionPolicy,
        Family::MutatingAdmissionPolicy,
        Family::ClusterPolicy,
    ];

    /// The name of the kind that is not namespaced.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Family::ValidatingPolicy => "ValidatingPolicy",
            Family::MutatingPolicy => "MutatingPolicy",
            Family::GeneratingPolicy => "GeneratingPolicy",
            Family::ImageValidatingPolicy => "ImageValidatingPolicy",
            Family::DeletingPolicy => "DeletingPolicy",
            Family::ValidatingAdmissionPolicy => "ValidatingAdmissionPolicy",
            Family::MutatingAdmissionPolicy => "MutatingAdmissionPolicy",
            Family::ClusterPolicy => "ClusterPolicy",
        }
    }
}

/// A variable that a policy's engine sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// `object`
    Object,
    /// `oldObject`
    OldObject,
    /// `request`
    Request,
    /// `namespaceObject`
    NamespaceObject,
    /// `params`
    Params,
    /// `authorizer`
    Authorizer,
    /// `exceptions`
    Exceptions,
    /// `images`
    Images,
    /// `attestors`
    Attestors,
    /// `attestations`
    Attestations,
    /// `ref`
    Reference,
}

impl Root {
    /// All of them, in the order of their numbers.
    pub(super) const ALL: [Root; 11] = [
        Root::Object,
        Root::OldObject,
        Root::Request,
        Root::NamespaceObject,
        Root::Params,
        Root::Authorizer,
        Root::Exceptions,
        Root::Images,
        Root::Attestors,
        Root::Attestations,
        Root::Reference,
    ];

    /// The name in expressions.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Root::Object => "object",
            Root::OldObject => "oldObject",
            Root::Request => "request",
            Root::NamespaceObject => "namespaceObject",
            Root::Params => "params",
            Root::Authorizer => "authorizer",
            Root::Exceptions => "exceptions",
            Root::Images => "images",
            Root::Attestors => "attestors",
            Root::Attestations => "attestations",
            Root::Reference => "ref",
        }
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The names and libraries of the expressions of one policy.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    roots: Vec<(Root, Type)>,
    /// `None` where `variables` is not declared.
    variables: Option<Vec<(Box<str>, Type)>>,
    libraries: u64,
    /// Whether all items of a list literal must be of one type.
    pub(super) homogeneous: bool,
    /// Whether errors of variables name them, as they do in Kubernetes.
    pub(super) composited: bool,
    /// Whether `Object{…}` and `JSONPatch{…}` may be built.
    pub(super) objects: bool,
}

impl Environment {
    /// What expressions of a family may name; `variables` has no fields yet, `params` is not declared.
    pub(crate) fn new(family: Family) -> Self {
        use Family as F;
        let kyverno = !matches!(family, F::ValidatingAdmissionPolicy | F::MutatingAdmissionPolicy | F::ClusterPolicy);
        let mut out = Environment {
            roots: Vec::new(),
            variables: Some(Vec::new()),
            libraries: 0,
            homogeneous: !matches!(family, F::GeneratingPolicy),
            composited: !kyverno,
            objects: matches!(family, F::MutatingPolicy | F::MutatingAdmissionPolicy),
        };
        for root in [Root::Object, Root::OldObject] {
            out.declare(root, Type::Dyn);
        }
        out.declare(Root::Request, Type::Struct(if kyverno { &KYVERNO_REQUEST } else { &REQUEST }));
        out.declare(Root::NamespaceObject, Type::Struct(&NAMESPACE));
        if kyverno && family != F::DeletingPolicy {
            out.declare(Root::Exceptions, Type::Struct(&EXCEPTIONS));
        }
        if family == F::ImageValidatingPolicy {
            out.declare(Root::Images, Type::map(Type::String, Type::list(Type::String)));
            out.declare(Root::Attestors, Type::map(Type::String, Type::Dyn));
            out.declare(Root::Attestations, Type::map(Type::String, Type::String));
        }
        for library in Library::ALL {
            if library.belongs_to(family) {
                out.libraries |= library.bit();
            }
        }
        if family == F::ClusterPolicy { out.with_authorizer() } else { out }
    }

    /// With `authorizer`, which tells what somebody may do.
    #[must_use]
    pub(crate) fn with_authorizer(mut self) -> Self {
        self.declare(Root::Authorizer, Type::Opaque("Authorizer"));
        self.libraries |= Library::Authorizer.bit();
        self
    }

    /// Everything at once, for trying expressions.
    pub(crate) fn playground() -> Self {
        let mut out = Environment::new(Family::ValidatingPolicy);
        out.objects = true;
        out.declare(Root::Params, Type::Dyn);
        for library in Library::ALL {
            if !matches!(library, Library::NamespacedResource | Library::NamespacedGenerator) {
                out.libraries |= library.bit();
            }
        }
        out
    }

    /// As in a policy that only sees its own namespace: look-ups don't name one.
    #[must_use]
    pub(crate) fn namespaced(mut self) -> Self {
        if self.libraries & Library::Resource.bit() != 0 {
            self.libraries = self.libraries & !Library::Resource.bit() | Library::NamespacedResource.bit();
        }
        if self.libraries & Library::Generator.bit() != 0 {
            self.libraries = self.libraries & !Library::Generator.bit() | Library::NamespacedGenerator.bit();
        }
        self
    }

    /// As where expressions may not use `variables`: most `matchConditions`.
    #[must_use]
    pub(crate) fn without_variables(mut self) -> Self {
        self.variables = None;
        self
    }

    /// Without one of the roots.
    #[must_use]
    pub(crate) fn without(mut self, root: Root) -> Self {
        self.roots.retain(|(known, _)| *known != root);
        self
    }

    /// Declares a root, or declares it anew with another type.
    pub(crate) fn declare(&mut self, root: Root, of: Type) {
        self.roots.retain(|(known, _)| *known != root);
        self.roots.push((root, of));
    }

    /// Declares `variables.NAME`. The programs of variables are handed to the scope in the same order.
    ///
    /// A name that is declared again stands for its last declaration.
    pub(crate) fn declare_variable(&mut self, name: &str, of: Type) {
        self.variables.get_or_insert_default().push((name.into(), of));
    }

    pub(super) fn root(&self, name: &str) -> Option<(Root, &Type)> {
        self.roots.iter().find(|(root, _)| root.name() == name).map(|(root, of)| (*root, of))
    }

    pub(super) fn has_variables(&self) -> bool {
        self.variables.is_some()
    }

    pub(super) fn variable(&self, name: &str) -> Option<(usize, &Type)> {
        let variables = self.variables.as_ref()?;
        variables.iter().enumerate().rev().find(|(_, (known, _))| &**known == name).map(|(index, (_, of))| (index, of))
    }

    pub(super) fn has(&self, library: Library) -> bool {
        self.libraries & library.bit() != 0
    }
}

static GROUP_VERSION_KIND: Struct = Struct {
    name: "kubernetes.GroupVersionKind",
    fields: &[("group", Field::Of("string")), ("version", Field::Of("string")), ("kind", Field::Of("string"))],
};

static GROUP_VERSION_RESOURCE: Struct = Struct {
    name: "kubernetes.GroupVersionResource",
    fields: &[("group", Field::Of("string")), ("version", Field::Of("string")), ("resource", Field::Of("string"))],
};

static USER_INFO: Struct = Struct {
    name: "kubernetes.UserInfo",
    fields: &[
        ("username", Field::Of("string")),
        ("uid", Field::Of("string")),
        ("groups", Field::Of("list(string)")),
        ("extra", Field::Of("map(string, list(string))")),
    ],
};

macro_rules! request {
    ($($more:expr),*) => {
        Struct {
            name: "kubernetes.AdmissionRequest",
            fields: &[
                ("kind", Field::Struct(&GROUP_VERSION_KIND)),
                ("resource", Field::Struct(&GROUP_VERSION_RESOURCE)),
                ("subResource", Field::Of("string")),
                ("requestKind", Field::Struct(&GROUP_VERSION_KIND)),
                ("requestResource", Field::Struct(&GROUP_VERSION_RESOURCE)),
                ("requestSubResource", Field::Of("string")),
                ("name", Field::Of("string")),
                ("namespace", Field::Of("string")),
                ("operation", Field::Of("string")),
                ("userInfo", Field::Struct(&USER_INFO)),
                ("dryRun", Field::Of("bool")),
                ("options", Field::Of("dyn")),
                $($more),*
            ],
        }
    };
}

/// `request` in policies of Kubernetes.
static REQUEST: Struct = request!();
/// `request` in policies of Kyverno.
static KYVERNO_REQUEST: Struct = request!(("object", Field::Of("dyn")), ("oldObject", Field::Of("dyn")));

static NAMESPACE: Struct = Struct {
    name: "kubernetes.Namespace",
    fields: &[
        ("metadata", Field::Struct(&NAMESPACE_METADATA)),
        (
            "spec",
            Field::Struct(&Struct {
                name: "kubernetes.NamespaceSpec",
                fields: &[("finalizers", Field::Of("list(string)"))],
            }),
        ),
        (
            "status",
            Field::Struct(&Struct {
                name: "kubernetes.NamespaceStatus",
                fields: &[("conditions", Field::Of("list(dyn)")), ("phase", Field::Of("string"))],
            }),
        ),
    ],
};

static NAMESPACE_METADATA: Struct = Struct {
    name: "kubernetes.NamespaceMetadata",
    fields: &[
        ("name", Field::Of("string")),
        ("generateName", Field::Of("string")),
        ("namespace", Field::Of("string")),
        ("labels", Field::Of("map(string, string)")),
        ("annotations", Field::Of("map(string, string)")),
        ("UID", Field::Of("string")),
        ("creationTimestamp", Field::Of("timestamp")),
        ("deletionGracePeriodSeconds", Field::Of("int")),
        ("deletionTimestamp", Field::Of("timestamp")),
        ("generation", Field::Of("int")),
        ("resourceVersion", Field::Of("string")),
        ("finalizers", Field::Of("list(string)")),
    ],
};

static EXCEPTIONS: Struct = Struct {
    name: "kyverno.Exceptions",
    fields: &[("allowedImages", Field::Of("list(string)")), ("allowedValues", Field::Of("list(string)"))],
};
