"""Known vulnerabilities of what the service is locked to, by pip-audit; one that was not looked up is no pass.

Exits with 1 on a vulnerability, and where the advisory service knows nothing of the packages: with ALLOW_OFFLINE=1 the
latter is told and let pass, for a machine without a way to it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = "requirements/serve.txt"


def judge(packages: list[dict[str, Any]], *, offline: bool) -> tuple[int, list[str]]:
    """Exit code and lines to print; `offline` lets pass that no package at all was looked up."""
    skipped = [package for package in packages if "skip_reason" in package]
    vulnerable = [package for package in packages if package.get("vulns")]
    lines = [
        f"{package['name']} {package['version']}: {fault['id']}, mended by {', '.join(fault['fix_versions']) or 'none'}"
        for package in vulnerable
        for fault in package["vulns"]
    ]
    counts = (len(packages) - len(skipped), len(vulnerable), len(skipped))
    lines.append("{} packages audited, {} vulnerable, {} not looked up".format(*counts))
    if packages and not skipped:
        return int(bool(vulnerable)), lines
    lines.append(
        f"NOT AUDITED: the advisory service gave no answer on {len(skipped) or 'any'} of the packages of {LOCK}"
    )
    return int(not (offline and len(skipped) == len(packages))), lines


def main() -> int:
    """Audit; returns the exit code."""
    command = [str(Path(sys.executable).with_name("pip-audit")), "--require-hashes", "--disable-pip", "-r", LOCK]
    done = subprocess.run([*command, "--format", "json"], capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        print(done.stderr.strip())
        packages = []
    code, lines = judge(packages, offline=os.environ.get("ALLOW_OFFLINE") == "1")
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
