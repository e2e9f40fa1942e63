//! stub
pub(crate) fn compile(p: &str) -> Result<regex::Regex, regex::Error> {
    regex::Regex::new(p)
}
