//! The register on the command line: where it is read from, who added what, and the page in a real browser.

use std::process::Command;

use crate::scratch::{Scratch, exception, policy, widget};

/// A repository in which one exception came with the first commit and one with the second, then moved.
fn told() -> Scratch {
    let it = Scratch::repository();
    it.write("policies/size.yaml", policy("size", "size", "small"))
        .write("apps/large.yaml", widget("large", "size", "large"))
        .write("exceptions/large.yaml", exception("large", "size", "large"));
    it.commit("one");
    it.write("exceptions/both.yaml", format!("{}---\n{}", exception("b", "size", "b"), exception("c", "size", "c")));
    it.commit("two");
    it.git(&["mv", "exceptions/both.yaml", "exceptions/moved.yaml"]);
    it.commit("three");
    it
}

#[test]
fn the_history_tells_who_added_each_exception() {
    let it = told();
    let two = it.git(&["rev-parse", "HEAD~1"]);
    let rows = it.admit(&["exceptions", "--format", "json"]).exits(0).json();
    assert_eq!(rows[0]["added"]["commit"].as_str(), Some(it.git(&["rev-parse", "HEAD~2"]).as_str()));
    assert_eq!((rows[1]["key"].as_str(), rows[1]["added"]["commit"].as_str()), (Some("shop/b"), Some(two.as_str())));
    assert_eq!(rows[1]["added"]["name"], "Ann");
    it.write("exceptions/new.yaml", exception("new", "size", "n"));
    it.admit(&["exceptions"]).says("Ann on 2024-01-01").says("not committed");
    it.admit(&["exceptions", "--no-history"]).says_not("Ann");
}

#[test]
fn a_bare_repository_has_a_register_and_a_shallow_clone_says_what_it_lacks() {
    let it = told();
    let from = format!("file://{}", it.path("").display());
    let other = Scratch::new();
    other.git(&["clone", "-q", "--bare", &from, "bare.git"]);
    other
        .admit_in("bare.git", &["exceptions", "--rev", "main"])
        .exits(0)
        .says("3 exceptions")
        .says("Ann on 2024-01-01");
    other.git(&["clone", "-q", "--depth", "1", &from, "shallow"]);
    let run = other.admit_in("shallow", &["exceptions"]).exits(0);
    run.says("unknown: shallow clone").says("git fetch --unshallow");
}

#[test]
fn the_page_works_in_a_browser_that_loads_nothing() {
    let it = told();
    it.write("exceptions/odd.yaml", exception("odd", "size", "'<script>document.title=1</script>'"));
    it.admit(&["exceptions", "--format", "html", "-o", "page.html"]).exits(0);
    let page = format!("file://{}", it.path("page.html").display());
    let browser = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000", "--dump-dom", &page])
        .output();
    let Ok(browser) = browser else {
        eprintln!("no chromium: the page was not tried in a browser");
        return;
    };
    let dom = String::from_utf8_lossy(&browser.stdout);
    // The script ran: the tools are there, and headings have become buttons.
    assert!(dom.contains("4 of 4 shown") && dom.contains("<button type=\"button\">Exception</button>"), "{dom}");
    assert!(dom.contains("<title>Register of exceptions</title>"), "{dom}");
}
