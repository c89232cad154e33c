"""TVM's own mixed-precision pass, and the one rewriting it needs first; imported only where TVM is.

The pass of TVM 0.27 falls over the scalar bounds of `relax.clip` ("Expected TensorType, but got T.int64"), which every
HardSwish brings along; minimum and maximum with constants say the same.
"""

from typing import Any

from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from harness.backends._tvm_generation import dtype, number


@mutator
class _ClipAsMinimumOfMaximum(PyExprMutator):
    def visit_call_(self, call: Any) -> Any:
        call = super().visit_call_(call)
        if getattr(call.op, "name", "") != "relax.clip":
            return call
        value, low, high = call.args
        computed = dtype(value)
        floor = self.builder_.emit(relax.op.maximum(value, relax.const(number(low), computed)))
        return relax.op.minimum(floor, relax.const(number(high), computed))


def half(module: Any) -> Any:
    """The module with its layers in fp16; inputs and outputs keep their types."""
    rewriting = _ClipAsMinimumOfMaximum(module)
    rewritten = rewriting.visit_expr(module["main"])
    rewriting.builder_.update_func(module.get_global_var("main"), rewritten)
    return relax.transform.ToMixedPrecision(out_dtype="float16")(rewriting.builder_.get())
