// RUN: not cml-opt --cml-prune="keep=0" %s 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not cml-opt --cml-prune="keep=-1" %s 2>&1 | FileCheck %s --check-prefix=NUMBER

// NONE: `keep=0`: expected 1 or more, or nothing for all
// NUMBER: `keep=-1` is not a
module {}
