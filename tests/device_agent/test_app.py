import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["device_agent.processes.worker", "device_agent.web.service"])
def test_no_torch_and_no_web_service_in_the_child(module: str) -> None:
    unwanted = ["torch", "fastapi"] if module.endswith("worker") else ["torch", "ncnn"]
    code = f"import sys, {module}; print([m for m in {unwanted} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_exposes_the_application() -> None:
    code = "import device_agent; print(device_agent.app.title, device_agent.app.title)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "haq device agent haq device agent"


def test_settings_without_a_key_in_them_are_refused() -> None:
    from device_agent.settings import Settings

    with pytest.raises(ValueError, match="at least 1"):
        Settings(key="")  # type: ignore[arg-type]
