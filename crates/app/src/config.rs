//! Configuration in layers: flag over environment over file over default.
//!
//! A program declares its keys once with [`section!`](crate::section): name, type, default, permitted range, flag and
//! description. From that come
//! - a *layer*, every key optional: what the file, the environment or the flags say, each read into one of these;
//! - the *effective* struct, defaults filled in, from which the program builds its validated settings, once;
//! - the table of keys ([`Layer::describe`]) that documents are written from;
//! - the environment variable of every key: `ROCKFISH_` and the key's path in capitals, dots as underscores
//!   (`flow.idle_timeout` is `ROCKFISH_FLOW_IDLE_TIMEOUT`). An empty variable counts as not set.
//!
//! Unknown keys are refused with line, column and what is permitted. `${NAME}` in a file is text; nothing is expanded.

use std::ffi::OsString;
use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_saphyr::{DefaultMessageFormatter, Error as YamlError, Location, MessageFormatter};

use crate::Secret;
use crate::exit::{Problem, Problems};

/// Begins the name of every environment variable of the toolkit.
pub const ENVIRONMENT_PREFIX: &str = "ROCKFISH";

/// Environment variable that names the configuration file where `-c/--config` does not.
pub const CONFIG_VARIABLE: &str = "ROCKFISH_CONFIG";

/// How variables are looked up: the process environment ([`environment`]) or a test's table.
pub type Lookup<'a> = dyn Fn(&str) -> Option<OsString> + 'a;

/// A variable of the process environment.
pub fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// A configuration that cannot be read. `Display` begins with file, line and column where there are such.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    place: String,
    message: String,
    hint: Option<String>,
}

impl ConfigError {
    /// Something wrong at `place` (a file, a line of it, a variable).
    pub fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into(), hint: None }
    }

    /// Adds advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What to do about it, if that is known.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl std::error::Error for ConfigError {}

impl From<ConfigError> for Problems {
    fn from(error: ConfigError) -> Self {
        Self(vec![Problem { text: error.to_string(), hint: error.hint }])
    }
}

/// Reads the YAML file at `path`. An empty file sets nothing.
///
/// # Errors
/// If the file cannot be read, is not YAML, or holds other keys or values than `T` has; with line and column.
pub fn load<T: DeserializeOwned + Default>(path: &Path) -> Result<T, ConfigError> {
    let name = path.display().to_string();
    let octets = std::fs::read(path)
        .map_err(|error| ConfigError::new(&*name, format!("cannot read: {error}")))?;
    let text = String::from_utf8(octets).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        ConfigError::new(name.as_str(), format!("not UTF-8 text at byte {offset}"))
    })?;
    parse(&text, &name)
}

/// Reads YAML from `text`; `name` stands for the file in errors.
///
/// # Errors
/// As [`load`].
pub fn parse<T: DeserializeOwned + Default>(text: &str, name: &str) -> Result<T, ConfigError> {
    let mut track = serde_path_to_error::Track::new();
    let options = serde_saphyr::options! {
        // The messages of this module are single lines.
        with_snippet: false,
    };
    let result = serde_saphyr::with_deserializer_from_str_with_options(text, options, |yaml| {
        Option::<T>::deserialize(serde_path_to_error::Deserializer::new(yaml, &mut track))
    });
    match result {
        Ok(value) => Ok(value.unwrap_or_default()),
        Err(error) => {
            let error = error.without_snippet();
            if matches!(error, YamlError::Eof { .. }) && holds_nothing(text) {
                return Ok(T::default());
            }
            Err(explain(error, &track.path().to_string(), text, name))
        }
    }
}

/// Whether there is nothing but comments and blank lines.
fn holds_nothing(text: &str) -> bool {
    text.trim_start_matches('\u{feff}')
        .lines()
        .map(str::trim)
        .all(|line| line.is_empty() || line.starts_with('#') || line == "---")
}

fn explain(error: &YamlError, path: &str, text: &str, name: &str) -> ConfigError {
    let (place, found) = match error.location() {
        Some(at) => (format!("{name}:{}:{}", at.line(), at.column()), scalar_at(text, at)),
        None => (name.to_owned(), None),
    };
    let key = if path == "." { "" } else { path };
    let about = |what: String| if key.is_empty() { what } else { format!("{key}: {what}") };
    let found = found.map_or_else(String::new, |found| format!(", found {found}"));
    match error {
        YamlError::SerdeUnknownField { field, expected, .. } => {
            // The path ends with the unknown key itself; what is before it is the section.
            let section = key.strip_suffix(field.as_str()).unwrap_or(key).trim_end_matches('.');
            let within = if section.is_empty() {
                "at the top level".to_owned()
            } else {
                format!("in section {section}")
            };
            let error = ConfigError::new(
                place,
                format!(
                    "unknown key {:?} {within}, permitted: {}",
                    Shown(field),
                    expected.join(", ")
                ),
            );
            match nearest(field, expected) {
                Some(near) => error.with_hint(format!("did you mean {near}?")),
                None => error,
            }
        }
        YamlError::SerdeUnknownVariant { variant, expected, .. } => ConfigError::new(
            place,
            about(format!("expected one of {}, found {:?}", expected.join(", "), Shown(variant))),
        ),
        YamlError::DuplicateMappingKey { key: Some(twice), .. } => {
            ConfigError::new(place, format!("key {:?} is given twice", Shown(twice)))
        }
        YamlError::DuplicateMappingKey { key: None, .. } => {
            ConfigError::new(place, "a key is given twice")
        }
        YamlError::MultipleDocuments { .. } => {
            ConfigError::new(place, "expected one YAML document, found another")
        }
        YamlError::InvalidScalar { ty, .. } => {
            ConfigError::new(place, about(format!("expected {}{found}", type_name(ty))))
        }
        YamlError::Unexpected { expected, .. } => {
            ConfigError::new(place, about(format!("expected {}{found}", type_name(expected))))
        }
        YamlError::SerdeInvalidType { unexpected, expected, .. }
        | YamlError::SerdeInvalidValue { unexpected, expected, .. } => ConfigError::new(
            place,
            about(format!("expected {}, found {unexpected}", type_name(expected))),
        ),
        other => {
            let message = DefaultMessageFormatter.format_message(other);
            // The reader's own words may quote the file: one line, and nothing that a terminal obeys.
            let line: Vec<&str> = message.lines().map(str::trim).collect();
            let plain = line.join("; ").replace(char::is_control, "\u{fffd}");
            ConfigError::new(place, about(plain))
        }
    }
}

/// The reader's word for a type in a person's words.
fn type_name(reader: &str) -> String {
    match reader {
        "u8" | "u16" | "u32" | "u64" | "usize" | "u128" => "a whole number, 0 or more".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" | "i128" => "a whole number".to_owned(),
        "f32" | "f64" | "float" | "floating point" => "a number".to_owned(),
        "bool" | "boolean" => "true or false".to_owned(),
        "a string" | "string" => "text".to_owned(),
        "string scalar" => "a single value".to_owned(),
        other => match other.strip_prefix("struct ") {
            Some(_) => "a mapping of keys to values".to_owned(),
            None if other.contains("mapping") => "a mapping of keys to values".to_owned(),
            None => other.to_owned(),
        },
    }
}

/// The value at a place, for an error. What is a mapping or a sequence is not shown.
fn scalar_at(text: &str, at: Location) -> Option<String> {
    let span = at.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let end = start.checked_add(usize::try_from(span.byte_len()?).ok()?)?;
    let value = text.get(start..end)?.trim();
    if value.is_empty() || value.starts_with(['{', '[', '&', '*', '|', '>', '!']) {
        return None;
    }
    Some(format!("{:?}", Shown(value)))
}

/// Text of someone else's making, quoted, without control characters, and not too long.
struct Shown<'a>(&'a str);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 40;
        let text = self.0;
        // A value quoted in the file is shown with those quotes only.
        let inner = ['"', '\'']
            .iter()
            .find_map(|&quote| text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote)));
        let text = inner.unwrap_or(text);
        match text.char_indices().nth(MOST) {
            Some((end, _)) => write!(f, "{:?}…", &text[..end]),
            None => write!(f, "{text:?}"),
        }
    }
}

/// The permitted name that `name` is likely a slip of.
fn nearest<'a>(name: &str, permitted: &[&'a str]) -> Option<&'a str> {
    permitted
        .iter()
        .map(|&candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|&(likeness, _)| likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// A type that a key may have: what the documents call it, and how it is read from an environment variable.
pub trait Value: Sized {
    /// Name of the type in documents.
    fn kind() -> String;

    /// From the text of an environment variable.
    ///
    /// # Errors
    /// What was expected instead.
    fn from_text(text: &str) -> Result<Self, String>;

    /// From an environment variable, which need not be UTF-8.
    ///
    /// # Errors
    /// What was expected instead.
    fn from_os(text: OsString) -> Result<Self, String> {
        match text.to_str() {
            Some(text) => Self::from_text(text),
            None => Err("expected UTF-8 text".to_owned()),
        }
    }

    /// As documents show it.
    fn show(&self) -> String;
}

impl Value for bool {
    fn kind() -> String {
        "bool".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Ok(true),
            "false" | "no" | "off" | "0" => Ok(false),
            _ => Err(format!("expected true or false, found {:?}", Shown(text))),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

macro_rules! number {
    ($kind:literal, $name:literal: $($type:ty)+) => {$(
        impl Value for $type {
            fn kind() -> String {
                $kind.to_owned()
            }

            fn from_text(text: &str) -> Result<Self, String> {
                text.trim().parse().map_err(|_| {
                    format!(concat!("expected ", $name, ", found {:?}"), Shown(text))
                })
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

number!("int", "a whole number, 0 or more": u16 u32 u64);
number!("int", "a whole number": i32 i64);
number!("float", "a number": f64);

impl Value for String {
    fn kind() -> String {
        "string".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

/// Words in a list; in an environment variable or a flag, separated by commas.
impl Value for Vec<String> {
    fn kind() -> String {
        "list".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(text
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect())
    }

    fn show(&self) -> String {
        format!("[{}]", self.join(", "))
    }
}

impl Value for PathBuf {
    fn kind() -> String {
        "path".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(text.into())
    }

    fn from_os(text: OsString) -> Result<Self, String> {
        Ok(text.into())
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl Value for Secret {
    fn kind() -> String {
        "secret string".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self::new(text))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// Makes types that derive `clap::ValueEnum` usable as [`Value`]s.
#[macro_export]
macro_rules! choice_values {
    ($($type:ty),+ $(,)?) => {$(
        impl $crate::config::Value for $type {
            fn kind() -> String {
                $crate::config::choice_kind::<$type>()
            }

            fn from_text(text: &str) -> Result<Self, String> {
                $crate::config::choice_from_text(text)
            }

            fn show(&self) -> String {
                $crate::config::choice_name(self)
            }
        }
    )+};
}

choice_values!(crate::logging::LogFormat);

/// The names of a choice, as documents list them.
#[doc(hidden)]
pub fn choice_kind<T: clap::ValueEnum>() -> String {
    let names: Vec<String> = T::value_variants().iter().map(choice_name).collect();
    names.join(" \\| ")
}

/// A choice by its name.
#[doc(hidden)]
pub fn choice_from_text<T: clap::ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, false).map_err(|_| {
        let names: Vec<String> = T::value_variants().iter().map(choice_name).collect();
        format!("expected one of {}, found {:?}", names.join(", "), Shown(text))
    })
}

/// The name of a choice.
#[doc(hidden)]
pub fn choice_name<T: clap::ValueEnum>(value: &T) -> String {
    value.to_possible_value().map_or_else(String::new, |possible| possible.get_name().to_owned())
}

/// A permitted range in words: `0 to 65535`, `1 or more`.
#[doc(hidden)]
pub fn range_text<T: Value>(range: &impl RangeBounds<T>) -> String {
    match (range.start_bound(), range.end_bound()) {
        (Bound::Included(from), Bound::Included(to)) => format!("{} to {}", from.show(), to.show()),
        (Bound::Included(from), Bound::Excluded(to)) => {
            format!("{} to below {}", from.show(), to.show())
        }
        (Bound::Included(from) | Bound::Excluded(from), Bound::Unbounded) => {
            format!("{} or more", from.show())
        }
        (_, Bound::Included(to)) => format!("at most {}", to.show()),
        (_, Bound::Excluded(to)) => format!("below {}", to.show()),
        (_, Bound::Unbounded) => "any".to_owned(),
    }
}

/// One key as documents show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Path with dots: `flow.idle_timeout`.
    pub path: String,
    /// Name within its section.
    pub name: &'static str,
    /// Type, or the choices.
    pub kind: String,
    /// Default, if the key has one.
    pub default: Option<String>,
    /// Permitted range in words.
    pub range: Option<String>,
    /// Long name of the flag, without dashes.
    pub flag: Option<&'static str>,
    /// What it does.
    pub text: String,
}

impl Key {
    /// Name of the key's environment variable.
    pub fn variable(&self) -> String {
        variable(&self.path)
    }
}

/// One section as documents show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionText {
    /// Path with dots; empty for the top level.
    pub path: String,
    /// What it is for.
    pub text: String,
    /// Its keys, in order.
    pub keys: Vec<Key>,
}

/// Name of the environment variable of the key at `path`.
pub fn variable(path: &str) -> String {
    format!("{ENVIRONMENT_PREFIX}_{}", path.replace('.', "_").to_ascii_uppercase())
}

/// The path of `key` in the section at `section`.
#[doc(hidden)]
pub fn join(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// Documentation lines as one text: paragraphs kept, lines joined.
#[doc(hidden)]
pub fn doc_text(lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines.iter().map(|line| line.trim()) {
        if line.is_empty() {
            text.push_str("\n\n");
        } else {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push(' ');
            }
            text.push_str(line);
        }
    }
    text
}

/// A section that may be there with nothing under it.
#[doc(hidden)]
pub fn section_or_nothing<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// The value of the key at `path` in the environment.
#[doc(hidden)]
pub fn read_variable<T: Value>(path: &str, lookup: &Lookup<'_>) -> Result<Option<T>, ConfigError> {
    let name = variable(path);
    match lookup(&name) {
        Some(text) if !text.is_empty() => {
            T::from_os(text).map(Some).map_err(|message| ConfigError::new(name, message))
        }
        _ => Ok(None),
    }
}

/// What one source says: every key optional. Made by [`section!`](crate::section).
pub trait Layer: Clone + Default + Serialize + DeserializeOwned {
    /// Every key that has a default, with it.
    fn defaults() -> Self;

    /// What this layer says, and where it says nothing what `lower` says.
    #[must_use]
    fn over(self, lower: Self) -> Self;

    /// What the environment says of the section at `path`.
    ///
    /// # Errors
    /// The first variable whose text does not fit its key.
    fn from_environment(path: &str, lookup: &Lookup<'_>) -> Result<Self, ConfigError>;

    /// Whether this layer says something of the key at `path`.
    fn sets(&self, path: &str) -> bool;

    /// Calls `report(path, found, permitted range)` for each value outside its range.
    fn check_ranges(&self, path: &str, report: &mut dyn FnMut(&str, String, String));

    /// Adds this section and those within it to `sections`, top level first.
    fn describe(path: &str, sections: &mut Vec<SectionText>);
}

/// Where a key's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// An environment variable.
    Environment,
    /// The configuration file.
    File,
    /// Nobody set it.
    Default,
}

/// The sources of a configuration, in their order.
#[derive(Clone, Debug, Default)]
pub struct Layers<L> {
    /// What the command line says.
    pub flags: L,
    /// What the environment says.
    pub environment: L,
    /// What the file says.
    pub file: L,
    /// The file, if there is one.
    pub path: Option<PathBuf>,
}

impl<L: Layer> Layers<L> {
    /// Puts `flags` over the environment over the file, which `config` names or else `ROCKFISH_CONFIG`.
    ///
    /// # Errors
    /// If the file cannot be read or a variable's text does not fit its key.
    pub fn load(flags: L, config: Option<&Path>, lookup: &Lookup<'_>) -> Result<Self, ConfigError> {
        let path = match config {
            Some(path) => Some(path.to_owned()),
            None => lookup(CONFIG_VARIABLE).filter(|text| !text.is_empty()).map(PathBuf::from),
        };
        let file = match &path {
            Some(path) => load(path)?,
            None => L::default(),
        };
        Ok(Self { flags, environment: L::from_environment("", lookup)?, file, path })
    }

    /// The effective configuration as one layer: defaults at the bottom.
    pub fn merged(&self) -> L {
        let Self { flags, environment, file, path: _ } = self.clone();
        flags.over(environment).over(file).over(L::defaults())
    }

    /// The effective configuration as YAML, secrets masked.
    ///
    /// # Errors
    /// If a value has no YAML form, such as a path that is not UTF-8.
    pub fn dump(&self) -> Result<String, ConfigError> {
        serde_saphyr::to_string(&self.merged()).map_err(|error| {
            ConfigError::new("configuration", format!("cannot be written as YAML: {error}"))
        })
    }

    /// Where the value of the key at `path` comes from.
    pub fn origin(&self, path: &str) -> Origin {
        if self.flags.sets(path) {
            Origin::Flag
        } else if self.environment.sets(path) {
            Origin::Environment
        } else if self.file.sets(path) {
            Origin::File
        } else {
            Origin::Default
        }
    }

    /// What a person would look for to change the key at `path`: the flag, variable or file that set it and the key.
    pub fn describe_origin(&self, path: &str) -> String {
        match self.origin(path) {
            Origin::Flag => match flag_of::<L>(path) {
                Some(flag) => format!("{path} (--{flag})"),
                None => path.to_owned(),
            },
            Origin::Environment => format!("{path} ({})", variable(path)),
            Origin::File => match &self.path {
                Some(file) => format!("{path} ({})", file.display()),
                None => path.to_owned(),
            },
            Origin::Default => match flag_of::<L>(path) {
                Some(flag) => format!("{path} (--{flag})"),
                None => path.to_owned(),
            },
        }
    }

    /// Every effective value outside its permitted range.
    pub fn range_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.merged().check_ranges("", &mut |path, found, range| {
            problems.push(Problem {
                text: format!(
                    "{}: {found} is out of range, permitted: {range}",
                    self.describe_origin(path)
                ),
                hint: None,
            });
        });
        problems
    }
}

fn flag_of<L: Layer>(path: &str) -> Option<&'static str> {
    let mut sections = Vec::new();
    L::describe("", &mut sections);
    sections.iter().flat_map(|section| &section.keys).find(|key| key.path == path)?.flag
}

/// Declares a section of the configuration (or the top level): its effective struct and its layer.
///
/// ```
/// rockfish_app::section! {
///     /// How flows are metered.
///     pub struct Flow, layer FlowLayer {
///         /// Seconds without a packet after which a flow ends.
///         idle_timeout: u64 = 300, range 1.., flag "idle-timeout";
///         /// Name that the records carry.
///         name: String;
///     }
/// }
/// rockfish_app::section! {
///     /// The whole file.
///     pub struct Config, layer ConfigLayer {
///         /// Take losses for a failure.
///         strict: bool = false, flag "strict";
///     }
///     sections {
///         flow: Flow, layer FlowLayer;
///     }
/// }
/// let layer: ConfigLayer = rockfish_app::config::parse("flow: {idle_timeout: 60}", "example").unwrap();
/// let config = Config::from(layer);
/// assert_eq!((config.strict, config.flow.idle_timeout, config.flow.name), (false, 60, None));
/// ```
///
/// A key with a default (`= …`) has its plain type in the effective struct; one without is an `Option`. `range` takes any
/// range of the type. `flag` is the long name of the command-line flag that sets it.
#[macro_export]
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $vis:vis struct $name:ident, layer $layer:ident {
            $(
                $(#[doc = $doc:literal])+
                $key:ident: $type:ty $(= $default:expr)? $(, range $range:expr)? $(, flag $flag:literal)?;
            )*
        }
        $(sections {
            $( $section:ident: $section_type:ident, layer $section_layer:ident; )*
        })?
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $name {
            $( $(#[doc = $doc])+ pub $key: $crate::section!(@type $type $(= $default)?), )*
            $($(
                #[doc = concat!("Section `", stringify!($section), "`.")]
                pub $section: $section_type,
            )*)?
        }

        #[doc = concat!("What one source says of [`", stringify!($name), "`].")]
        #[derive(
            Clone, Debug, Default, PartialEq,
            $crate::reexport::serde::Serialize, $crate::reexport::serde::Deserialize,
        )]
        #[serde(crate = "rockfish_app::reexport::serde", deny_unknown_fields, default)]
        $vis struct $layer {
            $(
                $(#[doc = $doc])+
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $key: Option<$type>,
            )*
            $($(
                #[doc = concat!("Section `", stringify!($section), "`.")]
                #[serde(deserialize_with = "rockfish_app::config::section_or_nothing")]
                pub $section: $section_layer,
            )*)?
        }

        impl From<$layer> for $name {
            fn from(layer: $layer) -> Self {
                Self {
                    $( $key: $crate::section!(@effective (layer.$key) $(= $default)?), )*
                    $($( $section: layer.$section.into(), )*)?
                }
            }
        }

        impl $crate::config::Layer for $layer {
            fn defaults() -> Self {
                Self {
                    $( $key: $crate::section!(@default $($default)?), )*
                    $($( $section: $crate::config::Layer::defaults(), )*)?
                }
            }

            fn over(self, lower: Self) -> Self {
                Self {
                    $( $key: self.$key.or(lower.$key), )*
                    $($( $section: self.$section.over(lower.$section), )*)?
                }
            }

            fn from_environment(
                path: &str,
                lookup: &$crate::config::Lookup<'_>,
            ) -> Result<Self, $crate::config::ConfigError> {
                Ok(Self {
                    $( $key: $crate::config::read_variable(
                        &$crate::config::join(path, stringify!($key)), lookup,
                    )?, )*
                    $($( $section: $crate::config::Layer::from_environment(
                        &$crate::config::join(path, stringify!($section)), lookup,
                    )?, )*)?
                })
            }

            fn sets(&self, path: &str) -> bool {
                let (first, rest) = match path.split_once('.') {
                    Some((first, rest)) => (first, Some(rest)),
                    None => (path, None),
                };
                match (first, rest) {
                    $( (stringify!($key), None) => self.$key.is_some(), )*
                    $($( (stringify!($section), Some(rest)) => {
                        $crate::config::Layer::sets(&self.$section, rest)
                    } )*)?
                    _ => false,
                }
            }

            #[allow(unused_variables, reason = "a section may have neither ranges nor sections")]
            fn check_ranges(&self, path: &str, report: &mut dyn FnMut(&str, String, String)) {
                $($(
                    if let Some(value) = &self.$key {
                        let range = $range;
                        if !std::ops::RangeBounds::<$type>::contains(&range, value) {
                            report(
                                &$crate::config::join(path, stringify!($key)),
                                <$type as $crate::config::Value>::show(value),
                                $crate::config::range_text::<$type>(&range),
                            );
                        }
                    }
                )?)*
                $($( $crate::config::Layer::check_ranges(
                    &self.$section, &$crate::config::join(path, stringify!($section)), report,
                ); )*)?
            }

            fn describe(path: &str, sections: &mut Vec<$crate::config::SectionText>) {
                sections.push($crate::config::SectionText {
                    path: path.to_owned(),
                    text: $crate::config::doc_text(&[$($about),+]),
                    keys: vec![$(
                        $crate::config::Key {
                            path: $crate::config::join(path, stringify!($key)),
                            name: stringify!($key),
                            kind: <$type as $crate::config::Value>::kind(),
                            default: None::<String>$(.or_else(|| {
                                Some(<$type as $crate::config::Value>::show(&$default))
                            }))?,
                            range: None::<String>$(.or_else(|| {
                                Some($crate::config::range_text::<$type>(&$range))
                            }))?,
                            flag: None::<&'static str>$(.or(Some($flag)))?,
                            text: $crate::config::doc_text(&[$($doc),+]),
                        },
                    )*],
                });
                $($( <$section_layer as $crate::config::Layer>::describe(
                    &$crate::config::join(path, stringify!($section)), sections,
                ); )*)?
            }
        }
    };
    (@type $type:ty = $default:expr) => { $type };
    (@type $type:ty) => { Option<$type> };
    (@effective ($value:expr) = $default:expr) => { $value.unwrap_or_else(|| $default) };
    (@effective ($value:expr)) => { $value };
    (@default $default:expr) => { Some($default) };
    (@default) => { None };
}
