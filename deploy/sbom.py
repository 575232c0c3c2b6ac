"""Write what a lock pins as a CycloneDX 1.6 document: ``python deploy/sbom.py LOCK TARGET``.

``cyclonedx-py`` reads the lock. It adds where it would look each package up, and its own home pages; both are taken
out, so that the same lock gives the same bytes everywhere, without the name of a registry.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def sbom(lock: Path) -> str:
    """The document, JSON with sorted keys.

    Raises subprocess.CalledProcessError if the lock can't be read.
    """
    # The warning is that a lock without its graph leaves the main component without dependencies.
    command = [sys.executable, "-W", "ignore::UserWarning", "-m", "cyclonedx_py", "requirements", str(lock)]
    command += [
        "--pyproject",
        str(ROOT / "pyproject.toml"),
        "--short-PURLs",
        "--output-reproducible",
        "--no-validate",
    ]
    made = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 -- our own words
    document: dict[str, Any] = json.loads(made)
    names: dict[str, str] = {}  # a component's name in the document: its line in the lock -> what it is
    for component in document["components"]:
        del component["description"]  # the line of the lock
        names[component["bom-ref"]] = component["bom-ref"] = component["purl"]
        for reference in component["externalReferences"]:
            reference["url"] = component["purl"]
            del reference["comment"]
    for dependency in document["dependencies"]:
        dependency["ref"] = names.get(dependency["ref"], dependency["ref"])
    for tool in document["metadata"]["tools"]["components"]:
        del tool["externalReferences"]
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(sbom(Path(sys.argv[1])), encoding="utf-8")
