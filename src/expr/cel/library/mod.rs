//! The functions that expressions can call, a table for each library.
//!
//! To add one, add a line to a table: its signature, a note, its body. The signature is what the checker checks, what
//! the evaluator dispatches by, and what `admit cel --list` prints. `A`, `B`, `K` and `V` stand for any type, the same
//! in all places; `dyn...` for any number of arguments; a type before the name makes it a method.

#![allow(clippy::unnecessary_wraps, reason = "all functions of a table have one type")]

mod authorizer;
mod conversions;
mod encodings;
mod format;
mod formats;
mod images;
mod kyverno;
mod lists;
mod math;
mod network;
mod optional;
mod patterns;
mod standard;
mod strings;
mod times;
mod versions;
mod world;

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use super::{
    EvalError, List, Map, Scope, Value,
    environment::Family,
    types::{Bindings, Type},
    value::Opaque,
};

/// The body of a function. Its arguments fit the signature.
pub(super) type Apply = for<'c, 'v> fn(&Call<'c, 'v>) -> Result<Value<'v>, EvalError>;

/// A function that expressions can call, with one signature.
pub(crate) struct Function {
    /// How it is called, and what it gives: `string.charAt(int) -> string`.
    pub(crate) signature: &'static str,
    /// What it does, in a line.
    pub(crate) note: &'static str,
    apply: Apply,
}

impl Function {
    const fn new(signature: &'static str, note: &'static str, apply: Apply) -> Self {
        Function { signature, note, apply }
    }

    /// The name, without receiver: `charAt`, `math.greatest`.
    pub(crate) fn name(&self) -> &'static str {
        split(self.signature).1
    }
}

macro_rules! libraries {
    ($($name:ident $text:literal: $tables:expr;)*) => {
        /// A set of functions that environments have or lack as a whole.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Library { $(#[doc = $text] $name,)* }

        impl Library {
            /// All libraries.
            pub(super) const ALL: &[Library] = &[$(Library::$name,)*];

            /// What it is called in lists.
            pub(crate) const fn title(self) -> &'static str {
                match self { $(Library::$name => $text,)* }
            }

            fn tables(self) -> &'static [&'static [Function]] {
                match self { $(Library::$name => $tables,)* }
            }
        }
    };
}

libraries! {
    Standard "standard": &[standard::FUNCTIONS, conversions::FUNCTIONS, times::FUNCTIONS];
    Optional "optional values": &[optional::FUNCTIONS];
    LenientOptional "orValue of any value": &[optional::LENIENT];
    TwoVariables "two-variable comprehensions": &[];
    Bindings "bindings": &[];
    Strings "strings": &[strings::FUNCTIONS];
    Lists "lists": &[lists::FUNCTIONS, lists::KUBERNETES];
    Sets "sets": &[lists::SETS];
    Find "regular expressions": &[patterns::KUBERNETES];
    Regex "regex": &[patterns::EXTENSION];
    Encoders "encoders": &[encodings::ENCODERS];
    Math "math": &[math::FUNCTIONS];
    Url "URL": &[network::URL];
    Ip "IP": &[network::IP];
    Cidr "CIDR": &[network::CIDR];
    Quantity "quantity": &[versions::QUANTITY];
    Format "format": &[formats::FUNCTIONS];
    Semver "semver": &[versions::SEMVER];
    Authorizer "authorizer": &[authorizer::FUNCTIONS];
    JsonPatch "jsonpatch": &[kyverno::JSON_PATCH];
    Image "image": &[images::FUNCTIONS, images::METADATA];
    Verification "image verification": &[images::VERIFICATION];
    Resource "resource": &[world::RESOURCE];
    NamespacedResource "resource in namespaced policies": &[world::NAMESPACED_RESOURCE];
    GlobalContext "globalContext": &[world::GLOBAL_CONTEXT];
    Http "http": &[world::HTTP];
    Generator "generator": &[world::GENERATOR];
    NamespacedGenerator "generator in namespaced policies": &[world::NAMESPACED_GENERATOR];
    Json "json": &[encodings::JSON];
    Yaml "yaml": &[encodings::YAML];
    Hash "hash": &[encodings::HASH];
    User "user": &[kyverno::USER];
    Time "time": &[times::KYVERNO];
    Random "random": &[kyverno::RANDOM];
    Transform "transform": &[kyverno::TRANSFORM];
    Gzip "gzip": &[encodings::GZIP];
    X509 "x509": &[encodings::X509];
}

impl Library {
    pub(super) const fn bit(self) -> u64 {
        1 << self as u64
    }

    /// Whether the policies of a family, the cluster-wide ones, have it.
    pub(super) fn belongs_to(self, family: Family) -> bool {
        use Family as F;
        let kubernetes = matches!(family, F::ValidatingAdmissionPolicy | F::MutatingAdmissionPolicy | F::ClusterPolicy);
        let generating = matches!(family, F::GeneratingPolicy | F::DeletingPolicy);
        match self {
            Library::Standard
            | Library::Optional
            | Library::Strings
            | Library::Lists
            | Library::Sets
            | Library::Find
            | Library::Url
            | Library::Ip
            | Library::Cidr
            | Library::Quantity
            | Library::Format
            | Library::Semver => true,
            Library::LenientOptional => family != F::ImageValidatingPolicy,
            Library::TwoVariables => !generating,
            Library::Authorizer => family == F::ClusterPolicy,
            Library::JsonPatch => matches!(family, F::MutatingPolicy | F::MutatingAdmissionPolicy),
            Library::Verification => family == F::ImageValidatingPolicy,
            Library::Generator => family == F::GeneratingPolicy,
            Library::User => !kubernetes && !generating,
            Library::X509 => !kubernetes && family != F::ImageValidatingPolicy,
            Library::Bindings
            | Library::Regex
            | Library::Encoders
            | Library::Math
            | Library::Image
            | Library::Resource
            | Library::GlobalContext
            | Library::Http
            | Library::Json
            | Library::Yaml
            | Library::Hash
            | Library::Time
            | Library::Random
            | Library::Transform
            | Library::Gzip => !kubernetes,
            Library::NamespacedResource | Library::NamespacedGenerator => false,
        }
    }
}

/// A function as checker and evaluator use it.
pub(super) struct Overload {
    function: &'static Function,
    pub library: Library,
    pub name: &'static str,
    pub is_method: bool,
    /// Types of the arguments, the receiver first.
    parameters: Vec<Type>,
    /// Whether the last parameter may come any number of times, but once at least.
    variadic: bool,
    pub result: Type,
}

impl std::fmt::Debug for Overload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.function.signature)
    }
}

static INDEX: LazyLock<FxHashMap<&'static str, Vec<Overload>>> = LazyLock::new(|| {
    let mut index: FxHashMap<&'static str, Vec<Overload>> = FxHashMap::default();
    for library in Library::ALL {
        for function in library.tables().iter().copied().flatten() {
            let overload = Overload::read(function, *library);
            index.entry(overload.name).or_default().push(overload);
        }
    }
    index
});

/// The overloads of a name, in all libraries.
pub(super) fn overloads(name: &str) -> &'static [Overload] {
    INDEX.get(name).map_or(&[], Vec::as_slice)
}

/// All functions with their libraries, in the order of the tables.
pub(crate) fn functions() -> impl Iterator<Item = (Library, &'static Function)> {
    let of = |library: &Library| {
        let library = *library;
        library.tables().iter().copied().flatten().map(move |function| (library, function))
    };
    Library::ALL.iter().flat_map(of)
}

/// Receiver, name, parameters and result of a signature.
fn split(signature: &'static str) -> (Option<&'static str>, &'static str, &'static str, &'static str) {
    let (call, result) = signature.rsplit_once(" -> ").unwrap_or((signature, "dyn"));
    let call = call.strip_suffix(')').unwrap_or(call);
    // Parameters may hold brackets; the receiver as well. The name ends at the bracket that is closed last.
    let mut depth = 0;
    let open = call
        .char_indices()
        .rev()
        .find(|(_, c)| {
            match c {
                ')' => depth += 1,
                '(' if depth == 0 => return true,
                '(' => depth -= 1,
                _ => {}
            }
            false
        })
        .map_or(call.len(), |(at, _)| at);
    let (head, parameters) = (&call[..open], call.get(open + 1..).unwrap_or(""));
    match head.rsplit_once('.') {
        Some((receiver, name)) if is_type(receiver) => (Some(receiver), name, parameters, result),
        _ => (None, head, parameters, result),
    }
}

/// Whether the text before a name is the type of a receiver, not a namespace.
fn is_type(text: &str) -> bool {
    const SCALARS: [&str; 9] = ["dyn", "bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration"];
    text.contains('(') || SCALARS.contains(&text) || text.starts_with(|c: char| c.is_ascii_uppercase())
}

/// Parts between commas that stand in no brackets.
fn parameters(text: &'static str) -> Vec<&'static str> {
    let (mut depth, mut start, mut out) = (0, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                out.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    let last = text[start..].trim();
    if !last.is_empty() {
        out.push(last);
    }
    out
}

impl Overload {
    fn read(function: &'static Function, library: Library) -> Self {
        let (receiver, name, list, result) = split(function.signature);
        let list = parameters(list);
        let variadic = list.last().is_some_and(|last| last.ends_with("..."));
        let texts = receiver.into_iter().chain(list.into_iter().map(|it| it.strip_suffix("...").unwrap_or(it)));
        Overload {
            function,
            library,
            name,
            is_method: receiver.is_some(),
            parameters: texts.map(Type::parse).collect(),
            variadic,
            result: Type::parse(result),
        }
    }

    fn counts(&self, given: usize) -> bool {
        given == self.parameters.len() || self.variadic && given > self.parameters.len()
    }

    fn parameter(&self, index: usize) -> &Type {
        self.parameters.get(index).or(self.parameters.last()).unwrap_or(&Type::Dyn)
    }

    /// The type of the result for arguments of such types; `None` when they don't fit.
    pub(super) fn result_for(&self, given: &[Type]) -> Option<Type> {
        let mut bindings = Bindings::default();
        let fits = self.counts(given.len())
            && given.iter().enumerate().all(|(index, it)| self.parameter(index).accepts(it, &mut bindings));
        fits.then(|| self.result.bound(&bindings))
    }

    /// Whether such values fit the signature.
    pub(super) fn admits(&self, values: &[Value<'_>]) -> bool {
        self.counts(values.len()) && values.iter().enumerate().all(|(index, it)| admits(self.parameter(index), *it))
    }

    /// Whether it asks the world or the clock, so that a result may not be kept.
    pub(super) fn apply<'v>(&self, call: &Call<'_, 'v>) -> Result<Value<'v>, EvalError> {
        (self.function.apply)(call)
    }
}

/// Whether a value is of a type, as far as can be seen from outside: items of lists are not looked at.
fn admits(of: &Type, value: Value<'_>) -> bool {
    match of {
        Type::Dyn | Type::Free | Type::Parameter(_) => true,
        Type::Null => matches!(value, Value::Null),
        Type::Bool => matches!(value, Value::Bool(_)),
        Type::Int => matches!(value, Value::Int(_)),
        Type::Uint => matches!(value, Value::Uint(_)),
        Type::Double => matches!(value, Value::Double(_)),
        Type::String => matches!(value, Value::String(_)),
        Type::Bytes => matches!(value, Value::Bytes(_)),
        Type::Timestamp => matches!(value, Value::Timestamp(_)),
        Type::Duration => matches!(value, Value::Duration(_)),
        Type::List(_) => matches!(value, Value::List(_)),
        Type::Map(_) | Type::Struct(_) | Type::Object(_) => matches!(value, Value::Map(_)),
        Type::Optional(_) => matches!(value, Value::Optional(_)),
        Type::Meta => matches!(value, Value::Type(_)),
        Type::Opaque(name) => matches!(value, Value::Opaque(opaque) if opaque.name() == *name),
    }
}

/// One call of a function.
pub(super) struct Call<'c, 'v> {
    pub arguments: &'c [Value<'v>],
    pub scope: &'c Scope<'v>,
    /// The regular expression that the second argument is, when it is a constant.
    pub pattern: Option<&'c regex::Regex>,
}

impl<'v> Call<'_, 'v> {
    /// The argument at `index`; null when there is none.
    fn value(&self, index: usize) -> Value<'v> {
        self.arguments.get(index).copied().unwrap_or(Value::Null)
    }

    fn text(&self, index: usize) -> Result<&'v str, EvalError> {
        self.value(index).as_str().ok_or(EvalError::NoSuchOverload)
    }

    fn int(&self, index: usize) -> Result<i64, EvalError> {
        match self.value(index) {
            Value::Int(value) => Ok(value),
            _ => Err(EvalError::NoSuchOverload),
        }
    }

    fn list(&self, index: usize) -> Result<List<'v>, EvalError> {
        match self.value(index) {
            Value::List(list) => Ok(list),
            _ => Err(EvalError::NoSuchOverload),
        }
    }

    /// The items of a list, whose number is charged.
    fn items(&self, index: usize) -> Result<Vec<Value<'v>>, EvalError> {
        let list = self.list(index)?;
        self.scope.charge_bytes(list.len() * size_of::<Value<'_>>())?;
        Ok(list.iter().collect())
    }

    fn map(&self, index: usize) -> Result<Map<'v>, EvalError> {
        match self.value(index) {
            Value::Map(map) => Ok(map),
            _ => Err(EvalError::NoSuchOverload),
        }
    }

    fn bytes(&self, index: usize) -> Result<&'v [u8], EvalError> {
        match self.value(index) {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(EvalError::NoSuchOverload),
        }
    }

    fn opaque(&self, index: usize) -> Result<&'v Opaque<'v>, EvalError> {
        match self.value(index) {
            Value::Opaque(opaque) => Ok(opaque),
            _ => Err(EvalError::NoSuchOverload),
        }
    }

    /// Takes steps from the budget.
    fn charge(&self, steps: usize) -> Result<(), EvalError> {
        self.scope.charge(steps as u64)
    }

    /// Text as result.
    fn give_text(&self, text: &str) -> Result<Value<'v>, EvalError> {
        self.scope.charge_bytes(text.len())?;
        Ok(Value::String(self.scope.arena().alloc_str(text)))
    }

    /// Bytes as result.
    fn give_bytes(&self, bytes: &[u8]) -> Result<Value<'v>, EvalError> {
        self.scope.charge_bytes(bytes.len())?;
        Ok(Value::Bytes(self.scope.arena().alloc_slice_copy(bytes)))
    }

    /// A list as result.
    fn give_list(&self, items: &[Value<'v>]) -> Result<Value<'v>, EvalError> {
        self.scope.charge_bytes(size_of_val(items))?;
        Ok(Value::List(List::Items(self.scope.arena().alloc_slice_copy(items))))
    }

    /// A map as result; its keys are unique.
    fn give_map(&self, entries: &[(Value<'v>, Value<'v>)]) -> Result<Value<'v>, EvalError> {
        self.scope.charge_bytes(size_of_val(entries))?;
        Ok(Value::Map(Map::Entries(self.scope.arena().alloc_slice_copy(entries))))
    }

    /// A value of a library as result.
    fn give(&self, opaque: Opaque<'v>) -> Value<'v> {
        Value::Opaque(self.scope.arena().alloc(opaque))
    }

    /// An optional value as result.
    fn give_optional(&self, value: Option<Value<'v>>) -> Value<'v> {
        Value::Optional(value.map(|value| &*self.scope.arena().alloc(value)))
    }
}

/// Sorts items by their keys, which must have an order among each other.
pub(super) fn sort_by_key<'v>(scope: &Scope<'v>, keyed: &mut [(Value<'v>, Value<'v>)]) -> Result<(), EvalError> {
    let count = keyed.len() as u64;
    scope.charge(count * u64::from(count.max(1).ilog2()))?;
    let first = keyed.first().map(|(key, _)| *key);
    let comparable = |key: &Value<'v>| first.is_none_or(|first| first.compare(*key).is_some());
    if !keyed.iter().all(|(key, _)| comparable(key)) {
        return Err(EvalError::NoSuchOverload);
    }
    keyed.sort_by(|(a, _), (b, _)| a.compare(*b).unwrap_or(std::cmp::Ordering::Equal));
    Ok(())
}
