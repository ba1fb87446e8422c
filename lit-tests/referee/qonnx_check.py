"""What qonnx and onnxruntime say about networks that bring their quantizers: the referee of exact integers.

    qonnx_check.py quantized model.onnx data.npz:x_test out.npz   what each quantizer of an activation gives: q0, q1, ..., and y
    qonnx_check.py cases FOLDER                                   small models of every quantizer, with inputs and outputs
"""

import pathlib
import sys

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

DOMAIN = "qonnx.custom_op.general"
ROUNDINGS = ["ROUND", "HALF_EVEN", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN"]


def widen(model, count):
    """The model for `count` samples at a time: the leading extent of its one input, which every shape follows."""
    stored = {tensor.name for tensor in model.graph.initializer}
    port = next(port for port in model.graph.input if port.name not in stored)
    port.type.tensor_type.shape.dim[0].dim_value = count
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    return port.name


def activations(model, operators):
    """Results of the quantizers that read something computed."""
    constant = {tensor.name for tensor in model.graph.initializer}
    found = []
    for node in model.graph.node:
        if all(name in constant for name in node.input if name):
            constant.update(node.output)
        elif node.op_type in operators:
            found.append(node.output[0])
    return found


def by_qonnx(model, values):
    for node in model.graph.node:
        if node.domain == "onnx.brevitas":
            node.domain = DOMAIN
    port = widen(model, len(values))
    wrapper = ModelWrapper(model).transform(InferShapes())
    return execute_onnx(wrapper, {port: values}, return_full_exec_context=True)


def by_onnxruntime(model, values, names):
    port = widen(model, len(values))
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Optimized, products of quantized tensors are fused into kernels of another meaning.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    outputs = [output.name for output in session.get_outputs()]
    return dict(zip(outputs, session.run(outputs, {port: values})))


def quantized(path, source, target):
    archive, name = source.rsplit(":", 1)
    values = np.load(archive)[name].astype(np.float32)
    model = onnx.load(path)
    result = model.graph.output[0].name
    names = activations(model, ["Quant", "IntQuant", "BipolarQuant", "Trunc", "DequantizeLinear"])
    is_qonnx = any(node.op_type == "Quant" for node in model.graph.node)
    found = by_qonnx(model, values) if is_qonnx else by_onnxruntime(model, values, names)
    np.savez(target, y=found[result], **{f"q{index}": found[name] for index, name in enumerate(names)})


class Cases:
    """Writes models with what qonnx makes of their inputs."""

    def __init__(self, folder):
        self.folder, self.count = pathlib.Path(folder), {}
        self.random = np.random.default_rng(7)

    def write(self, kind, nodes, x, stored):
        info = helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)
        tensors = [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in stored.items()]
        output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        graph = helper.make_graph(nodes, kind, [info], [output], tensors)
        version = 2 if any(len(node.input) == 6 for node in nodes) else 1
        sets = [helper.make_opsetid("", 14), helper.make_opsetid(DOMAIN, version)]
        model = helper.make_model(graph, opset_imports=sets, ir_version=8)
        wrapper = ModelWrapper(model).transform(InferShapes())
        y = execute_onnx(wrapper, {"x": x})["y"]
        number = self.count[kind] = self.count.get(kind, -1) + 1
        stem = self.folder / f"{kind}-{number}"
        onnx.save(model, f"{stem}.onnx")
        np.savez(f"{stem}.npz", x=x, y=np.asarray(y, np.float32))

    def write_integers(self, nodes, x, stored):
        """A network of ONNX' own integers, with what onnxruntime makes of its input."""
        info = helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)
        output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        tensors = [numpy_helper.from_array(value, name) for name, value in stored.items()]
        graph = helper.make_graph(nodes, "Integers", [info], [output], tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
        number = self.count["Integers"] = self.count.get("Integers", -1) + 1
        stem = self.folder / f"Integers-{number}"
        onnx.save(model, f"{stem}.onnx")
        np.savez(f"{stem}.npz", x=x, y=by_onnxruntime(model, x, [])["y"])

    def ties(self, scale, zero, shape):
        """Numbers at, just below and just above what the rounding decides on, and some far away."""
        count = int(np.prod(shape))
        steps = self.random.integers(-24, 25, count).astype(np.float32) / 2
        x = ((steps - np.float32(zero)) * np.float32(scale)).astype(np.float32)
        toward = self.random.choice(np.array([-np.inf, 0, np.inf], np.float32), count)
        moved = np.where(toward == 0, x, np.nextafter(x, toward))
        return np.where(self.random.random(count) < 0.9, moved, x * 1000).reshape(shape).astype(np.float32)


def node(kind, inputs, output="y", **attributes):
    return helper.make_node(kind, inputs, [output], domain=DOMAIN, name=f"the_{output}", **attributes)


def quantizers(cases):
    for kind in ["Quant", "IntQuant"]:
        for mode in ROUNDINGS:
            for zero in [0.0, 1.0, 2.0, 0.5, -1.5]:
                for bits, signed, narrow in [(3, 1, 0), (4, 1, 1), (2, 0, 0), (8, 0, 1), (1, 1, 0), (1, 0, 0)]:
                    scale = float(cases.random.choice([0.5, 0.1, 0.37, 3.0]))
                    stored = {"s": scale, "z": zero, "b": bits}
                    attributes = {"signed": signed, "narrow": narrow, "rounding_mode": mode}
                    nodes = [node(kind, ["x", "s", "z", "b"], **attributes)]
                    cases.write(kind, nodes, cases.ties(scale, zero, (1, 48)), stored)
    for shape, extents in [((1, 3, 4), (3, 1)), ((1, 6), (6,)), ((2, 3), (2, 1))]:
        for zero in [np.zeros(extents), np.resize([0.0, 0.5, 1.0], extents)]:
            scale = np.resize([0.1, 0.25, 0.7, 1.0, 1.5, 2.0], extents)
            stored = {"s": scale, "z": zero, "b": 3}
            nodes = [node("Quant", ["x", "s", "z", "b"], signed=1, narrow=0, rounding_mode="ROUND")]
            cases.write("Quant", nodes, cases.ties(0.25, 0.5, shape), stored)
    # Scales that constants compute.
    nodes = [
        helper.make_node("Mul", ["s", "t"], ["st"]),
        helper.make_node("Div", ["st", "n"], ["u"]),
        node("Quant", ["x", "u", "z", "b"], signed=0, narrow=0, rounding_mode="ROUND"),
    ]
    cases.write("Quant", nodes, cases.ties(0.03, 0, (1, 48)), {"s": 0.3, "t": 0.7, "n": 7, "z": 0, "b": 4})
    for scale in [1.0, 0.3, np.resize([0.1, 0.7], (6,))]:
        x = np.concatenate([cases.ties(0.5, 0, (1, 4)), np.array([[0.0, -1e-30]], np.float32)], axis=1)
        cases.write("BipolarQuant", [node("BipolarQuant", ["x", "s"])], x, {"s": scale})


def truncations(cases):
    for mode in ROUNDINGS:
        for zero in [0.0, 2.0, 4.0]:
            for bits, to in [(6, 3), (8, 4), (4, 4)]:
                scale = float(cases.random.choice([0.5, 0.1, 0.37]))
                stored = {"s": scale, "z": zero, "from": bits, "to": to, "out": scale * 2.0 ** (bits - to)}
                limit = 2 ** (bits - 1)
                steps = cases.random.integers(-limit, limit, (1, 48)).astype(np.float32)
                x = ((steps - np.float32(zero)) * np.float32(scale)).astype(np.float32)
                first = node("Trunc", ["x", "s", "z", "from", "to"], rounding_mode=mode)
                cases.write("Trunc", [first], x, stored)
                inputs = ["x", "s", "z", "from", "out", "to"]
                second = node("Trunc", inputs, rounding_mode=mode, signed=1, narrow=0)
                cases.write("Trunc", [second], x, stored)


def networks(cases):
    """Two layers, every scale a power of two: f32 is exact, and so every integer must be the same."""
    for mode in ["ROUND", "FLOOR", "HALF_UP"]:
        for zero, weight_zero in [(0.0, 0.0), (0.5, 0.0), (3.0, 0.5), (-0.5, -1.0)]:
            for kind in ["Quant", "BipolarQuant"]:
                stored = {
                    "s": 0.25, "z": zero, "wz": weight_zero, "b": 3, "ws": np.resize([0.5, 0.125, 0.25], (1, 5)), "s1": 0.5,
                    "w": cases.random.normal(0, 0.6, (7, 5)), "v": cases.random.normal(0, 0.6, (3, 5)), "vs": [[0.5], [0.25], [1.0]],
                    "bias": cases.random.integers(-8, 8, 5) / 64,
                }
                quant = {"signed": 1, "narrow": 0, "rounding_mode": mode}
                is_quant = kind == "Quant"
                weights = node(kind, ["w", "ws", "wz", "b"][: 4 if is_quant else 2], "wq", **(quant if is_quant else {}))
                # Behind Relu every sign is the same.
                hidden = node(kind, ["r" if is_quant else "a", "s1", "z", "b"][: 4 if is_quant else 2], "h", **(quant if is_quant else {}))
                nodes = [
                    node("Quant", ["x", "s", "z", "b"], "q", **quant),
                    weights,
                    helper.make_node("MatMul", ["q", "wq"], ["p"], name="fc1"),
                    helper.make_node("Add", ["p", "bias"], ["a"]),
                    helper.make_node("Relu", ["a"], ["r"]),
                    hidden,
                    node("Quant", ["v", "vs", "wz", "b"], "vq", **quant),
                    helper.make_node("Transpose", ["vq"], ["vt"], perm=[1, 0]),
                    helper.make_node("MatMul", ["h", "vt"], ["y"], name="fc2"),
                ]
                cases.write("Network", nodes, cases.ties(0.25, zero, (1, 7)), stored)


# Pools of two channels of 4 x 4: all windows of one size, some at an edge with fewer elements, edges that count, and all of a channel.
POOLS = [
    ("AveragePool", {"kernel_shape": [2, 2], "strides": [2, 2]}, 8),
    ("AveragePool", {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [1, 1, 1, 1]}, 18),
    ("AveragePool", {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": 1}, 18),
    ("GlobalAveragePool", {}, 2),
]


def pools(cases):
    """A convolution with a scale for each channel, a pool, a layer; extents and scales are powers of two, so that f32 is exact."""
    for zero in [0.0, 1.0, 0.5]:
        for pool, attributes, count in POOLS:
            stored = {
                "s": 0.25, "z": zero, "zero": 0, "b": 3, "s1": 0.5, "ws": np.resize([0.5, 0.125], (2, 1, 1, 1)), "vs": 0.25,
                "w": cases.random.normal(0, 0.4, (2, 1, 2, 2)), "v": cases.random.normal(0, 0.6, (count, 3)),
                "bias": cases.random.integers(-8, 8, 2) / 64,
            }
            quant = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
            nodes = [
                node("Quant", ["x", "s", "z", "b"], "q", **quant),
                node("Quant", ["w", "ws", "zero", "b"], "wq", **quant),
                helper.make_node("Conv", ["q", "wq", "bias"], ["a"], name="conv"),
                helper.make_node("Relu", ["a"], ["r"]),
                node("Quant", ["r", "s1", "z", "b"], "h", **quant),
                helper.make_node(pool, ["h"], ["m"], name="pool", **attributes),
                node("Quant", ["m", "s", "z", "b"], "n", **quant),
                helper.make_node("Flatten", ["n"], ["f"]),
                node("Quant", ["v", "vs", "zero", "b"], "vq", **quant),
                helper.make_node("MatMul", ["f", "vq"], ["y"], name="fc"),
            ]
            cases.write("Network", nodes, cases.ties(0.25, zero, (1, 1, 5, 5)), stored)
    # TruncAvgPool of brevitas: a sum, of which the low bits go.
    for mode in ["FLOOR", "ROUND", "CEIL"]:
        for pool, attributes, count in [POOLS[0], POOLS[3]]:
            size = 32 // count
            stored = {
                "s": 0.25, "zero": 0, "b": 3, "k": size, "from": 3 + np.log2(size), "vs": 0.25,
                "v": cases.random.normal(0, 0.6, (count, 3)),
            }
            quant = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
            nodes = [
                node("Quant", ["x", "s", "zero", "b"], "q", **quant),
                helper.make_node(pool, ["q"], ["m"], name="pool", **attributes),
                helper.make_node("Mul", ["m", "k"], ["sum"]),
                node("Trunc", ["sum", "s", "zero", "from", "b"], "t", rounding_mode=mode),
                helper.make_node("Flatten", ["t"], ["f"]),
                node("Quant", ["v", "vs", "zero", "b"], "vq", **quant),
                helper.make_node("MatMul", ["f", "vq"], ["y"], name="fc"),
            ]
            cases.write("Network", nodes, cases.ties(0.25, 0, (1, 2, 4, 4)), stored)


def integers(cases):
    """Two layers of ONNX' own integers of few bits."""
    f32 = lambda value: np.asarray(value, np.float32)
    small = lambda shape, kind=np.int8: cases.random.integers(-3, 4, shape).astype(kind)
    quantize = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["wide"]),
        helper.make_node("Clip", ["wide", "lo", "hi"], ["q"]),
    ]
    for zero in [0, 3]:
        stored = {"s": f32(0.25), "z": np.uint8(zero), "lo": np.uint8(0), "hi": np.uint8(7), "t": f32(2.0), "n": np.int8(0)}
        for scales in [0.5, np.resize([0.5, 0.125, 0.25], 5)]:
            own = {
                **stored, "w": small((6, 5)), "ws": f32(scales), "wz": np.zeros(np.shape(scales), np.int8), "v": small((5, 3)), "vs": f32(0.5),
                "u": f32(1.0),
            }
            first = helper.make_node("QLinearMatMul", ["q", "s", "z", "w", "ws", "wz", "t", "z"], ["h"], name="fc1")
            second = helper.make_node("QLinearMatMul", ["h", "t", "z", "v", "vs", "n", "u", "z"], ["o"], name="fc2")
            last = helper.make_node("DequantizeLinear", ["o", "u", "z"], ["y"])
            cases.write_integers([*quantize, first, second, last], cases.ties(0.25, zero, (1, 6)), own)
        # Sums of integers, scaled by the network itself.
        scaled = lambda name, result: [
            helper.make_node("Cast", [name], [f"{name}_f"], to=TensorProto.FLOAT), helper.make_node("Mul", [f"{name}_f", "m"], [result])
        ]
        again = [helper.make_node("QuantizeLinear", ["a", "t", "z"], ["wide1"]), helper.make_node("Clip", ["wide1", "lo", "hi"], ["h"])]
        product = [helper.make_node("MatMulInteger", ["flat", "v", "z"], ["o"], name="fc2"), *scaled("o", "y")]
        flatten = helper.make_node("Flatten", ["h"], ["flat"])
        own = {**stored, "w": small((6, 5)), "v": small((5, 3)), "m": f32(0.125)}
        nodes = [*quantize, helper.make_node("MatMulInteger", ["q", "w", "z"], ["p"], name="fc1"), *scaled("p", "a")]
        cases.write_integers([*nodes, *again, flatten, *product], cases.ties(0.25, zero, (1, 6)), own)
        own = {**stored, "w": small((2, 1, 2, 2)), "v": small((18, 3)), "m": f32(0.125)}
        nodes = [*quantize, helper.make_node("ConvInteger", ["q", "w", "z"], ["p"], name="conv"), *scaled("p", "a")]
        cases.write_integers([*nodes, *again, flatten, *product], cases.ties(0.25, zero, (1, 1, 4, 4)), own)
        for scales in [0.5, [0.5, 0.125]]:
            for pool, attributes, count in POOLS:
                own = {
                    **stored, "w": small((2, 1, 2, 2)), "ws": f32(scales), "wz": np.zeros(np.shape(scales), np.int8), "v": small((count, 3)),
                    "bias": small(2, np.int32), "vs": f32(0.5),
                }
                nodes = [
                    *quantize,
                    helper.make_node("QLinearConv", ["q", "s", "z", "w", "ws", "wz", "t", "z", "bias"], ["c"], name="conv"),
                    helper.make_node("DequantizeLinear", ["c", "t", "z"], ["r"]),
                    helper.make_node(pool, ["r"], ["m"], name="pool", **attributes),
                    helper.make_node("QuantizeLinear", ["m", "s", "z"], ["wide1"]),
                    helper.make_node("Clip", ["wide1", "lo", "hi"], ["h"]),
                    helper.make_node("DequantizeLinear", ["h", "s", "z"], ["g"]),
                    helper.make_node("Flatten", ["g"], ["flat"]),
                    helper.make_node("DequantizeLinear", ["v", "vs", "n"], ["vq"]),
                    helper.make_node("MatMul", ["flat", "vq"], ["y"], name="fc"),
                ]
                cases.write_integers(nodes, cases.ties(0.25, zero, (1, 1, 5, 5)), own)
    for kind, zero in [(ml_dtypes.int4, 0), (ml_dtypes.uint4, 3)]:
        axis = {"axis": 1}
        own = {
            "s": f32(0.25), "z": np.array(zero, kind), "t": f32(1.0), "w": small((6, 5)).astype(ml_dtypes.int4), "ws": f32(np.resize([0.5, 0.125, 0.25], 5)),
            "wz": np.zeros(5, ml_dtypes.int4), "v": small((5, 3)).astype(ml_dtypes.int4), "vs": f32(0.5), "n": np.array(0, ml_dtypes.int4),
        }
        nodes = [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
            helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], **axis),
            helper.make_node("MatMul", ["d", "wd"], ["p"], name="fc1"),
            helper.make_node("Relu", ["p"], ["r"]),
            helper.make_node("QuantizeLinear", ["r", "t", "z"], ["h"]),
            helper.make_node("DequantizeLinear", ["h", "t", "z"], ["g"]),
            helper.make_node("DequantizeLinear", ["v", "vs", "n"], ["vd"]),
            helper.make_node("MatMul", ["g", "vd"], ["y"], name="fc2"),
        ]
        cases.write_integers(nodes, cases.ties(0.25, zero, (1, 6)), own)


def write_cases(folder):
    cases = Cases(folder)
    for family in [quantizers, truncations, networks, pools, integers]:
        family(cases)


if __name__ == "__main__":
    {"quantized": quantized, "cases": write_cases}[sys.argv[1]](*sys.argv[2:])
