"""`python -m api.workers.tied`: a worker that ends with the process that started it."""

from api.workers.__main__ import main
from device_agent.processes.lifeline import exit_when_stdin_closes

if __name__ == "__main__":
    exit_when_stdin_closes()
    main()
