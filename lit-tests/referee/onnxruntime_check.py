"""What onnx and onnxruntime say about models: the referee of the frontend's tests.

    onnxruntime_check.py run model.onnx data.npz:x_test out.npz   outputs of a model, one sample at a time
    onnxruntime_check.py cases FOLDER                             small random models of every operator, with inputs and outputs
    onnxruntime_check.py schemas OPERATORS.md                     compares the table of operators with onnx' own
"""

import pathlib
import re
import sys

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

OPSETS = [7, 9, 11, 13, 17, 21]


def session(model):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run(model, source, target):
    path, name = source.rsplit(":", 1)
    samples = np.load(path)[name]
    runner = session(model)
    port = runner.get_inputs()[0].name
    rows = [runner.run(None, {port: sample[None]}) for sample in samples]
    names = [output.name for output in runner.get_outputs()]
    np.savez(target, **{name: np.concatenate(column) for name, column in zip(names, zip(*rows))})


class Cases:
    """Collects models of one opset and writes those that onnxruntime runs."""

    def __init__(self, folder, opset):
        self.folder, self.opset, self.count = folder, opset, {}
        self.random = np.random.default_rng(opset)

    def floats(self, *shape):
        return self.random.normal(0, 2, shape).astype(np.float32)

    def add(self, op, inputs, constants=(), symbolic=False, outputs=1, nodes=None, **attributes):
        """One node `op` that reads the inputs, then the constants; `None` leaves an optional one out."""
        inputs, constants = list(inputs), list(constants)
        ports = {f"x{i}": value for i, value in enumerate(inputs)}
        stored = {f"c{i}": value for i, value in enumerate(constants) if value is not None}
        names = [*ports, *(f"c{i}" if value is not None else "" for i, value in enumerate(constants))]
        results = [f"y{i}" for i in range(outputs)]
        nodes = nodes or [helper.make_node(op, names, results, name=f"the_{op}", **attributes)]
        self.write(op, nodes, ports, stored, results, symbolic)

    def write(self, op, nodes, ports, stored, results, symbolic=False):
        def info(name, value, symbolic):
            shape = ["batch", *value.shape[1:]] if symbolic else value.shape
            return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), shape)

        tensors = [numpy_helper.from_array(value, name) for name, value in stored.items()]
        listed = [info(name, value, symbolic) for name, value in ports.items()]
        # Before IR version 4 every initializer is a graph input as well.
        old = self.opset < 9
        listed += [info(name, value, False) for name, value in stored.items() if old]
        graph = helper.make_graph(nodes, op, listed, [onnx.ValueInfoProto(name=name) for name in results], tensors)
        opset = helper.make_opsetid("", self.opset)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=3 if old else 8)
        model = onnx.shape_inference.infer_shapes(model)
        values = session(model.SerializeToString()).run(results, ports)
        number = self.count[op] = self.count.get(op, -1) + 1
        stem = self.folder / f"{op}-{self.opset}-{number}"
        onnx.save(model, f"{stem}.onnx")
        np.savez(f"{stem}.npz", **ports, **dict(zip(results, values)))


def linear(cases):
    f = cases.floats
    addends = [f(4), f(1, 4), f(1, 1), f(1)]
    for c in addends:
        alpha, beta = (float(x) for x in cases.random.uniform(-2, 2, 2))
        cases.add("Gemm", [f(1, 3)], [f(3, 4), c], symbolic=True, alpha=alpha, beta=beta)
        cases.add("Gemm", [f(1, 3)], [f(4, 3), c], transB=1)
        cases.add("Gemm", [f(3, 1)], [f(4, 3), c], transA=1, transB=1, alpha=alpha)
    cases.add("Gemm", [f(1, 3), f(3, 4)], [f(4)])
    if cases.opset >= 11:
        cases.add("Gemm", [f(1, 3)], [f(3, 4)], alpha=0.5)
        cases.add("Gemm", [f(1, 3)], [f(3, 4), None], beta=3.0)
    for left, right in [
        ([1, 3], [3, 4]), ([2, 1, 3], [3, 4]), ([1, 2, 3], [2, 3, 4]), ([2, 1, 2, 3], [3, 3, 2]), ([1, 1, 3], [5, 3, 2]),
        ([3], [3]), ([1, 3], [3]), ([3], [3, 2]), ([3], [2, 3, 4]), ([2, 2, 3], [3]),
    ]:
        cases.add("MatMul", [f(*left)], [f(*right)])
        cases.add("MatMul", [f(*left), f(*right)])
    # Weights as small as those of a trained layer: sums in f32, as onnxruntime's are, then stay within the tolerance.
    cases.add("MatMul", [f(1, 256)], [f(256, 8) / 64])


def arithmetic(cases):
    f = cases.floats
    pairs = [([1, 4], [4]), ([1, 4], []), ([1, 2, 3], [2, 1]), ([1, 3], [2, 1, 1]), ([1, 2], [1, 2])]
    for op in ["Add", "Sub", "Mul", "Div"]:
        for left, right in pairs:
            cases.add(op, [f(*left)], [f(*right)])
            cases.add(op, [f(*left), f(*right)])
            flipped = [helper.make_node(op, ["c0", "x0"], ["y0"])]
            cases.add(op, [f(*left)], [f(*right)], nodes=flipped)
    # Integers are divided at import, toward zero.
    for dividend, divisor in [(7, 2), (-7, 2), (7, -2)]:
        numbers = [np.array([dividend], np.int64), np.array([divisor], np.int64)]
        nodes = [
            helper.make_node("Div", ["c0", "c1"], ["q"]),
            helper.make_node("Cast", ["q"], ["k"], to=TensorProto.FLOAT),
            helper.make_node("Add", ["x0", "k"], ["y0"]),
        ]
        cases.add("Div", [f(1, 2)], numbers, nodes=nodes)


def activations(cases):
    edges = np.array([[0.0, -0.0, 1e-6, -1e-6, 20.0, -20.0, 80.0, -80.0, 300.0, -300.0]], np.float32)
    for x in [cases.floats(1, 16), cases.floats(1, 2, 3), edges]:
        for op in ["Neg", "Relu", "Sigmoid", "Tanh", "Softplus", "LeakyRelu", "Elu", "Identity"]:
            cases.add(op, [x], symbolic=True)
        for op in ["LeakyRelu", "Elu"]:
            cases.add(op, [x], alpha=0.3)
            cases.add(op, [x], alpha=-0.5)
        for low, high in [(-1.0, 1.5), (None, 0.25), (0.25, None), (None, None), (1.0, -1.0)]:
            if cases.opset < 11 and (low, high) == (1.0, -1.0):
                continue  # onnxruntime refuses crossed bounds in attributes.
            if cases.opset < 11:
                bounds = {name: bound for name, bound in [("min", low), ("max", high)] if bound is not None}
                cases.add("Clip", [x], **bounds)
            else:
                bounds = [None if bound is None else np.array(bound, np.float32) for bound in (low, high)]
                cases.add("Clip", [x], bounds)


def quantizers(cases):
    """Q, Clip, DQ as brevitas writes them, and weights stored as integers."""
    if cases.opset < 10:
        return
    kinds = [np.int8, np.uint8] + ([np.int16, np.uint16, ml_dtypes.int4, ml_dtypes.uint4] if cases.opset >= 21 else [])
    for kind in kinds:
        zero = 3 if kind in (np.uint8, np.uint16, ml_dtypes.uint4) else -1
        scale, zero = np.array(0.37, np.float32), np.array(zero, kind)
        chain = ["QuantizeLinear", "DequantizeLinear"]
        # Clip knows integers since opset 12, those of 8 bits only in onnxruntime.
        if cases.opset >= 12 and kind in (np.int8, np.uint8):
            chain.insert(1, "Clip")
        nodes, value = [], "x0"
        for op in chain:
            result = "y0" if op == "DequantizeLinear" else op
            inputs = [value, "c2", "c3"] if op == "Clip" else [value, "c0", "c1"]
            nodes.append(helper.make_node(op, inputs, [result], name=f"the_{op}"))
            value = result
        bounds = [np.array(bound, kind) for bound in (1, 6)] if "Clip" in chain else []
        for x in [cases.floats(1, 16) * 3, cases.floats(1, 2, 3)]:
            cases.add("QuantizeLinear", [x], [scale, zero, *bounds], nodes=nodes)
        stored = np.array([[3, 0, 7], [1, 2, 5]], kind)
        for axis in [0, 1, -1] if cases.opset >= 13 else [None]:
            count = 1 if axis is None else stored.shape[axis]
            scales = np.linspace(0.1, 0.7, count, dtype=np.float32) if count > 1 else scale
            zeros = np.full(scales.shape, 2, kind)
            attributes = {} if axis is None else {"axis": axis}
            nodes = [
                helper.make_node("DequantizeLinear", ["c0", "c1", "c2"], ["w"], **attributes),
                # Not a product, which onnxruntime fuses with it into a kernel that is exact to three digits only.
                helper.make_node("Add", ["x0", "w"], ["y0"]),
            ]
            cases.add("DequantizeLinear", [cases.floats(1, 2, 3)], [stored, scales, zeros], nodes=nodes)


def integers(cases):
    """Products of integers, and integers that are read by other scales than those that made them."""
    if cases.opset < 10:
        return
    small = lambda low, high, kind, *shape: cases.random.integers(low, high, shape).astype(kind)
    scale, other, result = (np.array(value, np.float32) for value in (0.37, 0.11, 0.9))
    for kind, weight_kind in [(np.uint8, np.int8), (np.uint8, np.uint8), (np.int8, np.int8)]:
        zero = np.array(7 if kind == np.uint8 else -2, kind)
        quantize = helper.make_node("QuantizeLinear", ["x0", "c0", "c1"], ["q"])
        for x in [cases.floats(1, 6) * 3, cases.floats(2, 6)]:
            weights, weight_zero = small(0, 100, weight_kind, 6, 4), np.array(3, weight_kind)
            nodes = [quantize, helper.make_node("MatMulInteger", ["q", "c2", "c1", "c3"], ["y0"], name="the_MatMulInteger")]
            cases.add("MatMulInteger", [x], [scale, zero, weights, weight_zero], nodes=nodes)
            floats = [*nodes[:-1], helper.make_node("MatMulInteger", ["q", "c2"], ["sums"]), helper.make_node("Cast", ["sums"], ["y0"], to=TensorProto.FLOAT)]
            cases.add("MatMulInteger", [x], [scale, zero, weights], nodes=floats)
            for scales, zeros in [(other, weight_zero), (np.linspace(0.01, 0.2, 4, dtype=np.float32), np.full(4, 3, weight_kind))]:
                inputs = ["q", "c0", "c1", "c2", "c3", "c4", "c5", "c6"]
                stored = [scale, zero, weights, scales, zeros, result, np.array(5, kind)]
                product = helper.make_node("QLinearMatMul", inputs, ["y0"], name="the_QLinearMatMul")
                cases.add("QLinearMatMul", [x], stored, nodes=[quantize, product])
                chain = [quantize, helper.make_node("QLinearMatMul", inputs, ["p"]), helper.make_node("DequantizeLinear", ["p", "c5", "c6"], ["y0"])]
                cases.add("QLinearMatMul", [x], stored, nodes=chain)
        reread = [quantize, helper.make_node("DequantizeLinear", ["q", "c2", "c3"], ["y0"])]
        cases.add("DequantizeLinear", [cases.floats(1, 16)], [scale, zero, other, np.array(1, kind)], nodes=reread)
        cases.add("DequantizeLinear", [small(0, 100, kind, 1, 6)], [other, np.array(1, kind)])
        cases.add("Cast", [cases.floats(1, 16)], [scale, zero], nodes=[quantize, helper.make_node("Cast", ["q"], ["y0"], to=TensorProto.FLOAT)])
    bias = np.array([[100000, -70000000, 3, 4]], np.int32)
    nodes = [helper.make_node("DequantizeLinear", ["c0", "c1"], ["b"]), helper.make_node("Add", ["x0", "b"], ["y0"])]
    cases.add("DequantizeLinear", [cases.floats(1, 4)], [bias, np.array(0.0037, np.float32)], nodes=nodes)


def windows(cases):
    """Convolutions and pooling, of floats and of integers."""
    f = cases.floats
    forms = [
        ((1, 2, 6, 5), (3, 2, 3, 3), {}),
        ((1, 2, 6, 5), (3, 2, 3, 2), {"strides": [2, 1], "pads": [1, 0, 2, 1]}),
        ((1, 4, 5, 5), (6, 2, 2, 2), {"group": 2, "dilations": [2, 1], "strides": [1, 2]}),
        ((1, 3, 7), (3, 1, 3), {"group": 3, "auto_pad": "SAME_UPPER", "strides": [2]}),
        ((1, 1, 7), (2, 1, 4), {"auto_pad": "SAME_LOWER", "kernel_shape": [4]}),
        ((1, 1, 4, 4, 4), (2, 1, 2, 2, 2), {"auto_pad": "VALID"}),
    ]
    for shape, kernel, attributes in forms:
        cases.add("Conv", [f(*shape)], [f(*kernel) / 4], **attributes)
        cases.add("Conv", [f(*shape)], [f(*kernel) / 4, f(kernel[0])], symbolic=True, **attributes)
    pools = [
        ((1, 2, 6, 5), {"kernel_shape": [2, 2]}),
        ((1, 2, 6, 5), {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}),
        ((1, 2, 6, 5), {"kernel_shape": [3, 2], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
        ((1, 2, 7), {"kernel_shape": [3], "strides": [2], "auto_pad": "SAME_UPPER"}),
    ]
    for shape, attributes in pools:
        cases.add("AveragePool", [f(*shape)], **attributes)
    for shape in [(1, 3, 4), (1, 2, 3, 5)]:
        cases.add("GlobalAveragePool", [f(*shape)])
    if cases.opset < 10:
        return
    scale, other, result = (np.array(value, np.float32) for value in (0.37, 0.11, 0.9))
    for shape, kernel, attributes in forms[:4]:
        zero, weight_zero = np.array(7, np.uint8), np.array(3, np.uint8)
        quantize = helper.make_node("QuantizeLinear", ["x0", "c0", "c1"], ["q"])
        weights = cases.random.integers(0, 100, kernel).astype(np.uint8)
        nodes = [quantize, helper.make_node("ConvInteger", ["q", "c2", "c1", "c3"], ["y0"], name="the_ConvInteger", **attributes)]
        cases.add("ConvInteger", [f(*shape) * 2], [scale, zero, weights, weight_zero], nodes=nodes)
        signed, count = (weights.astype(np.int32) - 50).astype(np.int8), kernel[0]
        bias = cases.random.integers(-3000, 3000, count).astype(np.int32)
        for scales, zeros in [(other, np.array(0, np.int8)), (np.linspace(0.01, 0.2, count, dtype=np.float32), np.zeros(count, np.int8))]:
            inputs = ["q", "c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"]
            node = helper.make_node("QLinearConv", inputs, ["y0"], name="the_QLinearConv", **attributes)
            cases.add("QLinearConv", [f(*shape)], [scale, zero, signed, scales, zeros, result, np.array(5, np.uint8), bias], nodes=[quantize, node])


def movement(cases):
    x = cases.floats(1, 2, 1, 3)
    axes_of = lambda *axes: np.array(axes, np.int64)
    for axis in [0, 1, 2, 3, 4] + ([-1, -2] if cases.opset >= 11 else []):
        cases.add("Flatten", [x], axis=axis)
    cases.add("Flatten", [x], symbolic=True)
    for shape in [(0, -1), (3, 2), (-1,), (1, 0, -1), (0, 0, 0, 0), (6, 1, 1)]:
        cases.add("Reshape", [x], [axes_of(*shape)])
    if cases.opset >= 14:
        cases.add("Reshape", [x], [axes_of(3, -1)], allowzero=1)
    negative = cases.opset >= 11
    for op, choices in [
        ("Squeeze", [(0,), (2,), (0, 2)] + ([(-2,), (-4, -2)] if negative else [])),
        ("Unsqueeze", [(0,), (4,), (1, 3)] + ([(-1,), (-1, 0)] if negative else [])),
    ]:
        for axes in choices:
            if cases.opset < 13:
                cases.add(op, [x], axes=list(axes))
            else:
                cases.add(op, [x], [axes_of(*axes)])
    cases.add("Squeeze", [x])
    cases.add("Transpose", [x])
    for perm in [(0, 2, 1, 3), (3, 1, 2, 0), (0, 1, 2, 3)]:
        cases.add("Transpose", [x], perm=perm)
    for axis in [0, 1, 2, 3] + ([-1, -3] if negative else []):
        cases.add("Concat", [x, x], [x], axis=axis)
    cases.add("Concat", [x], [cases.floats(1, 5, 1, 3)], axis=1)
    cases.add("Concat", [x], axis=1)


def statistics(cases):
    for shape in [(1, 3), (1, 3, 2), (1, 3, 2, 2)]:
        scale, bias, mean = (cases.floats(3) for _ in range(3))
        variance = np.abs(cases.floats(3))
        constants = [scale, bias, mean, variance]
        cases.add("BatchNormalization", [cases.floats(*shape)], constants)
        cases.add("BatchNormalization", [cases.floats(*shape)], constants, symbolic=True, epsilon=0.01, momentum=0.5)
    x = cases.floats(1, 4)
    if cases.opset < 12:
        cases.add("Dropout", [x], ratio=0.25)
        # What the mask holds without training is not said before version 12: it is listed, and not read.
        cases.add("Dropout", [x], nodes=[helper.make_node("Dropout", ["x0"], ["y0", "mask"])])
    else:
        cases.add("Dropout", [x], [np.array(0.25, np.float32)])
        cases.add("Dropout", [x], [np.array(0.25, np.float32), np.array(False)], outputs=2)
    for shape in [(1, 5), (1, 2, 3), (2, 2, 2)]:
        x = cases.floats(*shape) * 5
        for axis in [None, *range(len(shape))] + ([-1, -2] if cases.opset >= 11 else []):
            attributes = {} if axis is None else {"axis": axis}
            cases.add("Softmax", [x], **attributes)
            ties = np.round(x / 4)
            cases.add("ArgMax", [ties], **attributes)
            cases.add("ArgMax", [x], keepdims=0, **attributes)
            if cases.opset >= 12:
                cases.add("ArgMax", [ties], select_last_index=1, **attributes)


def numbers(cases):
    x = cases.floats(1, 4) * 3
    for kind in [TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32]:
        cases.add("Cast", [x], to=kind)
        cases.add("Cast", [x.astype(np.float64)], to=kind)
    cases.add("Cast", [np.array([[1, -2, 3]], np.int64)], to=TensorProto.FLOAT)
    cases.add("Cast", [np.array([[True, False]])], to=TensorProto.FLOAT)
    through = [
        helper.make_node("Cast", ["c0"], ["b"], to=TensorProto.BOOL),
        helper.make_node("Cast", ["b"], ["k"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["x0", "k"], ["y0"]),
    ]
    cases.add("Cast", [x], [np.array([0.0, 0.5, -2.0, 0.0], np.float32)], nodes=through)
    for dtype in [np.float32, np.float64, np.float16, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, bool]:
        stored = numpy_helper.from_array(np.array([0, 1, 3, 100]).astype(dtype))
        typed = helper.make_tensor("t", stored.data_type, [4], np.array([0, 1, 3, 100]).astype(dtype).tolist())
        for tensor in [stored, typed]:
            nodes = [
                helper.make_node("Constant", [], ["c"], value=tensor),
                helper.make_node("Cast", ["c"], ["k"], to=TensorProto.FLOAT),
                helper.make_node("Add", ["x0", "k"], ["y0"]),
            ]
            cases.add("Constant", [x], nodes=nodes)
    if cases.opset >= 12:
        for attribute in [{"value_float": 0.5}, {"value_floats": [0.5, 1.0, 2.0, 3.0]}]:
            nodes = [helper.make_node("Constant", [], ["k"], **attribute), helper.make_node("Add", ["x0", "k"], ["y0"])]
            cases.add("Constant", [x], nodes=nodes)
        for attribute in [{"value_int": -1}, {"value_ints": [2, -1]}]:
            shape = [helper.make_node("Constant", [], ["k"], **attribute)]
            if "value_int" in attribute and cases.opset < 13:
                continue
            if "value_int" in attribute:
                shape.append(helper.make_node("Constant", [], ["zero"], value_ints=[0]))
                shape.append(helper.make_node("Unsqueeze", ["k", "zero"], ["s"]))
            else:
                shape.append(helper.make_node("Identity", ["k"], ["s"]))
            cases.add("Constant", [x], nodes=[*shape, helper.make_node("Reshape", ["x0", "s"], ["y0"])])


def networks(cases):
    """Chains of layers, with several inputs and outputs."""
    f = cases.floats
    for width in [4, 16]:
        stored = {"w": f(8, width) / 3, "b": f(width), "v": f(width, 3) / 4}
        stored |= {name: f(width) for name in ["scale", "shift", "mean"]} | {"variance": np.abs(f(width)) + 0.1}
        nodes = [
            helper.make_node("Concat", ["p", "q"], ["x"], axis=1),
            helper.make_node("MatMul", ["x", "w"], ["h0"]),
            helper.make_node("Add", ["h0", "b"], ["h1"]),
            helper.make_node("BatchNormalization", ["h1", "scale", "shift", "mean", "variance"], ["h2"]),
            helper.make_node("Tanh", ["h2"], ["h3"]),
            helper.make_node("MatMul", ["h3", "v"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["share"], axis=1),
            helper.make_node("ArgMax", ["logits"], ["label"], axis=1, keepdims=0),
        ]
        results = ["label", "share", "logits"]
        cases.write("Network", nodes, {"p": f(1, 5), "q": f(1, 3)}, stored, results, symbolic=True)


def write_cases(folder):
    folder = pathlib.Path(folder)
    for opset in OPSETS:
        cases = Cases(folder, opset)
        for family in [linear, arithmetic, activations, quantizers, integers, windows, movement, statistics, numbers, networks]:
            family(cases)


def check_schemas(page):
    """Every version and attribute in the table is onnx' own, and none is left out."""
    text = pathlib.Path(page).read_text()
    oldest, newest = (int(number) for number in re.search(r"Opsets (\d+) to (\d+)", text).groups())
    faults = [] if newest == onnx.defs.onnx_opset_version() else [f"the newest opset is {onnx.defs.onnx_opset_version()}, not {newest}"]
    history = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "":
            history.setdefault(schema.name, {})[schema.since_version] = schema
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")]
    for name, versions, attributes, _ in rows[1:]:
        schemas = history[name]
        first = max((version for version in schemas if version <= oldest), default=oldest)
        expected = [version for version in sorted(schemas) if version >= first]
        found = [int(version) for version in versions.split(", ")]
        if found != expected:
            faults.append(f"{name} changed in {expected}, the table says {found}")
        for version in expected:
            known = set()
            for attribute, bounds in re.findall(r"`(\w+)`(?: \(([^)]*)\))?", attributes):
                low = re.search(r"from (\d+)|^(\d+) to", bounds)
                high = re.search(r"to (\d+)", bounds)
                if (not low or int(low[1] or low[2]) <= version) and (not high or version <= int(high[1])):
                    known.add(attribute)
            if known != set(schemas[version].attributes):
                faults.append(f"{name} {version} has attributes {sorted(schemas[version].attributes)}, the table says {sorted(known)}")
    sys.exit("\n".join(faults) or None)


if __name__ == "__main__":
    commands = {"run": run, "cases": write_cases, "schemas": check_schemas}
    commands[sys.argv[1]](*sys.argv[2:])
