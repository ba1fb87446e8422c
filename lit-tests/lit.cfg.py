# Read by lit, which run.rs starts with CML_TOOLS, CML_LIT_OUTPUT and LLVM_TOOLS set.
import os

import lit.formats

tools = os.environ["CML_TOOLS"]
here = os.path.dirname(__file__)

config.name = "cml"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir"]
config.excludes = ["Inputs", "models"]
config.test_source_root = here
config.test_exec_root = os.environ["CML_LIT_OUTPUT"]

# `cml-opt`, `FileCheck` and the like are called by their bare names.
config.environment["PATH"] = os.pathsep.join([tools, os.environ["LLVM_TOOLS"], os.environ["PATH"]])

# Every pass of every test is held to what it promises to keep.
config.substitutions.append((r"(?<![\w/.-])cml-opt(?![\w.-])", "cml-opt --cml-check-semantics"))
