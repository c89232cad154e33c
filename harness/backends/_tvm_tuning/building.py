"""The process that builds candidates: `python -m harness.backends._tvm_tuning.building`; it stays for many of them."""

from typing import Any

from harness.backends._tvm_tuning.wire import Line, keep_to


def main() -> None:
    line = Line()
    messages = line.messages()
    hello = next(messages)
    keep_to(hello["cores"])
    from harness.backends._tvm_tuning import candidate

    target = candidate.target_from(hello["target"])
    line.say({"ready": {}})
    for message in messages:
        line.say({"number": message["number"], **_built(candidate, message, target, hello["linker"])})


def _built(candidate: Any, message: Any, target: Any, linker: str) -> Any:
    try:
        candidate.build(message["module"], target, message["path"], linker)
    except Exception as error:  # a schedule that cannot be built is the search's daily bread
        return {"reason": candidate.first_line(error)}
    return {"reason": ""}


if __name__ == "__main__":
    main()
