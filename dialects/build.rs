//! Generates C++ from the `.td` files and compiles it with the shim.

use std::{env, path::Path, process::Command};

/// Dialect, stem of its files, and what else than a dialect and ops its `.td` defines.
const DIALECTS: [(&str, &str, &[&str]); 4] = [
    ("nn", "Nn", &[]),
    ("qnn", "Qnn", &[]),
    ("fhe", "Fhe", &["typedef"]),
    ("tfhe", "Tfhe", &["typedef", "attrdef", "enum"]),
];

fn main() {
    let prefix = env::var("MLIR_SYS_220_PREFIX").expect(".cargo/config.toml sets it");
    let out = env::var("OUT_DIR").expect("cargo sets it");
    let src = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("src");

    for (dialect, stem, extras) in DIALECTS {
        let file = src.join(dialect).join(format!("{stem}.td"));
        for (kind, suffix) in [
            ("dialect", "Dialect"),
            ("op", "Ops"),
            ("typedef", "Types"),
            ("attrdef", "Attributes"),
            ("enum", "Enums"),
        ] {
            if matches!(kind, "typedef" | "attrdef" | "enum") && !extras.contains(&kind) {
                continue;
            }
            for (part, extension) in [("decls", "h.inc"), ("defs", "cpp.inc")] {
                let mut command = Command::new(format!("{prefix}/bin/mlir-tblgen"));
                command.arg(format!("-gen-{kind}-{part}")).arg(&file).arg(format!("-I{prefix}/include"));
                command.arg(format!("-o={out}/{stem}{suffix}.{extension}"));
                let status = command.status().unwrap_or_else(|error| {
                    panic!("{prefix}/bin/mlir-tblgen: {error}: run `cargo xtask setup`")
                });
                assert!(status.success(), "{command:?}");
            }
        }
    }

    let mut build = cc::Build::new();
    for (dialect, stem, _) in DIALECTS {
        build.file(src.join(dialect).join(format!("{stem}.cpp")));
    }
    build
        .file(src.join("ffi/Passes.cpp"))
        .cpp(true)
        .std("c++17")
        .flags(["-fno-rtti", "-fno-exceptions"]) // as the distribution's MLIR is built
        .flag(format!("-isystem{out}")) // `-isystem`: no warnings from generated code
        .flag(format!("-isystem{prefix}/include"))
        .compile("cml_dialects_shim");
    for (dialect, stem, _) in DIALECTS {
        println!("cargo:rerun-if-changed=src/{dialect}/{stem}.td");
        println!("cargo:rerun-if-changed=src/{dialect}/{stem}.cpp");
    }
    println!("cargo:rerun-if-changed=src/quantizers.h");
    println!("cargo:rerun-if-changed=src/shapes.h");
    println!("cargo:rerun-if-changed=src/ffi/Passes.cpp");
    println!("cargo:rerun-if-env-changed=MLIR_SYS_220_PREFIX");
}
