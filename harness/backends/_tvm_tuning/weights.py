"""Transposes weights while the graph is written; TVM's own folding compiles a program for each of them (half a minute
for YOLOv5n in another layout). Imported only where TVM is."""

from typing import Any

import numpy
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

Constant = type(relax.const(0.0))
"""Of a tensor; the class has had other names in other versions."""


@mutator
class _Transposed(PyExprMutator):
    def visit_call_(self, call: Any) -> Any:
        call = super().visit_call_(call)
        if getattr(call.op, "name", "") != "relax.permute_dims":
            return call
        value = call.args[0]
        if isinstance(value, relax.Var):
            value = self.lookup_binding(value)
        if not isinstance(value, Constant):
            return call
        axes = None if call.attrs.axes is None else [int(one) for one in call.attrs.axes]
        tensor = value.data if hasattr(value, "data") else value.value
        return relax.const(numpy.ascontiguousarray(numpy.transpose(tensor.numpy(), axes)))


def transposed(module: Any) -> Any:
    """The module with each transposed constant as a constant of its own."""
    rewriting = _Transposed(module)
    rewritten = rewriting.visit_expr(module["main"])
    rewriting.builder_.update_func(module.get_global_var("main"), rewritten)
    return relax.transform.CanonicalizeBindings()(rewriting.builder_.get())
