"""Why a file of weights is not loaded."""


class Refused(Exception):
    """The file is not of its kind, or wants code to be run; the sentence says which."""
