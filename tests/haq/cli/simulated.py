"""The program as a process of its own, on a board without a machine."""

from unittest.mock import patch

from haq.cli import main
from tests.haq.simulated_board import SimulatedBoard

if __name__ == "__main__":
    with patch("haq.connect.open_boards", lambda *where: SimulatedBoard()):
        main()
