"""Addresses of servers as people may read them."""

import re

# Up to the last @ before a space, a quote, or the next address of a list: passwords are not always encoded.
_USER_INFO = re.compile(r"""(?<=://)(?:(?!,[\w+.-]+://)[^\s'"<>])*@""")
_SECRET_PARAMETER = re.compile(
    r"""(?<=[?&])((?:\w*password|passwd|\w*token|\w*secret|\w*api_?key)=)[^&\s'"<>]*""", re.IGNORECASE
)


def without_credentials(text: str) -> str:
    """An address, several, or a sentence with some in it (a library's error), without user, password and tokens.

    Whatever shows or logs an address passes it through here.
    """
    return _SECRET_PARAMETER.sub(r"\1…", _USER_INFO.sub("", text))
