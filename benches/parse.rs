//! From bytes to typed trees: throughput and allocations of parsing, on generated manifests.
//!
//! Run with `cargo bench --bench parse`.

#[allow(dead_code, reason = "each bench takes the manifests that it needs")]
mod manifests;

use admit::testing::{Documents, Reader, Source};
use divan::{AllocProfiler, Bencher, counter::BytesCount};

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const INPUTS: [&str; 4] = ["apps, a file each", "apps, one stream", "definitions", "JSON"];

/// The files of a sort of input.
fn files(input: &str) -> Vec<String> {
    match input {
        "apps, a file each" => manifests::apps(7, 400),
        "apps, one stream" => vec![manifests::apps(7, 400).join("---\n")],
        "definitions" => manifests::definitions(7, 20),
        _ => manifests::json(7, 400),
    }
}

fn run(bencher: Bencher<'_, '_>, input: &str, work: fn(&Source, &mut Reader) -> Documents) {
    let files = files(input);
    let bytes: usize = files.iter().map(String::len).sum();
    let sources: Vec<_> = files.into_iter().map(|text| Source::new("bench.yaml", text.into_bytes())).collect();
    for source in &sources {
        let documents = source.parse(&mut Reader::default());
        assert!(documents.errors(source).is_empty(), "generated manifests are right");
    }
    let mut reader = Reader::default();
    bencher.counter(BytesCount::new(bytes)).bench_local(|| {
        for source in &sources {
            divan::black_box_drop(work(source, &mut reader));
        }
    });
}

/// Bytes to documents.
#[divan::bench(args = INPUTS)]
fn parse(bencher: Bencher<'_, '_>, input: &str) {
    run(bencher, input, Source::parse);
}

/// Bytes to documents as the API server would see them.
#[divan::bench(args = INPUTS)]
fn parse_and_prepare(bencher: Bencher<'_, '_>, input: &str) {
    run(bencher, input, |source, reader| source.parse(reader).prepare());
}
