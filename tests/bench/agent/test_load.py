import time

from bench.agent.load import loaded_machine
from tests.device_agent.process_table import children


def test_the_load_is_there_and_ends_with_the_context() -> None:
    before = set(children())
    with loaded_machine(2):
        time.sleep(0.1)
        assert len(set(children()) - before) == 2
    assert set(children()) == before
