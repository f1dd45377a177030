"""From a filled form to a search, and back: what was typed is never lost."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import ValidationError

from api.pages.forms import Form
from api.schema import SearchSpec
from haq.cost import parse_budget
from haq.cost.budget import Kind
from haq.search.request import parse_bits
from quant.errors import InputError

KINDS: tuple[Kind, ...] = get_args(Kind)
OPTIONAL = ("start", "reward", "metric")
PLAIN = (
    *("model", "bits", "agent", "quantizer", "observer"),
    *("episodes", "parallel", "seed", "threads"),
)
FIRST_BUDGET = f"budget_{KINDS[0]}"


class FieldError(Exception):
    """What is wrong with what was typed, by field."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(problems)
        self.problems = problems


def to_spec(form: Form) -> SearchSpec:
    """What is asked for. Raises FieldError."""
    problems = wrong_texts(form)
    if problems:
        raise FieldError(problems)
    try:
        return SearchSpec.model_validate(to_values(form))
    except ValidationError as error:
        raise FieldError(
            {field_of(fault["loc"]): fault["msg"] for fault in error.errors()}
        ) from None


def to_values(form: Form) -> dict[str, Any]:
    """The fields of a search; what is empty and need not be there is left out."""
    typed = {name: form.get(name) or None for name in OPTIONAL}
    return {
        **{name: form.get(name) for name in PLAIN},
        **{name: value for name, value in typed.items() if value is not None},
        "data": source(form, "data"),
        "calibration": source(form, "calibration") or None,
        "budgets": tuple(f"{kind}={text}" for kind, text in budgets(form).items()),
        "equalize": form.get("equalize") == "on",
        "boards": tuple(form.all("boards")),
    }


def wrong_texts(form: Form) -> dict[str, str]:
    """Budgets and bits that are not understood, by field."""
    problems: dict[str, str] = {}
    for kind, text in budgets(form).items():
        try:
            parse_budget(f"{kind}={text}")
        except InputError as error:
            problems[f"budget_{kind}"] = str(error)
    try:
        parse_bits(form.get("bits"), "kmeans" if form.get("quantizer") == "kmeans" else "best")
    except InputError as error:
        problems["bits"] = str(error)
    return problems


def budgets(form: Form) -> dict[Kind, str]:
    """Those that were typed."""
    typed = {kind: form.get(f"budget_{kind}") for kind in KINDS}
    return {kind: text for kind, text in typed.items() if text}


def source(form: Form, name: str) -> str:
    """A data set, with rows if any were typed."""
    rows = form.get(f"{name}_rows")
    return f"{form.get(name)}:{rows}" if rows and form.get(name) else form.get(name)


def field_of(place: tuple[int | str, ...]) -> str:
    """The field that a fault is shown by."""
    name = str(place[0])
    return {"data": "data_rows", "calibration": "calibration_rows", "budgets": FIRST_BUDGET}.get(
        name, name
    )


def to_form(spec: SearchSpec) -> Form:
    """Inverse of `to_spec`."""
    plain = {name: [str(getattr(spec, name))] for name in PLAIN}
    optional = {name: [getattr(spec, name) or ""] for name in OPTIONAL}
    data, _, data_rows = spec.data.partition(":")
    calibration, _, calibration_rows = (spec.calibration or "").partition(":")
    typed = {f"budget_{kind}": [text] for kind, _, text in (b.partition("=") for b in spec.budgets)}
    sources = {
        "data": [data],
        "data_rows": [data_rows],
        "calibration": [calibration],
        "calibration_rows": [calibration_rows],
    }
    boards = {"boards": list(spec.boards), "equalize": ["on"] if spec.equalize else []}
    return Form({**plain, **optional, **sources, **typed, **boards})
