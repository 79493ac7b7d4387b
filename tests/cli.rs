//! Transcripts of the command line, in `tests/cmd/`. `TRYCMD=overwrite cargo test --test cli` writes them anew.

#[test]
fn transcripts() {
    trycmd::TestCases::new()
        .env("NO_COLOR", "1")
        .env("CLICOLOR_FORCE", "0")
        .env("COLUMNS", "100")
        .env("RUST_BACKTRACE", "0")
        .case("tests/cmd/*.trycmd")
        .run();
}
