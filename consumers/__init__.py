import warnings

from authlib.deprecate import AuthlibDeprecationWarning

# Said at import by a library that the registry's client loads, to that library's own maintainers.
warnings.simplefilter("ignore", AuthlibDeprecationWarning)
