from hypothesis import settings

# The first example pays for the start of torch and numpy, more so on a busy machine.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")
