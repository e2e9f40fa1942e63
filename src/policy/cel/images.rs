//! `ImageValidatingPolicy`: which images it is about, and what it asks of them beside its validations.
//!
//! In: the `spec` of a policy, or of one of its forms for Pod controllers. Out: where images are found, which of them
//! count, the names of attestors and attestations, with the defaults that the API server fills in.

use super::{compile::Known, expression::Expression, model::Named, refuse};
use crate::{
    document::Node,
    expr::cel::Expected,
    k8s::glob::Glob,
    policy::{
        error::{PolicyError, Problem},
        fields::Problems,
        signers::{self, Entry},
    },
};

/// What a policy says of images.
#[derive(Debug)]
pub(crate) struct Images {
    /// `images`: where to find images beside those of Pods, by their names in `images`.
    pub extractors: Vec<Named>,
    /// `matchImageReferences`, one of which must hold; without any every image counts.
    pub references: Vec<Reference>,
    /// `attestors`.
    pub attestors: Vec<Entry>,
    /// Names of `attestations`.
    pub attestations: Vec<String>,
    /// `mutateDigest`: a tag is replaced by the digest that it stands for.
    pub mutates_digest: bool,
    /// `verifyDigest`: an image must have a digest.
    pub needs_digest: bool,
    /// `required`: some policy must have verified an image.
    pub required: bool,
    /// What is wrong beside expressions.
    pub flaws: Vec<PolicyError>,
}

/// An entry of `matchImageReferences`.
#[derive(Debug)]
pub(crate) enum Reference {
    /// A glob for the image as written.
    Glob(Glob),
    /// An expression over `ref`, the image as written.
    Expression(Expression),
}

impl Images {
    /// Compiles what a `spec` says of images; `of_reference` knows `ref`.
    pub(super) fn compile(spec: Node<'_>, known: &Known, of_reference: &Known) -> Self {
        let items = |key: &str| spec.get(key).into_iter().flat_map(Node::items);
        let flag = |key| spec.at(&["validationConfigurations", key]).and_then(Node::as_bool).unwrap_or(true);
        let problems = Problems::default();
        let extractor = |item: Node<'_>| {
            let name = item.str_at(&["name"])?.to_owned();
            Some(Named { name, expression: known.compile(item.get("expression")?, Expected::Any) })
        };
        let reference = |item: Node<'_>| match (item.get("glob"), item.get("expression")) {
            (Some(glob), _) => {
                let compiled = Glob::parse(glob.as_str().unwrap_or_default());
                if compiled.is_none() {
                    let help = "close every bracket and brace, or put a backslash before it";
                    problems.at(glob, Problem::invalid_with("matchImageReferences: invalid glob", help));
                }
                compiled.map(Reference::Glob)
            }
            (None, Some(node)) => Some(Reference::Expression(of_reference.compile(node, Expected::Bool))),
            (None, None) => None,
        };
        Self {
            extractors: items("images").filter_map(extractor).collect(),
            references: items("matchImageReferences").filter_map(reference).collect(),
            attestors: items("attestors").map(signers::of_policy).collect(),
            attestations: items("attestations").filter_map(|it| Some(it.str_at(&["name"])?.to_owned())).collect(),
            mutates_digest: flag("mutateDigest"),
            needs_digest: flag("verifyDigest"),
            required: flag("required"),
            flaws: problems.into_vec(),
        }
    }

    /// Every expression in it.
    pub(super) fn expressions(&self) -> Vec<&Expression> {
        let references = self.references.iter().filter_map(|it| match it {
            Reference::Expression(expression) => Some(expression),
            Reference::Glob(_) => None,
        });
        self.extractors.iter().map(|it| &it.expression).chain(references).collect()
    }
}

/// Notes attestors that are of no kind, or of two.
pub(super) fn check(spec: Node<'_>, problems: &Problems) {
    let given =
        |node: Node<'_>, keys: &[&str]| keys.iter().filter(|key| node.get(key).is_some_and(|it| it.len() > 0)).count();
    for attestor in spec.get("attestors").into_iter().flat_map(Node::items) {
        match given(attestor, &["cosign", "notary"]) {
            1 => {}
            0 => refuse(attestor, problems, "an attestor must be of cosign or of notary", "add one of them"),
            _ => refuse(attestor, problems, "an attestor can't be of cosign and of notary", "make two attestors"),
        }
        if let Some(cosign) = attestor.get("cosign").filter(|it| it.len() > 0)
            && given(cosign, &["key", "keyless", "certificate"]) > 1
        {
            let message = "an attestor has one of key, keyless and certificate";
            refuse(cosign, problems, message, "make an attestor of each");
        }
    }
}
