#!/usr/bin/env python3
"""Writes src/manifest/ecs_fields.json: the shapes a manifest's two ECS blocks may have.

The source is ECS's own API model as botocore (PyPI) carries it. Only what RegisterTaskDefinition and CreateService can
reach is kept: per structure its members with their types and which of them are required, and the values of enums.

    python3 scripts/ecs-fields.py

To take a newer model, raise BOTOCORE, run it, and read the difference.
"""

import json
import subprocess
import sys
import venv
from pathlib import Path

BOTOCORE = "1.44.5"

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / "target" / f"ecs-fields-{BOTOCORE}"
OUTPUT = ROOT / "src" / "manifest" / "ecs_fields.json"
INPUTS = {"taskDefinition": "RegisterTaskDefinition", "service": "CreateService"}


def python_with_botocore() -> Path:
    """The interpreter of a virtual environment that holds exactly the pinned botocore; made on first use."""
    python = ENVIRONMENT / "bin" / "python"
    done = ENVIRONMENT / "complete"
    if not done.exists():
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"botocore=={BOTOCORE}"],
            check=True,
        )
        done.touch()
    return python


def table() -> dict:
    """Runs inside the virtual environment."""
    import botocore
    import botocore.session

    model = botocore.session.get_session().get_service_model("ecs")
    structures: dict = {}
    enums: dict = {}

    def shape(member):
        """One type, as the Rust side's `Shape` reads it; structures and enums are noted on the way."""
        kind = member.type_name
        if kind == "structure":
            structure(member)
            return {"structure": member.name}
        if kind == "list":
            return {"list": shape(member.member)}
        if kind == "map":
            return {"map": shape(member.value)}
        if kind == "string" and member.enum:
            enums[member.name] = sorted(member.enum)
            return {"enum": member.name}
        if kind == "float":
            return "double"
        return kind

    def structure(member):
        if member.name in structures:
            return
        structures[member.name] = entry = {}
        if member.required_members:
            entry["required"] = sorted(member.required_members)
        entry["members"] = {name: shape(child) for name, child in sorted(member.members.items())}

    roots = {}
    for block, operation in INPUTS.items():
        root = model.operation_model(operation).input_shape
        structure(root)
        roots[block] = root.name
    return {
        "botocore": botocore.__version__,
        "apiVersion": model.api_version,
        "roots": roots,
        "structures": dict(sorted(structures.items())),
        "enums": dict(sorted(enums.items())),
    }


def render(document: dict) -> str:
    """One line per structure and per enum: small, and a newer model shows up as a readable difference."""
    lines = []
    for key, value in document.items():
        if key in ("structures", "enums"):
            entries = ",\n".join(f"    {json.dumps(name)}: {json.dumps(entry)}" for name, entry in value.items())
            lines.append(f"  {json.dumps(key)}: {{\n{entries}\n  }}")
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> None:
    if sys.argv[1:] == ["--print"]:
        print(render(table()), end="")
        return
    printed = subprocess.run(
        [python_with_botocore(), __file__, "--print"], check=True, capture_output=True, text=True
    ).stdout
    OUTPUT.write_text(printed)
    print(f"wrote {OUTPUT.relative_to(ROOT)} from botocore {BOTOCORE}: {len(printed)} bytes")


if __name__ == "__main__":
    main()
