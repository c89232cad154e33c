"""From a model's graph to loops that can be tuned, and from tuned loops to an engine; the one place that orders passes.

Tuning and building must see the same loops, or no schedule is found again. A *form* says how the graph is written
before its operators are fused; it is recorded with the trials and stands in a tuned engine's variant.
"""

from typing import Any, List, NamedTuple

from harness.backends._tvm_generation import part

LAYOUTS = {"nhwc": {"relax.nn.conv2d": ["NHWC", "OHWI"]}, "nchw": {}}


class Form(NamedTuple):
    """How a graph is written before it is tuned."""

    layout: str = "nchw"
    """Of convolutions: `nchw` as ONNX has it, or `nhwc`, where channels lie side by side and fill vectors."""
    packed: bool = False
    """Weights are laid out as each schedule reads them, when the engine is built."""
    polynomial_exp: bool = False
    """The sigmoid's exponential is a polynomial that vectorises, with an error of 2 units in the last place."""
    silu: bool = False
    """`x * sigmoid(x)` is one operator. As two, both read x, and TVM's rules cannot inline them into the convolution
    before them: they become a loop nest of their own, and on a GPU a kernel of their own."""

    def words(self) -> str:
        parts = [self.layout, "packed weights" if self.packed else "", "vector exp" if self.polynomial_exp else ""]
        return " + ".join(part for part in [*parts, "silu" if self.silu else ""] if part)


FORMS = {
    "plain": Form(),
    "nhwc": Form("nhwc", True, True),
    "nchw": Form("nchw", True, True),
    "silu": Form(silu=True),
    "nhwc-silu": Form("nhwc", True, True, True),
}
"""By the name in the trial log; what a name stands for never changes."""


def default_form(kind: str) -> str:
    """By the kind of target."""
    return "nhwc-silu" if kind == "llvm" else "silu"


def fused(module: Any, target: Any, form: Form) -> Any:
    """The module with every operator as loops, fused; what tasks are extracted from and schedules applied to."""
    import tvm
    from tvm import relax

    from harness.backends._tvm_tuning.activations import legalized, with_silu

    desired = LAYOUTS[form.layout]
    if form.silu:
        module = with_silu(module)
    passes: List[Any] = [relax.transform.DecomposeOpsForInference(), relax.transform.CanonicalizeBindings()]
    if desired:
        from harness.backends._tvm_tuning.weights import transposed

        passes += [relax.transform.ConvertLayout(desired), relax.transform.Normalize()]
        module, passes = transposed(tvm.transform.Sequential(passes)(module)), []
    passes += [relax.backend.DispatchSampling(), relax.backend.DispatchSortScan()]
    passes += [
        relax.transform.LegalizeOps(legalized(form.polynomial_exp, form.silu)),
        relax.transform.AnnotateTIROpPattern(),
        relax.transform.FoldConstant(),
        relax.transform.FuseOps(),
        relax.transform.FuseTIR(),
    ]
    if form.packed:
        passes.append(relax.transform.AttachAttrLayoutFreeBuffers())
    with target, tvm.transform.PassContext(opt_level=3):
        return tvm.transform.Sequential(passes)(module)


def scheduled(module: Any, target: Any, form: Form, database: Any) -> Any:
    """What `fused` gave, with the schedules that the database has, and TVM's default for the other tasks."""
    import tvm
    from tvm import relax

    with target, database, tvm.transform.PassContext(opt_level=3):
        passes: List[Any] = [relax.transform.MetaScheduleApplyDatabase()]  # looks for the target when it is made
        if form.packed:
            passes += [relax.transform.SplitLayoutRewritePreproc(), relax.transform.FoldConstant()]
        passes += default_schedules(target)
        return tvm.transform.Sequential(passes)(module)


def lowered(module: Any, target: Any) -> Any:
    """The rest of TVM's default pipeline, but for CUDA graphs: an inference is captured as a whole, when it is run."""
    import tvm
    from tvm import relax

    with target:
        passes = [
            relax.transform.RewriteDataflowReshape(),
            relax.transform.ToNonDataflow(),
            relax.transform.RemovePurityChecking(),
            relax.transform.CallTIRRewrite(),
            relax.transform.StaticPlanBlockMemory(),
            relax.transform.LowerAllocTensor(),
            relax.transform.KillAfterLastUse(),
            relax.transform.LowerRuntimeBuiltin(),
            relax.transform.ComputePrimValue(),
            relax.transform.VMShapeLower(),
            relax.transform.AttachGlobalSymbol(),
        ]
        return tvm.transform.Sequential(passes)(module)


def default_schedules(target: Any) -> List[Any]:
    """What TVM does with loops that nobody has tuned: nothing on a CPU, DLight on a GPU."""
    if target.kind.name == "llvm":
        return []
    dlight = part("dlight")
    gpu = dlight.gpu
    rules = [gpu.Matmul(), gpu.GEMV(), gpu.Reduction(), gpu.GeneralReduction(), gpu.Fallback()]
    return [dlight.ApplyDefaultSchedule(*rules)]
