//! The register: each exception, who owns it, until when, what it does.
