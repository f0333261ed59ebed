# ruff: noqa: INP001 - a program beside the chart, no package
"""Write the JSON schemas of the Kubernetes kinds that the chart uses, for kubeconform.

Run it after `pip download --no-deps kubernetes-validate` (a package that carries the schemas of
every Kubernetes version) with the path of the wheel and a version:

    python deploy/helm/schemas/update.py kubernetes_validate-1.37.0-py3-none-any.whl 1.35.0

Each file stands alone: definitions that the kind needs are copied in, descriptions are left out.
The schemas of ServiceMonitor, ScaledObject and TriggerAuthentication are written by hand beside
them, for the fields that the chart uses, and refuse every other field.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

KINDS = (
    "configmap-v1",
    "deployment-apps-v1",
    "horizontalpodautoscaler-autoscaling-v2",
    "networkpolicy-networking-v1",
    "persistentvolumeclaim-v1",
    "poddisruptionbudget-policy-v1",
    "service-v1",
    "serviceaccount-v1",
)
LOCAL = "#/$defs/"
PREFIX = f"/api/_definitions.json{LOCAL}"
Schema = Any


def main(wheel: str, version: str) -> None:
    """Write one file a kind, beside this program."""
    folder = f"kubernetes_validate/kubernetes-json-schema/v{version}-local-strict"
    with zipfile.ZipFile(wheel) as archive:
        definitions = json.loads(archive.read(f"{folder}/_definitions.json"))["$defs"]
        for kind in KINDS:
            schema = bare(json.loads(archive.read(f"{folder}/{kind}.json")))
            schema["$defs"] = needed(schema, definitions)
            text = json.dumps(schema, separators=(",", ":"), sort_keys=True)
            text = text.replace(PREFIX, LOCAL)
            (Path(__file__).parent / f"{kind}.json").write_text(text + "\n")


def needed(schema: Schema, definitions: dict[str, Any]) -> dict[str, Any]:
    """Give the definitions that a schema refers to, and those they refer to."""
    found: dict[str, Any] = {}
    waiting = references(schema)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = bare(definitions[name])
            waiting += references(found[name])
    return found


def references(schema: Schema) -> list[str]:
    """Give the names of the definitions that a schema refers to."""
    if isinstance(schema, list):
        return [name for item in schema for name in references(item)]
    if not isinstance(schema, dict):
        return []
    target = schema.get("$ref")
    own = [target.rpartition(LOCAL)[2]] if isinstance(target, str) else []
    return own + [name for item in schema.values() for name in references(item)]


def bare(schema: Schema) -> Schema:
    """Leave out descriptions (not fields that are called so)."""
    if isinstance(schema, list):
        return [bare(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: bare(item)
        for name, item in schema.items()
        if not (name == "description" and isinstance(item, str))
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
