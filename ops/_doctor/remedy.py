"""What to do about the error of a remote's client."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

KEYS = "correct its keys with dvc remote modify --local {name} access_key_id … (and secret_access_key)"
LOGIN = "correct user, keyfile or password with dvc remote modify --local {name} …"
KNOWN = (  # in the type or the text of an error; the first that is there counts
    (r"missing dependencies|to be installed", "install it with uv pip install '{extra}'"),
    (r"locate credentials|NoCredentials", "give it keys with dvc remote modify --local {name} access_key_id …"),
    (r"access key|signature|token|forbidden|AccessDenied|Access Denied", KEYS),
    (
        r"bucket does not exist|NoSuchBucket|bucket name",
        "make the bucket, or dvc remote modify {name} url s3://BUCKET/FOLDER",
    ),
    (r"PermissionDenied|Permission denied for user|EOFError", LOGIN),
    (r"No such file", "name one that is here with dvc remote modify --local {name} keyfile FILE"),
    (r"WRONG_VERSION_NUMBER|record layer", "write http:// in its endpointurl, for it speaks no TLS"),
    (r"certificate", "name its certificate with dvc remote modify {name} ssl_verify FILE"),
    (r"not known|getaddrinfo|name resolution|No address", "correct the host's name"),
    (r"timed? ?out|Connection lost|reset|closed", "is the host up, and its port open to this machine?"),
    (r"refused|Connect call failed|Could not connect|not connect", "start it, or correct host and port"),
    (r"Permission", "let this user write there"),
    (r"No space|quota", "make room there"),
)


def of(error: BaseException, name: str, url: str) -> str:
    """The remedy for ``error`` of the remote ``name`` at ``url``."""
    scheme = urlsplit(url).scheme
    extra = "fcn-pipeline[remotes]" if scheme in ("s3", "ssh") else f"dvc[{scheme}]"
    text = f"{type(error).__name__} {error}"
    found = (remedy for pattern, remedy in KNOWN if re.search(pattern, text, re.IGNORECASE))
    return next(found, "docs/remotes.md").format(name=name, extra=extra)


def s3(name: str, url: str) -> str:
    """How to name an S3 store that was given as ``url``, a web address of a bucket and a folder."""
    parts = urlsplit(url)
    return (
        f"dvc remote modify {name} url s3:/{parts.path or '/BUCKET/FOLDER'} "
        f"&& dvc remote modify {name} endpointurl {parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    )
