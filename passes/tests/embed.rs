//! The example for embedding runs, and its assertions hold.

#[allow(dead_code)]
#[path = "../examples/embed.rs"]
mod embed;

#[test]
fn another_compiler_can_embed_ours() {
    embed::main().unwrap();
}
