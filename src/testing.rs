//! What tests, benches and fuzzers need of the library. No part of any promise.
