"""What the service answers with another status than 422.

ServiceError
├── UnknownError      404: there is no such thing
├── ConflictError     409: not in this state
│   └── UnderwayError     409: the same request is being carried out, ask again
├── ForbiddenError    403: outside of what the operator allows
├── BusyError         503: too much is going on here just now
└── LimitError        429: the key has used up what it may
"""

from quant.errors import HaqError


class ServiceError(HaqError):
    """Root of the service's own errors."""


class UnknownError(ServiceError):
    """There is no such search, model, data set, board or artifact."""


class ConflictError(ServiceError):
    """A search is not in a state in which this can be done, or a name is taken."""


class UnderwayError(ConflictError):
    """The same request is being carried out: asked again a little later, it has an answer."""


class ForbiddenError(ServiceError):
    """A folder or a host is not among those that the operator allows."""


class BusyError(ServiceError):
    """Nothing is wrong with what was asked for: there was no time for it."""


class LimitError(ServiceError):
    """A key has used up its searches."""
