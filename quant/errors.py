"""The tree of errors that the project raises on purpose.

HaqError
├── InputError          what the user gave cannot be used (exit code 2)
│   ├── DataError       images, labels or ranges of rows
│   ├── ModelError      unknown network, unusable weights, unsupported layer
│   ├── PolicyError     a policy that does not fit the network or the engine
│   ├── BudgetError     a budget that cannot be met
│   ├── StateError      a searcher's saved state that is damaged or another's
│   └── InUseError      a run that another process has
├── BoardError          the device agent failed to measure
│   ├── BoardLostError      it does not answer, or stopped in the middle: trying again may help
│   ├── BoardBusyError      others have the board, or have taken it over
│   ├── BoardRefusedError   the key, the certificate or the address is not accepted
│   └── BoardInvalidError   it was asked for something that it cannot do
├── WorkerError         processes that evaluate end again and again, or there are none (exit code 2)
├── StorageError        a file cannot be written: no room, or no permission (exit code 2)
└── FormatError         an ncnn file that is not what it claims to be
"""


class HaqError(Exception):
    """Root of every error raised on purpose; its text is one line for the user."""


class InputError(HaqError):
    """What the user gave cannot be used."""


class DataError(InputError):
    """Images, labels or a range of rows cannot be used."""


class ModelError(InputError):
    """The network is unknown, its weights do not fit, or a layer is not supported."""


class PolicyError(InputError):
    """The policy does not fit the network or the engine."""


class BudgetError(InputError):
    """The budget cannot be met by any policy."""


class StateError(InputError):
    """The saved state of a searcher is damaged, or that of another searcher."""


class InUseError(InputError):
    """Another process has the run: when that has ended, it can go on."""


class BoardError(HaqError):
    """The device agent failed to measure."""


class BoardLostError(BoardError):
    """The device agent does not answer, or stopped in the middle: trying again may help."""


class BoardBusyError(BoardError):
    """Others have the board, or have taken it over."""


class BoardRefusedError(BoardError):
    """The key, the certificate or the address is not accepted."""


class BoardInvalidError(BoardError):
    """The device agent was asked for something that it cannot do."""


class WorkerError(HaqError):
    """Processes that evaluate policies end again and again, or there are none."""


class StorageError(HaqError):
    """A file cannot be written: there is no room for it, or no permission."""


class FormatError(HaqError):
    """An ncnn file is not what it claims to be."""


def one_line(error: BaseException, characters: int = 200) -> str:
    """The start of an error's text, without line breaks."""
    return " ".join(str(error).split())[:characters]
