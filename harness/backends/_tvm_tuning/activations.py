"""Sigmoid and SiLU as loops that TVM's rules can work with: one operator each, on a CPU with an exponential that
vectorises. Imported only where TVM is."""

from typing import Any, Callable, Dict

from tvm import relax, te
from tvm.relax import dpl

from harness.backends._tvm_generation import dtype, part

Element = Callable[[Any], Any]
"""From one element to another, as TVM's expressions."""


def with_silu(module: Any) -> Any:
    """The module with every `x * sigmoid(x)` as one operator."""
    found = module["main"]
    for first in (True, False):
        x = dpl.wildcard()
        sigmoid = dpl.is_op("relax.sigmoid")(x)
        pattern = dpl.is_op("relax.multiply")(*((x, sigmoid) if first else (sigmoid, x)))
        found = dpl.rewrite_call(pattern, lambda _, matched, x=x: relax.op.nn.silu(matched[x]), found)
    rewritten = type(module)(dict(module.functions_items()), attrs=module.attrs)
    rewritten.update_func(module.get_global_var("main"), found)
    return relax.transform.DeadCodeElimination()(rewritten)


def legalized(polynomial_exp: bool, silu: bool) -> Dict[str, Any]:
    """What `LegalizeOps` is to write in place of TVM's own loops."""
    found = {}
    if polynomial_exp:
        found["relax.sigmoid"] = _legalizer("sigmoid", polynomial_exp, lambda x, sigmoid: sigmoid(x))
    if silu:
        found["relax.nn.silu"] = _legalizer("silu", polynomial_exp, lambda x, sigmoid: x * sigmoid(x))
    return found


def _legalizer(name: str, polynomial_exp: bool, element: Callable[[Any, Element], Any]) -> Any:
    """Of an operator that is one loop nest: what it makes of an element, given what a sigmoid is."""

    def legalize(builder: Any, call: Any) -> Any:
        value = call.args[0]
        sigmoid = _of_polynomial if polynomial_exp and dtype(value) == "float32" else part("tir").sigmoid

        def computed(x: Any) -> Any:
            return te.compute(x.shape, lambda *at: element(x(*at), sigmoid), name=name)

        return builder.call_te(computed, value, primfunc_name_hint=name)

    return legalize


def _of_polynomial(x: Any) -> Any:
    """LLVM calls libm once an element for `exp`; this is Cephes' `expf` (S. Moshier) written as plain arithmetic."""
    tir = part("tir")

    def number(one: float) -> Any:
        return tir.const(one, "float32")

    power = tir.min(tir.max(number(0.0) - x, number(-87.0)), number(88.0))
    whole = tir.floor(power * number(1.44269504088896341) + number(0.5))
    rest = power - whole * number(0.693359375) - whole * number(-2.12194440e-4)
    series = number(1.9875691500e-4)
    for coefficient in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1):
        series = series * rest + number(coefficient)
    mantissa = series * rest * rest + rest + number(1.0)
    exponent = (tir.Cast("int32", whole) + tir.const(127, "int32")) << tir.const(23, "int32")
    return number(1.0) / (number(1.0) + tir.reinterpret("float32", exponent) * mantissa)
